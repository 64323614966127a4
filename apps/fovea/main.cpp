// `fovea`: finds the command, runs it, turns errors into messages and exit codes.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>

#include "apps/fovea/commands.hpp"
#include "modules/core/error.hpp"
#include "modules/core/simd.hpp"
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

int complain(const std::exception& e, int exit_code) {
  std::cerr << "fovea: " << e.what() << "\n";
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  if (!fovea::simd_path_runs()) {
    std::cerr << "fovea: this program was built for another processor (FOVEA_SIMD_PATH); build it here, or with FOVEA_SIMD_PATH=all\n";
    return fovea::kExitError;
  }
  wait_passively(argv);
  try {
    return fovea::run_command_line(fovea::resolve_predict({argv + 1, argv + argc}));
  } catch (const fovea::UsageError& e) { return complain(e, fovea::kExitUsage); } catch (const fovea::FolderBusy& e) {
    return complain(e, fovea::kExitTryAgain);
  } catch (const fovea::EnvironmentError& e) { return complain(e, fovea::kExitTryAgain); } catch (const std::exception& e) {
    return complain(e, fovea::kExitError);
  }
}
