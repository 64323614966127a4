// `fovea`: finds the command, runs it, turns errors into messages and exit codes.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include "apps/fovea/commands.hpp"
#include "apps/fovea/standard_streams.hpp"
#include "datasets/bad_file.hpp"
#include "modules/core/simd.hpp"
#include "modules/io/files.hpp"
#include "modules/license.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/sinks/folder_lock.hpp"

namespace {

// OpenMP's threads spin for long while they wait unless the environment says otherwise when the process starts: setting it here
// would be too late, so the program starts itself once more. The second start finds it set. Sleeping at once would cost as much: a
// step of MobileNetV2 on two threads takes 57 ms so and 35 ms with a spin this short, which 60 calls 10 ms apart pay with 72 ms of
// processor instead of 63 (494 where threads never sleep).
void wait_passively(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || ::setenv("OMP_WAIT_POLICY", "passive", 0) != 0) return;
  ::setenv("GOMP_SPINCOUNT", "3000", 0);
  ::execv("/proc/self/exe", argv);  // returns only where that is not possible; then spinning costs time, not results
}

int complain(const std::string& what, int exit_code) {
  std::cerr << "fovea: " << what << "\n";
  return exit_code;
}

// What the machine could not do now is tried again later: a full disk, memory, a network disk.
int exit_code_of(const std::exception& e) {
  if (dynamic_cast<const fovea::UsageError*>(&e) || dynamic_cast<const fovea::LicenseRefused*>(&e)) return fovea::kExitUsage;
  if (dynamic_cast<const fovea::FolderBusy*>(&e) || dynamic_cast<const fovea::EnvironmentError*>(&e) || fovea::is_passing(e))
    return fovea::kExitTryAgain;
  const auto* file = dynamic_cast<const fovea::FileError*>(&e);
  return file && (file->code == ENOSPC || file->code == EDQUOT || file->code == EROFS) ? fovea::kExitTryAgain : fovea::kExitError;
}

int run_command(int argc, char** argv) {
  if (!fovea::simd_path_runs())
    return complain("this program was built for another processor (FOVEA_SIMD_PATH); build it here, or with FOVEA_SIMD_PATH=all",
                    fovea::kExitError);
  try {
    return fovea::run_command_line(fovea::resolve_predict({argv + 1, argv + argc}));
  } catch (const std::bad_alloc&) {
    return complain("not enough memory", fovea::kExitTryAgain);
  } catch (const std::exception& e) { return complain(e.what(), exit_code_of(e)); }
}

}  // namespace

int main(int argc, char** argv) {
  fovea::prepare_standard_streams();
  wait_passively(argv);
  return fovea::finish_standard_output(run_command(argc, argv));
}
