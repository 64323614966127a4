// The memory of this process.
#pragma once

namespace fovea {

// What it takes of the machine at this moment, its resident set, in MiB.
double resident_memory_mb();

}  // namespace fovea
