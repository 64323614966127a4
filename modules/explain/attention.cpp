// Attention as it was computed: gates of positions as maps, gates of channels as bars, self-attention as how much each position is looked at.
#include "modules/explain/attention.hpp"

#include "modules/explain/activations.hpp"
#include "modules/explain/methods.hpp"

namespace fovea::explain {
namespace {

void add_heads(Explanation& out, const Layer& l, const Tensor& value) {
  const AttentionMatrix m = attention_matrix(value);
  for (std::int64_t h = 0; h < m.heads; ++h)
    out.maps.push_back({l.name + ".head" + std::to_string(h), l.grid, received(m, h, l.prefix)});
}

}  // namespace

AttentionMatrix attention_matrix(const Tensor& value, std::int64_t index) {
  check(value.rank() == 3 || value.rank() == 4, "attention: expected N x heads x queries x keys, got ", value.shape());
  AttentionMatrix m;
  m.heads = value.rank() == 4 ? value.dim(1) : 1;
  m.queries = value.dim(-2);
  m.keys = value.dim(-1);
  m.values = value.slice(0, index, index + 1).values();
  return m;
}

AttentionMatrix mean_of_heads(const AttentionMatrix& m) {
  AttentionMatrix mean{1, m.queries, m.keys, std::vector<double>(static_cast<std::size_t>(m.queries * m.keys))};
  for (std::size_t i = 0; i < m.values.size(); ++i)
    mean.values[i % mean.values.size()] += m.values[i] / static_cast<double>(m.heads);
  return mean;
}

std::vector<double> received(const AttentionMatrix& m, std::int64_t head, std::int64_t prefix) {
  std::vector<double> sums(static_cast<std::size_t>(m.keys - prefix));
  const std::int64_t rows = prefix > 0 ? 1 : m.queries;
  for (std::int64_t q = 0; q < rows; ++q)
    for (std::size_t k = 0; k < sums.size(); ++k)
      sums[k] += m.row(head, q)[k + static_cast<std::size_t>(prefix)] / static_cast<double>(rows);
  return sums;
}

Map attention_map(const Layer& layer, const Tensor& value) {
  Map map{layer.name, layer.grid, {}};
  if (layer.kind == LayerKind::spatial) {
    const Activations a = activations_of(value, layer);
    for (std::int64_t cell = 0; cell < a.cells; ++cell) {
      double sum = 0;
      for (std::int64_t c = 0; c < a.channels; ++c) sum += a.at(cell, c);
      map.values.push_back(sum / static_cast<double>(a.channels));
    }
    return map;
  }
  const bool matrix = layer.kind == LayerKind::attention || layer.kind == LayerKind::received;
  check(matrix, "attention: expected a layer that shows attention at positions, ", layer.name, " is of the kind ",
        name_of(layer.kind));
  map.values = received(mean_of_heads(attention_matrix(value)), 0, layer.prefix);
  return map;
}

Explanation attention(const Request& r) {
  const ForwardFunction::Values v = r.network.values(r.x, glob_of(r.layers));
  Explanation out;
  for (const Layer& l : r.layers) {
    const Tensor value = find_kept(v.taps, l.name).to(DType::f32);
    const bool heads = l.kind == LayerKind::attention || l.kind == LayerKind::received;
    if (heads && r.options.heads) add_heads(out, l, value);
    else if (heads || l.kind == LayerKind::spatial) out.maps.push_back(attention_map(l, value));
    else out.bars.push_back({l.name, value.values()});
  }
  return out;
}

}  // namespace fovea::explain
