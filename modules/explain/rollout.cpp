// Attention rollout: what reaches the last layer from each position, through self-attention and the residual ways beside it.
// Abnar & Zuidema 2020, arXiv:2005.00928.
#include "modules/explain/attention.hpp"
#include "modules/explain/methods.hpp"

namespace fovea::explain {
namespace {

// (A + I) / 2 with rows that sum to 1.
AttentionMatrix with_residual(AttentionMatrix m) {
  for (std::int64_t q = 0; q < m.queries; ++q) {
    double* row = m.values.data() + q * m.keys;
    double sum = 0;
    for (std::int64_t k = 0; k < m.keys; ++k) sum += row[k] = (row[k] + (k == q ? 1 : 0)) / 2;
    for (std::int64_t k = 0; k < m.keys; ++k) row[k] /= sum;
  }
  return m;
}

AttentionMatrix product(const AttentionMatrix& a, const AttentionMatrix& b) {
  AttentionMatrix out{1, a.queries, b.keys, std::vector<double>(static_cast<std::size_t>(a.queries * b.keys))};
  for (std::int64_t q = 0; q < a.queries; ++q)
    for (std::int64_t i = 0; i < a.keys; ++i) {
      const double factor = a.row(0, q)[static_cast<std::size_t>(i)];
      const double* from = b.values.data() + i * b.keys;
      double* to = out.values.data() + q * b.keys;
      for (std::int64_t k = 0; k < b.keys; ++k) to[k] += factor * from[k];
    }
  return out;
}

}  // namespace

AttentionMatrix rolled_out(const std::vector<AttentionMatrix>& layers) {
  check(!layers.empty(), "rollout: expected at least one layer");
  AttentionMatrix total;
  for (const AttentionMatrix& layer : layers) {
    check(layer.queries == layer.keys && layer.queries == layers[0].queries, "rollout: expected square matrices of one size, ",
          layers[0].queries, ", got ", layer.queries, "x", layer.keys, "; choose layers of one size with --layer");
    const AttentionMatrix step = with_residual(mean_of_heads(layer));
    total = total.heads == 0 ? step : product(step, total);
  }
  return total;
}

Explanation rollout(const Request& r) {
  const ForwardFunction::Values v = r.network.values(r.x, glob_of(r.layers));
  std::vector<AttentionMatrix> matrices;
  for (const Layer& l : r.layers) matrices.push_back(attention_matrix(find_kept(v.taps, l.name)));
  const Layer& last = r.layers.back();
  return {{{"rollout", last.grid, received(rolled_out(matrices), 0, last.prefix)}}, {}, {}};
}

}  // namespace fovea::explain
