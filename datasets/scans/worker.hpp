// Scans are decoded in a process of their own: libraries that read files of strangers may crash, hang or ask for all memory, and then it is that
// process that ends, and one file that is refused. It is started when the first scan is opened, used again, and ends with its owner.
#pragma once

#include <cstddef>
#include <filesystem>

namespace fovea {

struct ScanWorkerOptions {
  double seconds = 120;                       // for one answer
  std::size_t memory = std::size_t{6} << 30;  // bytes of address space
  // Empty: $FOVEA_SCAN_WORKER, else `fovea-scan-worker` beside this program or in ../libexec, else where it was installed.
  std::filesystem::path program = {};
};
// For scans opened from now on, by any thread.
void set_scan_worker(const ScanWorkerOptions& options);

// What that program does: answers on a socket until the other side closes it. Gives an exit code.
int serve_scans(int socket);

}  // namespace fovea
