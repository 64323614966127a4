// LSTM and GRU against their formulas in plain loops of doubles; sequences of different lengths; embeddings; scheduled sampling.
#include "modules/nn/recurrent.hpp"

#include <cmath>

#include "modules/autograd/apply.hpp"
#include "modules/nn/embedding.hpp"
#include "modules/nn/scheduled_sampling.hpp"
#include "modules/ops/slice.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::test;
using V = std::vector<double>;

namespace {

double squash(double x) { return 1 / (1 + std::exp(-x)); }

struct F64 {
  Precision precision{DType::f64};
};

void randomise(ParamStore& store) {
  std::uint64_t seed = 20;
  store.to(DType::f64);
  for (const auto& e : store.entries()) Var(e.value).set_value(random_tensor(e.value.shape(), ++seed, 0, 0.4));
}

// W x + b of a row.
V affine(const ParamStore& store, const std::string& weight, const std::string& bias, const V& x) {
  const V w = store.find(weight)->value.value().values(), b = store.find(bias)->value.value().values();
  V y = b;
  for (std::size_t o = 0; o < y.size(); ++o)
    for (std::size_t i = 0; i < x.size(); ++i) y[o] += w[o * x.size() + i] * x[i];
  return y;
}

struct State {
  V h, c;
};

// One step by the formula; `at` is the suffix of the parameters.
State naive_lstm(const ParamStore& store, const std::string& at, const V& x, const State& s) {
  const V a = affine(store, "net.weight_ih" + at, "net.bias_ih" + at, x),
          b = affine(store, "net.weight_hh" + at, "net.bias_hh" + at, s.h);
  const std::size_t n = s.h.size();
  State next{V(n), V(n)};
  for (std::size_t i = 0; i < n; ++i) {
    const auto gate = [&](std::size_t g) { return a[g * n + i] + b[g * n + i]; };
    next.c[i] = squash(gate(1)) * s.c[i] + squash(gate(0)) * std::tanh(gate(2));
    next.h[i] = squash(gate(3)) * std::tanh(next.c[i]);
  }
  return next;
}

State naive_gru(const ParamStore& store, const std::string& at, const V& x, const State& s) {
  const V a = affine(store, "net.weight_ih" + at, "net.bias_ih" + at, x),
          b = affine(store, "net.weight_hh" + at, "net.bias_hh" + at, s.h);
  const std::size_t n = s.h.size();
  State next{V(n), {}};
  for (std::size_t i = 0; i < n; ++i) {
    const double r = squash(a[i] + b[i]), z = squash(a[n + i] + b[n + i]), m = std::tanh(a[2 * n + i] + r * b[2 * n + i]);
    next.h[i] = (1 - z) * m + z * s.h[i];
  }
  return next;
}

// Two layers, both directions, of one sequence: rows of 2H.
template <class Step>
std::vector<V> naive(const Step& step, std::vector<V> rows, std::size_t hidden) {
  for (const char* layer : {"_l0", "_l1"}) {
    std::vector<V> out(rows.size());
    State forwards{V(hidden), V(hidden)}, backwards = forwards;
    for (std::size_t t = 0; t < rows.size(); ++t) out[t] = (forwards = step(layer, rows[t], forwards)).h;
    for (std::size_t t = rows.size(); t-- > 0;) {
      backwards = step(std::string(layer) + "_reverse", rows[t], backwards);
      out[t].insert(out[t].end(), backwards.h.begin(), backwards.h.end());
    }
    rows = out;
  }
  return rows;
}

std::vector<V> rows_of(const Tensor& x, std::int64_t n, std::int64_t length) {
  std::vector<V> rows;
  for (std::int64_t t = 0; t < length; ++t) rows.push_back(x.slice(0, n, n + 1).slice(1, t, t + 1).values());
  return rows;
}

void close(const V& a, const V& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-12);
}

const RecurrentOptions kTwoLayers{.in = 3, .hidden = 4, .layers = 2, .bidirectional = true};

}  // namespace

