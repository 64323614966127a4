#include "tests/golden/modules.hpp"

namespace fovea::golden {

void add_hybrid(Adapters& all) {
  all.add("AAB", "haoyuc/A2N", [](const Case& c, const Scope& s) {
    check(c.hyper.value("K", 2) == 2, "AAB: expected K = 2, got ", c.hyper.at("K").dump());
    return Subject{make("a2n_aab", c, s, c.hyper.at("nf"),
                        {{"reduction", "reduction"}, {"t", "temperature"}, {"non_attention_kernel", "plain_kernel"}})};
  });
  all.add("AttentionBranch", "haoyuc/A2N", [](const Case& c, const Scope& s) {
    return Subject{make("attention_branch", c, s, c.hyper.at("nf"), {{"k_size", "kernel"}})};
  });
  all.add("PA", "haoyuc/A2N",
          [](const Case& c, const Scope& s) { return Subject{make("pixel_attention", c, s, c.hyper.at("nf"))}; });
}

}  // namespace fovea::golden
