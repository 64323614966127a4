// softmax(scale q k^T + bias + mask) v, Vaswani et al. 2017, arXiv:1706.03762, without ever holding the Lq x Lk weights: tiles of
// rows and columns with running maxima and sums, and in the backward pass again from the saved log-sum-exp of each row (Dao et
// al. 2022, arXiv:2205.14135). Sums and softmax in f32 whatever the type of the values.
#pragma once

#include <limits>
#include <memory>

#include "modules/autograd/apply.hpp"
#include "modules/core/random.hpp"
#include "modules/ops/key_pattern.hpp"

namespace fovea {

struct AttentionOptions {
  double scale = 0;     // 0: 1 / sqrt(d)
  bool causal = false;  // row i sees the columns j <= i
  // What a forbidden score becomes. With -inf a row of which all is forbidden has no distribution: NaN, as PyTorch gives;
  // with a finite value such as -1e9 it spreads evenly.
  double masked = -std::numeric_limits<double>::infinity();
  // What it hides is forbidden too; with -inf, tiles that it does not touch cost nothing.
  std::shared_ptr<const KeyPattern> pattern = nullptr;
};

// In training: weights that are left out while the others are scaled by 1 / (1 - probability).
struct AttentionDropout {
  double probability = 0;
  Random* random = nullptr;  // what draws them; ops/dropout.hpp draws the same for the explicit weights
};

// q: N x h x Lq x d, k: N x h x Lk x d, v: N x h x Lk x dv; any strides. Result N x h x Lq x dv.
// mask: booleans (true: may attend) or values that are added. bias: values that are added, with a gradient. Either
// may be undefined or has 2 to 4 axes that repeat to N x h x Lq x Lk; a first axis that divides N repeats too (sample n takes
// n mod its size: the windows of one image). A mask of values gets a gradient only where there is no bias.
Var attention(const Var& q, const Var& k, const Var& v, const Var& mask = {}, const Var& bias = {},
              const AttentionOptions& options = {}, const AttentionDropout& dropout = {});

struct Attended {
  Var values;    // as attention gives them
  Var received;  // N x h x 1 x Lk: what each key received, the mean of its weights over the queries; without a gradient
};
// Both in one pass, also without ever holding all weights: of each 96 rows at a time.
Attended attention_received(const Var& q, const Var& k, const Var& v, const Var& mask = {}, const Var& bias = {},
                            const AttentionOptions& options = {}, const AttentionDropout& dropout = {});

// softmax(scale q k^T + bias + mask) itself, N x h x Lq x Lk: for those who want to see it.
Var attention_weights(const Var& q, const Var& k, const Var& mask = {}, const Var& bias = {},
                      const AttentionOptions& options = {});

}  // namespace fovea
