#include "modules/nn/recurrent.hpp"

#include <algorithm>

#include "modules/autograd/tap.hpp"
#include "modules/nn/constant.hpp"
#include "modules/nn/norms.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

Var parameter(const Scope& s, const std::string& name, const Shape& shape, std::int64_t hidden) {
  check(hidden > 0 && shape[shape.rank() - 1] > 0, s.path(), ": recurrent: expected sizes of at least 1, got ", name, " of ",
        shape);
  return s.param(name, shape, init::fan_in_uniform(hidden));
}

Var zeros(std::int64_t batch, std::int64_t hidden, const Var& like) {
  return constant_like(Tensor::zeros({batch, hidden}), like);
}

// One step of a sequence that has ended for some samples: these keep their old value.
class Ended {
 public:
  Ended(const Lengths& lengths, std::int64_t step) {
    const auto count = static_cast<std::int64_t>(lengths.size());
    running_ = Tensor::empty({std::max<std::int64_t>(1, count), 1}, DType::boolean);
    for (std::int64_t n = 0; n < count; ++n) {
      running_.data<bool>()[n] = step < lengths[static_cast<std::size_t>(n)];
      any_ |= !running_.data<bool>()[n];
    }
  }
  Var keep(const Var& fresh, const Var& old) const { return any_ ? where(Var(running_), fresh, old) : fresh; }
  Var hide(const Var& y) const { return any_ ? masked_fill(y, Var(stopped()), 0) : y; }

 private:
  Tensor stopped() const {
    Tensor t = Tensor::empty(running_.shape(), DType::boolean);
    for (std::int64_t i = 0; i < t.size(); ++i) t.data<bool>()[i] = !running_.data<bool>()[i];
    return t;
  }
  Tensor running_;
  bool any_ = false;
};

void check_sequences(const Var& x, std::int64_t in, const Lengths& lengths) {
  check(x.shape().rank() == 3 && x.dim(2) == in && x.dim(1) > 0, "recurrent: expected sequences N x T x ", in, ", got ",
        x.shape());
  check(lengths.empty() || static_cast<std::int64_t>(lengths.size()) == x.dim(0), "recurrent: expected ", x.dim(0),
        " lengths, got ", lengths.size());
  for (const std::int64_t n : lengths)
    check(n > 0 && n <= x.dim(1), "recurrent: expected lengths from 1 to ", x.dim(1), ", got ", n);
}

// x with zeros past each sequence's end: what lies there, even NaN, must reach no gradient.
Var without_padding(const Var& x, const Lengths& lengths) {
  if (std::all_of(lengths.begin(), lengths.end(), [&](std::int64_t n) { return n == x.dim(1); })) return x;
  Tensor past = Tensor::full({x.dim(0), x.dim(1), 1}, 1, DType::boolean);
  for (std::int64_t n = 0; n < x.dim(0); ++n) past.slice(0, n, n + 1).slice(1, 0, lengths[static_cast<std::size_t>(n)]).fill(0);
  return masked_fill(x, Var(past), 0);
}

Vars steps_of(const Var& x) {
  Vars steps = split(x, 1, std::vector<std::int64_t>(static_cast<std::size_t>(x.dim(1)), 1));
  for (Var& s : steps) s = reshape(s, {x.dim(0), x.dim(2)});
  return steps;
}

Var joined(const Vars& steps) {
  Vars parts;
  for (const Var& s : steps) parts.push_back(reshape(s, {s.dim(0), 1, s.dim(1)}));
  return concat(parts, 1);
}

Var row(const Var& states, std::size_t i) {
  const auto at = static_cast<std::int64_t>(i);
  return reshape(slice(states, 0, at, at + 1), {states.dim(1), states.dim(2)});
}

Var stacked(const Vars& states) {
  Vars parts;
  for (const Var& s : states) parts.push_back(reshape(s, {1, s.dim(0), s.dim(1)}));
  return concat(parts, 0);
}

// step(t, ended) for every element in the direction's order, its output of step t hidden past the end.
template <class Step>
Var along(std::int64_t steps, bool backwards, const Lengths& lengths, const Step& step) {
  Vars outputs(static_cast<std::size_t>(steps));
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t t = backwards ? steps - 1 - i : i;
    const Ended ended(lengths, t);
    outputs[static_cast<std::size_t>(t)] = ended.hide(step(static_cast<std::size_t>(t), ended));
  }
  return joined(outputs);
}

std::string suffix_of(std::int64_t layer, bool backwards) { return "_l" + std::to_string(layer) + (backwards ? "_reverse" : ""); }

template <class Cell>
std::vector<Cell> cells_of(const Scope& s, const RecurrentOptions& o) {
  check(o.layers > 0, s.path(), ": recurrent: expected at least one layer, got ", o.layers);
  const std::int64_t directions = o.bidirectional ? 2 : 1;
  std::vector<Cell> cells;
  for (std::int64_t l = 0; l < o.layers; ++l)
    for (std::int64_t d = 0; d < directions; ++d)
      cells.emplace_back(s, l == 0 ? o.in : directions * o.hidden, o.hidden, o.bias, suffix_of(l, d == 1));
  return cells;
}

