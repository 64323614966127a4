// The standard streams of a command: nothing but text goes out, whatever names files and classes have; text that nobody could receive is noticed on standard output and never ends a run on standard error.
#pragma once

namespace fovea {

// At the start. A stream that was closed (2>&-) is opened so that nothing can be written into it: the next file that a run opens would take
// its number, and messages would go into that file. A reader that went away shows as a failed write, not as a signal. std::cout
// and std::cerr write control characters other than line breaks and tabs as '?' (core/text.hpp), and so they do bytes that are not UTF-8.
void prepare_standard_streams();

// At the end: the exit code, or that of an output that could not be written, with a message. Where the reader went away the process ends
// quietly here, by SIGPIPE, as other tools do.
int finish_standard_output(int exit_code);

}  // namespace fovea
