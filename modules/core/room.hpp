// Memory that libraries take without checking: oneDNN writes generated code to a null pointer where the system has none left, and oneTBB ends
// the process where it cannot start a thread.
#pragma once

#include <cstddef>

namespace fovea::memory {

// OutOfMemory when the system would refuse what generating code and starting that many threads may take. A microsecond; asked before either.
void check_room(std::size_t threads = 0);

}  // namespace fovea::memory
