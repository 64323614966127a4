// oneDNN generates code into memory that it does not check: where the system has none left, it writes to a null pointer.
#pragma once

namespace fovea::memory {

// Error when the system would refuse the memory that generating code may take. A microsecond; asked before oneDNN makes something.
void check_room();

}  // namespace fovea::memory