TEST_CASE("lstm and gru are their formulas, in two layers and both directions, each sequence as if it were alone") {
  const F64 f64;
  const Lengths lengths{5, 2, 1};
  const Tensor x = random_tensor({3, 5, 3}, 1);
  for (const bool gru : {false, true}) {
    auto store = std::make_shared<ParamStore>(3);
    const Scope scope = Scope(store) / "net";
    std::optional<Lstm> lstm;
    std::optional<Gru> other;
    if (gru) other.emplace(scope, kTwoLayers);
    else lstm.emplace(scope, kTwoLayers);
    randomise(*store);
    const Tensor y = gru ? (*other)(Var(x), lengths).output.value() : (*lstm)(Var(x), lengths).output.value();
    const Tensor h = gru ? (*other)(Var(x), lengths).h.value() : (*lstm)(Var(x), lengths).h.value();
    CHECK(y.shape() == Shape{3, 5, 8});
    CHECK(h.shape() == Shape{4, 3, 4});
    const auto step = [&](const std::string& at, const V& row, const State& s) {
      return gru ? naive_gru(*store, at, row, s) : naive_lstm(*store, at, row, s);
    };
    for (std::int64_t n = 0; n < 3; ++n) {
      const std::int64_t length = lengths[static_cast<std::size_t>(n)];
      const auto want = naive(step, rows_of(x, n, length), 4), got = rows_of(y, n, 5);
      for (std::int64_t t = 0; t < 5; ++t)
        close(got[static_cast<std::size_t>(t)], t < length ? want[static_cast<std::size_t>(t)] : V(8, 0.0));
      // The last state: forwards that of the last element, backwards that of the first, of the upper layer.
      V last(want.back().begin(), want.back().begin() + 4), first(want.front().begin() + 4, want.front().end());
      close(h.slice(0, 2, 3).slice(1, n, n + 1).values(), last);
      close(h.slice(0, 3, 4).slice(1, n, n + 1).values(), first);
    }
  }
}

TEST_CASE("lstm: what lies past a sequence's end matters neither to results nor to gradients") {
  const F64 f64;
  auto store = std::make_shared<ParamStore>(3);
  const Lstm lstm(Scope(store) / "net", kTwoLayers);
  randomise(*store);
  Tensor x = random_tensor({2, 5, 3}, 1);
  x.slice(0, 1, 2).slice(1, 3, 5).fill(std::nan(""));
  const Lengths lengths{5, 3};
  const Tensor seed = random_tensor({2, 5, 8}, 2);
  std::vector<V> grads;
  Var both(x, true);
  lstm(both, lengths).output.backward(seed);
  for (const auto& e : store->entries()) grads.push_back(e.value.grad().values());
  CHECK(both.grad().slice(0, 1, 2).slice(1, 3, 5).values() == V(6, 0.0));
  store->zero_grad();
  for (const std::int64_t n : {0, 1}) {
    const std::int64_t length = lengths[static_cast<std::size_t>(n)];
    const Var alone(x.slice(0, n, n + 1).slice(1, 0, length).clone());
    lstm(alone).output.backward(seed.slice(0, n, n + 1).slice(1, 0, length).clone());
  }
  for (std::size_t i = 0; i < grads.size(); ++i) close(grads[i], store->entries()[i].value.grad().values());
}

TEST_CASE("recurrent cells through the op harness") {
  const Tensors inputs{
      random_tensor({3, 4}, 1),         random_tensor({3, 2}, 2), random_tensor({3, 2}, 3), random_tensor({8, 4}, 4, 0, 0.4),
      random_tensor({8, 2}, 5, 0, 0.4), random_tensor({8}, 6),    random_tensor({8}, 7)};
  const auto bind = [](Var& parameter, const Var& given) { parameter = given; };
  check_op("lstm cell",
           [&](const Vars& v) {
             LstmCell cell(Scope(std::make_shared<ParamStore>()), 4, 2);
             bind(cell.weight_ih, v[3]), bind(cell.weight_hh, v[4]), bind(cell.bias_ih, v[5]), bind(cell.bias_hh, v[6]);
             const LstmState s = cell(v[0], {v[1], v[2]});
             return Vars{s.h, s.c};
           },
           inputs, {.parameters = {3, 4, 5, 6}, .bf16 = false, .strided = false, .conditioning = 8});
  check_op("gru cell",
           [&](const Vars& v) {
             GruCell cell(Scope(std::make_shared<ParamStore>()), 4, 2);
             bind(cell.weight_ih, v[2]), bind(cell.weight_hh, v[3]), bind(cell.bias_ih, v[4]), bind(cell.bias_hh, v[5]);
             return Vars{cell(v[0], v[1])};
           },
           {inputs[0], inputs[1], random_tensor({6, 4}, 4, 0, 0.4), random_tensor({6, 2}, 5, 0, 0.4), random_tensor({6}, 6),
            random_tensor({6}, 7)},
           {.parameters = {2, 3, 4, 5}, .bf16 = false, .strided = false, .conditioning = 8});
}

