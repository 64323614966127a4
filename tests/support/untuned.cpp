// Tests compare bits between numbers of threads and leave no file behind: no plan is tuned unless a test asks for it.
#include "modules/plan/plan.hpp"

namespace {
[[maybe_unused]] const bool untuned = (fovea::plan::set_tuning(false), true);
}
