#include "tests/golden/modules.hpp"

namespace fovea::golden {

void add_sparse([[maybe_unused]] Adapters& all) {}

}  // namespace fovea::golden
