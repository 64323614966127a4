// The dynamic pointing decoder of Xiong et al. 2016, arXiv:1611.01604: an LSTM reads the rows where the answer is thought to
// start and end, and two maxout highways score every row anew, as atulkum's: r = tanh(W [h; u_s; u_e]), m1 = max over p of W1 [u;
// r], m2 = max over p of W2 m1, score = max over p of W3 [m1; m2]. A sample whose place has not moved since the last step is
// done: it counts no further. The end's r sees u_s of the start that was just found (as the code has it), or of the last step's
// (the paper).
// Inputs: U N x m x 2D, then, absent or not: booleans N x m (true: a word, the first ones of a row), spans N x 2 (s64: first and
// last row of the answer).
// Results: start and end, N each; with spans the loss before them (one number): the mean over steps and samples of both
// cross-entropies, each of which is a mean over the batch that counts for the samples that still move.
// Parameters decoder: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0; maxout_start, maxout_end: r.weight; m_t_1_mxp,
// m_t_2_mxp, m_t_12_mxp: weight, bias.
// Taps "start", "end": N x 1 x steps x m, the distributions of every step.
#include "modules/nn/constant.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/recurrent.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/choose.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/take.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

class Highway {
 public:
  Highway(const Scope& s, std::int64_t width, std::int64_t pool)
      : width_(width),
        pool_(pool),
        r_(s / "r", {.in = 5 * width, .out = width, .bias = false}),
        first_(s / "m_t_1_mxp", {.in = 3 * width, .out = width * pool}),
        second_(s / "m_t_2_mxp", {.in = width, .out = width * pool}),
        last_(s / "m_t_12_mxp", {.in = 2 * width, .out = pool}) {}
  // N x m.
  Var operator()(const Var& u, const Var& h, const Var& ends) const {
    const std::int64_t n = u.dim(0), m = u.dim(1);
    const Var r = expand(reshape(tanh(r_(concat({h, ends}, 1))), {n, 1, width_}), {n, m, width_});
    const Var a = maxout(first_(concat({u, r}, 2)), width_), b = maxout(second_(a), width_);
    return reshape(maxout(last_(concat({a, b}, 2)), 1), {n, m});
  }

 private:
  Var maxout(const Var& x, std::int64_t units) const { return max(reshape(x, {x.dim(0), x.dim(1), units, pool_}), {3}, false); }

  std::int64_t width_, pool_;
  Linear r_, first_, second_, last_;
};

// One end of the answer, step by step: `at` is where it is thought to be, 1 there; `moves` (N x 1) 1 for the samples that still
// moved.
struct End {
  const Highway& score;
  Var target;  // undefined without spans
  Var at, moves = {}, loss = {};
  Vars places = {}, moved = {}, distributions = {};

  void step(const Var& u, const Var& h, const Var& ends, const Var& hidden) {
    const Var scores = score(u, h, ends), p = log_softmax(hidden.defined() ? scores + hidden : scores, 1);
    Var chosen = one_hot_max(p);
    if (moves.defined()) {
      const Var stopped = scale(moves, -1, 1) * pad(scale(slice(chosen, 1, 0, 1), 0, 1), {0, 0}, {0, chosen.dim(1) - 1});
      chosen = moves * chosen + stopped, at = moves * at + stopped;  // what is done points to row 0
      moves = scale(sum(chosen * at, {1}), -1, 1);
    } else {
      moves = scale(sum(chosen, {1}), 0, 1);
    }
    at = chosen;
    places.push_back(chosen), moved.push_back(moves), distributions.push_back(reshape(exp(p), {p.dim(0), 1, 1, p.dim(1)}));
    if (!target.defined()) return;
    const Var entropy = scale(mean(sum(target * p, {1}), {0}), -1) * moves;
    loss = loss.defined() ? loss + entropy : entropy;
  }

  // The row of the last step that moved, N.
  Var place() const {
    Var last;
    for (std::size_t t = 0; t < places.size(); ++t) {
      const Var until = t + 1 < moved.size() ? moved[t] - moved[t + 1] : moved[t];
      last = last.defined() ? last + until * places[t] : until * places[t];
    }
    std::vector<float> rows;
    for (std::int64_t i = 0; i < last.dim(1); ++i) rows.push_back(static_cast<float>(i));
    return sum(last * constant_like(Tensor::from(rows, {1, last.dim(1)}), last), {1}, false);
  }
};

