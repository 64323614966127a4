// Attention matrices of one sample, as numbers.
#pragma once

#include <span>

#include "modules/explain/layers.hpp"

namespace fovea::explain {

struct AttentionMatrix {
  std::int64_t heads = 0, queries = 0, keys = 0;
  std::vector<double> values;  // heads x queries x keys; rows sum to 1 where the block normalises so
  std::span<const double> row(std::int64_t head, std::int64_t query) const {
    return {values.data() + (head * queries + query) * keys, static_cast<std::size_t>(keys)};
  }
};

// Of a kept value N x heads x queries x keys or N x queries x keys, its sample `index` (for windows: the windows of one sample in
// a row: index counts windows).
AttentionMatrix attention_matrix(const Tensor& value, std::int64_t index = 0);
// The mean over heads, as one head.
AttentionMatrix mean_of_heads(const AttentionMatrix& m);

// How much each position is looked at: by the first token where there is one without a position (a class token), else on average.
std::vector<double> received(const AttentionMatrix& m, std::int64_t head, std::int64_t prefix);

// The kinds of layers whose value is a map of attention over positions.
inline const std::vector<LayerKind> kMapKinds{LayerKind::attention, LayerKind::received, LayerKind::spatial};
// The map of one sample: a gate as the mean of its channels, self-attention as how much each position is looked at, on average over the heads.
// Error for layers of other kinds.
Map attention_map(const Layer& layer, const Tensor& value);

// Abnar & Zuidema 2020, arXiv:2005.00928: the product over the layers of (A + I) / 2, rows made to sum to 1, A the mean over heads;
// first layer first. All matrices are square and of one size. Gives one head.
AttentionMatrix rolled_out(const std::vector<AttentionMatrix>& layers);

}  // namespace fovea::explain
