// What every command of `fovea` ends with.
#pragma once

namespace fovea {

// done; an unexpected error; done but for inputs that were put aside; wrong usage; inputs are left: the same command goes on.
inline constexpr int kExitDone = 0, kExitError = 1, kExitQuarantined = 3, kExitUsage = 64, kExitTryAgain = 75;

}  // namespace fovea
