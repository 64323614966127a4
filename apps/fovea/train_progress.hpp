// How a training tells people where it stands.
#pragma once

#include "modules/train/trainer.hpp"

namespace fovea {

// A bar that redraws itself on a terminal, lines elsewhere; to standard error.
void print_progress(const Trainer::Progress& p);

}  // namespace fovea
