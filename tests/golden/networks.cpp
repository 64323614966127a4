#include "tests/golden/modules.hpp"

namespace fovea::golden {

void add_networks(Adapters& all) {
  all.add("AAN", "haoyuc/A2N", [](const Case& c, const Scope& s) {
    return Subject{make("a2n", c, s, 3, {{"scale", "scale"}, {"nf", "width"}, {"unf", "tail_width"}, {"nb", "blocks"}})};
  });
}

}  // namespace fovea::golden