// direction(cell index, input, backwards) gives the outputs of one direction; layers follow one another.
template <class Direction>
Var through_layers(const RecurrentOptions& o, Var x, const Direction& direction) {
  std::size_t cell = 0;
  for (std::int64_t l = 0; l < o.layers; ++l) {
    if (l > 0) x = Dropout(o.dropout)(x);
    Vars both{direction(cell++, x, false)};
    if (o.bidirectional) both.push_back(direction(cell++, x, true));
    x = both.size() == 1 ? both[0] : concat(both, 2);
  }
  return x;
}

}  // namespace

RecurrentCell::RecurrentCell(const Scope& s, std::int64_t gates, std::int64_t in, std::int64_t hidden, bool bias,
                             const std::string& suffix)
    : weight_ih(parameter(s, "weight_ih" + suffix, {gates * hidden, in}, hidden)),
      weight_hh(parameter(s, "weight_hh" + suffix, {gates * hidden, hidden}, hidden)),
      bias_ih(bias ? parameter(s, "bias_ih" + suffix, {gates * hidden}, hidden) : Var()),
      bias_hh(bias ? parameter(s, "bias_hh" + suffix, {gates * hidden}, hidden) : Var()),
      path_(s.path()),
      hidden_(hidden) {}

Var RecurrentCell::projected(const Var& x) const {
  PathScope where(path_);
  return linear(x, weight_ih, bias_ih);
}

LstmCell::LstmCell(const Scope& s, std::int64_t in, std::int64_t hidden, bool bias, const std::string& suffix)
    : RecurrentCell(s, 4, in, hidden, bias, suffix) {}

LstmState LstmCell::step(const Var& projected, const LstmState& state) const {
  PathScope where(path_);
  const Vars gates = split(projected + linear(state.h, weight_hh, bias_hh), 1, {hidden_, hidden_, hidden_, hidden_});
  const Var c = sigmoid(gates[1]) * state.c + sigmoid(gates[0]) * tanh(gates[2]);
  return {sigmoid(gates[3]) * tanh(c), c};
}

LstmState LstmCell::start(std::int64_t batch) const {
  return {zeros(batch, hidden_, weight_hh), zeros(batch, hidden_, weight_hh)};
}

GruCell::GruCell(const Scope& s, std::int64_t in, std::int64_t hidden, bool bias, const std::string& suffix)
    : RecurrentCell(s, 3, in, hidden, bias, suffix) {}

Var GruCell::step(const Var& projected, const Var& h) const {
  PathScope where(path_);
  const std::vector<std::int64_t> sizes{hidden_, hidden_, hidden_};
  const Vars x = split(projected, 1, sizes), old = split(linear(h, weight_hh, bias_hh), 1, sizes);
  const Var z = sigmoid(x[1] + old[1]), n = tanh(x[2] + sigmoid(x[0] + old[0]) * old[2]);
  return n + z * (h - n);
}

Var GruCell::start(std::int64_t batch) const { return zeros(batch, hidden_, weight_hh); }

Lstm::Lstm(const Scope& scope, const RecurrentOptions& options) : cells_(cells_of<LstmCell>(scope, options)), o_(options) {}

LstmResult Lstm::operator()(const Var& x, const Lengths& lengths, const LstmState& start) const {
  check_sequences(x, o_.in, lengths);
  Vars h(cells_.size()), c(cells_.size());
  const Var output = through_layers(o_, without_padding(x, lengths), [&](std::size_t i, const Var& input, bool backwards) {
    const Vars steps = steps_of(cells_[i].projected(input));
    LstmState state = start.h.defined() ? LstmState{row(start.h, i), row(start.c, i)} : cells_[i].start(x.dim(0));
    const Var y = along(x.dim(1), backwards, lengths, [&](std::size_t t, const Ended& ended) {
      const LstmState fresh = cells_[i].step(steps[t], state);
      state = {ended.keep(fresh.h, state.h), ended.keep(fresh.c, state.c)};
      return state.h;
    });
    h[i] = state.h, c[i] = state.c;
    return y;
  });
  return {output, stacked(h), stacked(c)};
}

Scope remembering(const Scope& scope, std::int64_t hidden, const std::vector<std::string>& suffixes) {
  const Init gates = [hidden](Tensor& t, Random&) {
    t.fill(0);
    t.slice(0, hidden, 2 * hidden).fill(1);
  };
  for (const std::string& suffix : suffixes)
    for (const char* name : {"bias_ih", "bias_hh"}) scope.starting(name + suffix, {4 * hidden}, gates);
  return scope;
}

Gru::Gru(const Scope& scope, const RecurrentOptions& options) : cells_(cells_of<GruCell>(scope, options)), o_(options) {}

GruResult Gru::operator()(const Var& x, const Lengths& lengths, const Var& start) const {
  check_sequences(x, o_.in, lengths);
  Vars h(cells_.size());
  const Var output = through_layers(o_, without_padding(x, lengths), [&](std::size_t i, const Var& input, bool backwards) {
    const Vars steps = steps_of(cells_[i].projected(input));
    Var state = start.defined() ? row(start, i) : cells_[i].start(x.dim(0));
    const Var y = along(x.dim(1), backwards, lengths, [&](std::size_t t, const Ended& ended) {
      state = ended.keep(cells_[i].step(steps[t], state), state);
      return state;
    });
    h[i] = state;
    return y;
  });
  return {output, stacked(h)};
}

}  // namespace fovea
