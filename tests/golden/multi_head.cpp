#include "tests/golden/modules.hpp"

namespace fovea::golden {

void add_multi_head([[maybe_unused]] Adapters& all) {}

}  // namespace fovea::golden
