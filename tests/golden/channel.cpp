#include "tests/golden/modules.hpp"

namespace fovea::golden {

void add_channel([[maybe_unused]] Adapters& all) {}

}  // namespace fovea::golden