TEST_CASE("lstm: a sequence in two pieces, the state handed on; errors; forget gates that start open") {
  const F64 f64;
  auto store = std::make_shared<ParamStore>(3);
  const Lstm lstm(Scope(store) / "net", {.in = 3, .hidden = 4, .layers = 2});
  randomise(*store);
  const Var x(random_tensor({2, 6, 3}, 1));
  const LstmResult whole = lstm(x), first = lstm(slice(x, 1, 0, 2)), second = lstm(slice(x, 1, 2, 6), {}, {first.h, first.c});
  close(second.output.value().values(), whole.output.value().slice(1, 2, 6).values());
  close(second.c.value().values(), whole.c.value().values());
  CHECK(fails_with([&] { lstm(Var(Tensor::zeros({2, 6, 4}))); }, "expected sequences N x T x 3"));
  CHECK(fails_with([&] { lstm(x, {1}); }, "expected 2 lengths, got 1"));
  CHECK(fails_with([&] { lstm(x, {7, 1}); }, "expected lengths from 1 to 6, got 7"));
  auto open = std::make_shared<ParamStore>(3);
  const Lstm other(remembering(Scope(open), 2, {"_l0"}), {.in = 3, .hidden = 2});
  CHECK(open->find("bias_hh_l0")->value.value().values() == V{0, 0, 1, 1, 0, 0, 0, 0});
}

TEST_CASE("embedding and positions") {
  auto store = std::make_shared<ParamStore>(3);
  const Embedding words(Scope(store) / "words", {.count = 5, .width = 3, .padding = 1});
  const Var numbers(Tensor::from(std::vector<std::int64_t>{4, 1}, {1, 2}));
  const Var y = words(numbers);
  CHECK(y.shape() == Shape{1, 2, 3});
  CHECK(y.value().slice(1, 1, 2).values() == V{0, 0, 0});
  CHECK(fails_with([&] { words(Var(Tensor::from(std::vector<std::int64_t>{5}, {1}))); }, "expected indices from 0 to 4, got 5"));

  const V table = sinusoid_positions(3, 4, 2).values();
  CHECK(table[0] == Approx(std::sin(2.0)));
  CHECK(table[1] == Approx(std::cos(2.0)));
  CHECK(table[6] == Approx(std::sin(3.0 / 100)));
  CHECK(table[7] == Approx(std::cos(3.0 / 100)));
  const Var x(Tensor::zeros({1, 3, 4}));
  CHECK(Positions(Scope(store) / "a", Positions::Kind::sinusoid, 0, 4)(x, 2).value().values() == table);
  CHECK(Positions(Scope(store) / "b", Positions::Kind::none, 0, 4)(x).value().values() == V(12, 0.0));
  const Positions learned(Scope(store) / "c", Positions::Kind::learned, 6, 4);
  CHECK(learned(x, 2).value().values() == store->find("c.weight")->value.value().slice(0, 2, 5).values());
  CHECK(fails_with([&] { learned(x, 4); }, "expected at most 6 tokens, got 7"));
  CHECK(fails_with([] { positions_kind("rotary", "recipe"); },
                   "recipe: expected positions none, sinusoid or learned, got 'rotary'"));
}

TEST_CASE("scheduled sampling: the true words' share falls as the schedule says") {
  using Kind = SamplingSchedule::Kind;
  CHECK(SamplingSchedule{}.truth(1000) == 1);
  const SamplingSchedule linear{.kind = Kind::linear, .k = 1, .slope = 0.01, .least = 0.25};
  CHECK(linear.truth(10) == Approx(0.9));
  CHECK(linear.truth(1000) == 0.25);
  CHECK(SamplingSchedule{.kind = Kind::exponential, .k = 0.5}.truth(3) == Approx(0.125));
  CHECK(SamplingSchedule{.kind = Kind::inverse_sigmoid, .k = 10}.truth(0) == Approx(10.0 / 11));
  CHECK(sampling_kind("exponential") == Kind::exponential);
  CHECK(fails_with([] { sampling_kind("cosine"); }, "got 'cosine'"));
  const Tensor truth = Tensor::from(std::vector<std::int64_t>(4000, 1), {4000}),
               own = Tensor::from(std::vector<std::int64_t>(4000, 0), {4000});
  Random random(5);
  double share = 0;
  for (const double v : scheduled_words(truth, own, 0.7, random).values()) share += v / 4000;
  CHECK(share == Approx(0.7).margin(0.03));  // four standard deviations of a mean of 4000
  CHECK(scheduled_words(truth, own, 1, random).values() == truth.values());
  CHECK(scheduled_words(truth, own, 0, random).values() == own.values());
}
