#include "modules/core/resident.hpp"

#include <unistd.h>

#include <fstream>

namespace fovea {

double resident_memory_mb() {
  double whole = 0, resident = 0;  // pages
  std::ifstream("/proc/self/statm") >> whole >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

}  // namespace fovea
