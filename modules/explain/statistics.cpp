#include "modules/explain/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "modules/explain/activations.hpp"

namespace fovea::explain {
namespace {

double total_of(std::span<const double> p) {
  double sum = 0;
  for (const double v : p) sum += v;
  return sum;
}

// -x log x, whose limit at 0 is 0. Gates and rounding may leave a small negative weight: it counts as none.
double surprise(double x) { return x > 0 ? -x * std::log(x) : 0; }

// Mean over queries of the attention-weighted distance in input pixels.
double distance_of(const AttentionMatrix& m, std::int64_t head, std::int64_t prefix, const Grid& queries, const Grid& keys) {
  double sum = 0;
  for (std::int64_t q = prefix; q < m.queries; ++q) {
    const auto row = m.row(head, q).subspan(static_cast<std::size_t>(prefix));
    const std::int64_t place = q - prefix;
    double weighted = 0, total = 0;
    for (std::size_t k = 0; k < row.size(); ++k) {
      const auto at = static_cast<std::int64_t>(k);
      const double dy = keys.start_y + static_cast<double>(at / keys.width) * keys.stride_y - queries.start_y -
                        static_cast<double>(place / queries.width) * queries.stride_y;
      const double dx = keys.start_x + static_cast<double>(at % keys.width) * keys.stride_x - queries.start_x -
                        static_cast<double>(place % queries.width) * queries.stride_x;
      weighted += row[k] * std::hypot(dy, dx);
      total += row[k];
    }
    if (total > 0) sum += weighted / total;
  }
  return sum / static_cast<double>(m.queries - prefix);
}

// The raster of queries: that of the keys, made finer where keys were thinned out.
Grid query_grid(const Layer& l, std::int64_t queries) {
  const auto r = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>((queries - l.prefix) / l.grid.cells()))));
  if (r <= 1) return l.grid;
  const auto f = static_cast<double>(r);
  Grid g = l.grid;
  g.height *= r, g.width *= r;
  g.stride_y /= f, g.stride_x /= f;
  g.start_y -= (f - 1) / 2 * g.stride_y, g.start_x -= (f - 1) / 2 * g.stride_x;
  return g;
}

// A square window's own raster; nothing for other shapes.
bool window_grid(const Layer& l, std::int64_t positions, Grid& g) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(positions))));
  if (side * side != positions) return false;
  g = {side, side, 0, 0, l.grid.stride_y, l.grid.stride_x, l.grid.exact};
  return true;
}

void add_matrix(std::vector<HeadStatistics>& heads, const AttentionMatrix& m, const Layer& l) {
  Grid keys = l.grid, queries = l.grid;
  bool placed = true;
  if (l.kind == LayerKind::windows) placed = window_grid(l, m.keys, keys), queries = keys;
  else queries = query_grid(l, m.queries);
  const auto rows = static_cast<double>(m.queries);
  for (std::int64_t h = 0; h < m.heads; ++h) {
    double spread = 0, even = 0, other = 0;
    for (std::int64_t q = 0; q < m.queries; ++q) {
      spread += entropy(m.row(h, q)) / rows;
      even += kl_from_uniform(m.row(h, q)) / rows;
      for (std::int64_t o = 0; o < m.heads; ++o)
        if (o != h) other += js_divergence(m.row(h, q), m.row(o, q)) / rows / static_cast<double>(m.heads - 1);
    }
    HeadStatistics& to = heads[static_cast<std::size_t>(h)];
    to.entropy.add(spread);
    to.from_uniform.add(even);
    if (m.heads > 1) to.to_others.add(other);
    if (placed && m.queries > 1) to.distance.add(distance_of(m, h, l.prefix, queries, keys));
  }
}

nlohmann::ordered_json number(const Mean& m) {
  if (m.count() == 0) return nullptr;
  return {{"mean", m.mean()}, {"std", m.stddev()}};
}

std::string cell(const Mean& m) { return m.count() > 0 ? fmt::format("{:.6g},{:.6g}", m.mean(), m.stddev()) : ","; }

}  // namespace

double entropy(std::span<const double> p) {
  const double total = total_of(p);
  double sum = 0;
  for (const double v : p) sum += total > 0 ? surprise(v / total) : 0;
  return sum;
}

double kl_from_uniform(std::span<const double> p) { return std::log(static_cast<double>(p.size())) - entropy(p); }

