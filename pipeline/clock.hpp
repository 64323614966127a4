// Wall clock, processor time and memory of this process.
#pragma once

namespace fovea {

double wall_seconds();         // from an arbitrary start
double thread_cpu_seconds();   // of the calling thread
double team_cpu_seconds();     // of the calling thread and its lane's other threads (as many as threads() says)
double process_cpu_seconds();  // of all threads, user and system
double peak_memory_mb();       // largest resident set so far, MiB

}  // namespace fovea