class DynamicDecoder final : public Block {
 public:
  DynamicDecoder(const Scope& s, std::int64_t width, std::int64_t pool, int steps, bool new_start)
      : Block(s),
        lstm_(remembering(s / "decoder", width, {"_l0"}), 4 * width, width, true, "_l0"),
        start_(s / "maxout_start", width, pool),
        end_(s / "maxout_end", width, pool),
        steps_(steps),
        new_start_(new_start) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty() && in.size() <= 3 && in[0].shape().rank() == 3, "expected rows N x m x 2D, perhaps a mask and spans");
    const Var& u = in[0];
    const std::int64_t n = u.dim(0), m = u.dim(1);
    const Var words = word_mask(u, in.size() > 1 ? in[1] : Var()), spans = in.size() > 2 ? in[2] : Var();
    check(!spans.defined() || spans.shape() == Shape{n, 2}, "expected spans ", Shape{n, 2}, ", got ",
          spans.defined() ? spans.shape() : Shape{});
    const Var hidden = scale(words, 1e30, -1e30);
    const Var first = pad(slice(words, 1, 0, 1), {0, 0}, {0, m - 1});
    const Var last = words - pad(slice(words, 1, 1, m), {0, 0}, {0, 1});
    End start{start_, target(spans, 0, words), first}, end{end_, target(spans, 1, words), last};
    LstmState state = lstm_.start(n);
    for (int t = 0; t < steps_; ++t) {
      const Var u_e = row(u, end.at), ends = concat({row(u, start.at), u_e}, 1);
      state = lstm_(ends, state);
      start.step(u, state.h, ends, hidden);
      end.step(u, state.h, new_start_ ? concat({row(u, start.at), u_e}, 1) : ends, hidden);
    }
    tap("start", concat(start.distributions, 2));
    tap("end", concat(end.distributions, 2));
    if (!spans.defined()) return {start.place(), end.place()};
    return {scale(mean(start.loss + end.loss, {0, 1}, false), 1.0 / steps_), start.place(), end.place()};
  }

 private:
  // N x m of 1 and 0.
  static Var word_mask(const Var& u, const Var& keep) {
    const Var ones = scale(reshape(slice(u, 2, 0, 1), {u.dim(0), u.dim(1)}), 0, 1);
    if (!keep.defined()) return ones;
    check(keep.shape() == ones.shape(), "expected a mask ", ones.shape(), ", got ", keep.shape());
    return where(keep, ones, scale(ones, 0));
  }
  static Var row(const Var& u, const Var& at) {
    return reshape(matmul(reshape(at, {u.dim(0), 1, u.dim(1)}), u), {u.dim(0), u.dim(2)});
  }
  // 1 at the row that is to be found.
  static Var target(const Var& spans, std::int64_t column, const Var& like) {
    if (!spans.defined()) return {};
    const std::int64_t m = like.dim(1);
    Tensor rows = Tensor::zeros({m, m});
    for (std::int64_t i = 0; i < m; ++i) rows.data<float>()[i * m + i] = 1;
    return embedding(constant_like(rows, like), reshape(slice(spans, 1, column, column + 1), {like.dim(0)}));
  }

  LstmCell lstm_;
  Highway start_, end_;
  int steps_;
  bool new_start_;
};

}  // namespace

FOVEA_SEQUENCES(dynamic_decoder, "points to the start and end of an answer, and looks again",
                "Xiong et al. 2016, arXiv:1611.01604") {
  const int pool = args.get("maxout_pool_size", 16, "linear pieces of each maxout unit"),
            steps = args.get("max_dec_steps", 4, "looks");
  check(pool > 0 && steps > 0, "dynamic_decoder: expected maxout_pool_size and max_dec_steps >= 1, got ", pool, " and ", steps);
  const std::string sees =
      args.get("end_sees", "new", "whose start the end is scored with: new, that of the same look; old, of the last");
  check(sees == "new" || sees == "old", "dynamic_decoder: expected end_sees new or old, got '", sees, "'");
  return std::make_unique<DynamicDecoder>(scope, channels, pool, steps, sees == "new");
}

}  // namespace fovea