double js_divergence(std::span<const double> p, std::span<const double> q) {
  check(p.size() == q.size(), "js_divergence: expected two distributions of one size, got ", p.size(), " and ", q.size());
  const double of_p = total_of(p), of_q = total_of(q);
  if (!(of_p > 0) || !(of_q > 0)) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double a = p[i] / of_p, b = q[i] / of_q;
    sum += surprise((a + b) / 2) - (surprise(a) + surprise(b)) / 2;
  }
  return std::max(0.0, sum);
}

double Mean::stddev() const {
  if (count_ < 2) return 0;
  const double m = mean();
  return std::sqrt(std::max(0.0, squares_ / static_cast<double>(count_) - m * m));
}

std::vector<HeadStatistics>& Statistics::heads_of(const Layer& layer, std::size_t heads, std::int64_t positions) {
  auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.layer == layer.name; });
  if (at == entries_.end()) {
    entries_.push_back({layer.name, layer.kind, positions, std::vector<HeadStatistics>(heads)});
    at = entries_.end() - 1;
  }
  check(at->heads.size() == heads && at->positions == positions, layer.name, ": expected ", at->heads.size(), " heads over ",
        at->positions, " positions as before, got ", heads, " over ", positions);
  return at->heads;
}

void Statistics::add(const Layer& layer, const Tensor& value) {
  if (layer.kind == LayerKind::spatial) {
    const Activations a = activations_of(value, layer);
    HeadStatistics& to = heads_of(layer, 1, a.cells)[0];
    std::vector<double> gate;
    for (std::int64_t i = 0; i < a.cells; ++i) gate.push_back(a.at(i, 0));
    to.entropy.add(entropy(gate));
    to.from_uniform.add(kl_from_uniform(gate));
    return;
  }
  check(layer.kind == LayerKind::attention || layer.kind == LayerKind::received || layer.kind == LayerKind::windows, layer.name,
        ": statistics are of attention and of gates of positions");
  const std::int64_t parts = layer.kind == LayerKind::windows ? value.dim(0) : 1;
  for (std::int64_t i = 0; i < parts; ++i) {
    const AttentionMatrix m = attention_matrix(value, i);
    add_matrix(heads_of(layer, static_cast<std::size_t>(m.heads), m.keys), m, layer);
  }
}

void Statistics::add(const ForwardFunction& network, const Tensor& x, const std::vector<Layer>& layers) {
  const ForwardFunction::Values v = network.values(x, glob_of(layers));
  for (const Layer& l : layers) add(l, find_kept(v.taps, l.name));
}

std::vector<Statistics::Row> Statistics::rows() const {
  std::vector<Row> out;
  for (const Entry& e : entries_)
    for (std::size_t h = 0; h < e.heads.size(); ++h)
      out.push_back({e.layer, static_cast<std::int64_t>(h), e.kind, e.positions, e.heads[h]});
  return out;
}

std::string Statistics::csv() const {
  std::string text =
      "layer,head,kind,positions,samples,entropy,entropy_std,distance_px,distance_px_std,kl_from_uniform,kl_from_"
      "uniform_std,"
      "js_to_other_heads,js_to_other_heads_std\n";
  for (const Row& r : rows())
    text += fmt::format("{},{},{},{},{},{},{},{},{}\n", r.layer, r.head, name_of(r.kind), r.positions, r.values.entropy.count(),
                        cell(r.values.entropy), cell(r.values.distance), cell(r.values.from_uniform), cell(r.values.to_others));
  return text;
}

std::string Statistics::json(const std::map<std::string, std::string>& facts) const {
  nlohmann::ordered_json j;
  for (const auto& [key, value] : facts) j[key] = value;
  j["units"] = {{"entropy", "nats"}, {"distance", "input pixels"}, {"kl_from_uniform", "nats"}, {"js_to_other_heads", "nats"}};
  j["heads"] = nlohmann::ordered_json::array();
  for (const Row& r : rows())
    j["heads"].push_back({{"layer", r.layer},
                          {"head", r.head},
                          {"kind", name_of(r.kind)},
                          {"positions", r.positions},
                          {"samples", r.values.entropy.count()},
                          {"entropy", number(r.values.entropy)},
                          {"distance", number(r.values.distance)},
                          {"kl_from_uniform", number(r.values.from_uniform)},
                          {"js_to_other_heads", number(r.values.to_others)}});
  return j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace fovea::explain
