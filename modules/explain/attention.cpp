// Attention as it was computed: gates of places as maps, gates of channels as bars, self-attention as how much each place is looked at.
#include "modules/explain/attention.hpp"

#include "modules/explain/activations.hpp"
#include "modules/explain/methods.hpp"

namespace fovea::explain {
namespace {

void add_attention(Explanation& out, const Request& r, const Layer& l, const Tensor& value) {
  const AttentionMatrix m = attention_matrix(value);
  const AttentionMatrix shown = r.options.heads ? m : mean_of_heads(m);
  for (std::int64_t h = 0; h < shown.heads; ++h) {
    const std::string name = r.options.heads ? l.name + ".head" + std::to_string(h) : l.name;
    out.maps.push_back({name, l.grid, received(shown, h, l.prefix)});
  }
}

// A gate of places with several channels is shown by its mean.
void add_spatial(Explanation& out, const Layer& l, const Tensor& value) {
  const Activations a = activations_of(value, l);
  Map map{l.name, l.grid, {}};
  for (std::int64_t cell = 0; cell < a.cells; ++cell) {
    double sum = 0;
    for (std::int64_t c = 0; c < a.channels; ++c) sum += a.at(cell, c);
    map.values.push_back(sum / static_cast<double>(a.channels));
  }
  out.maps.push_back(std::move(map));
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

Explanation attention(const Request& r) {
  const Network::Values v = r.network.values(r.x, glob_of(r.layers));
  Explanation out;
  for (const Layer& l : r.layers) {
    const Tensor value = find_kept(v.taps, l.name).to(DType::f32);
    if (l.kind == LayerKind::attention || l.kind == LayerKind::received) add_attention(out, r, l, value);
    else if (l.kind == LayerKind::spatial) add_spatial(out, l, value);
    else out.bars.push_back({l.name, value.values()});
  }
  return out;
}

}  // namespace fovea::explain
