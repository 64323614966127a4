// Monotonic multi-head attention, Ma et al. 2019, arXiv:1909.12406, as fairseq's: probabilities sigmoid(q k / sqrt(d) + b), alpha
// by the closed form with 1 - p + eps, clamped to [0, 1]; mass_preservation puts what is left of each row on its last entry.
//   kind hard               the values are weighed by alpha (MMA-H)
//   kind infinite_lookback  by a softmax over all entries so far, with projections of its own (MMA-IL, and MILk with one head)
//   kind waitk              the same with the monotonic projections; output i stops at entry i + lagging - 1 (Ma et al. 2018,
//   arXiv:1810.08398)
// mode hard: each output goes on from the last one's entry to the first with p >= 0.5, or with mass_preservation to the last one.
// Inputs: query N x L x C, key N x S x E; then, absent or not: value N x S x E (the key), booleans N x S (true: padding). Without
// batch_first sequences are L x N x C. Results: N x L x C, alpha N x heads x L x S. Parameters q_proj, k_proj, v_proj, out_proj,
// of infinite_lookback k_proj_soft, q_proj_soft: weight, bias; energy_bias (1) if wanted. Taps "p_choose", "alpha", "attention":
// N x heads x L x S.
#include <cmath>
#include <limits>
#include <optional>

#include "modules/attention/monotonic/alignment.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/constant.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/choose.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/cumsum.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity(), kHidden = 1e30;

struct Options {
  std::int64_t heads, kdim, lagging;
  bool lookback, waitk, preserves, at_end, energy_bias, batch_first, hard;
  double bias_init, eps, noise, dropout;
};

Linear projection(const Scope& s, std::int64_t in, std::int64_t out, bool same) {
  return {s, {.in = in, .out = out, .init = init::xavier_uniform(same ? 1 / std::sqrt(2.0) : 1.0)}};
}

class MonotonicMultiHead final : public Block {
 public:
  MonotonicMultiHead(const Scope& s, std::int64_t c, const Options& o)
      : Block(s),
        o_(o),
        query_(projection(s / "q_proj", c, c, o.kdim == c)),
        key_(projection(s / "k_proj", o.kdim, c, o.kdim == c)),
        value_(projection(s / "v_proj", o.kdim, c, o.kdim == c)),
        out_(s / "out_proj", {.in = c, .out = c, .init = init::xavier_uniform(), .bias_init = init::zeros()}),
        dropout_(o.dropout) {
    if (o.energy_bias) energy_bias_ = s.param("energy_bias", {1}, init::constant(o.bias_init));
    if (!o.lookback) return;
    key_soft_ = projection(s / "k_proj_soft", o.kdim, c, o.kdim == c);
    query_soft_ = projection(s / "q_proj_soft", c, c, o.kdim == c);
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() >= 2 && in.size() <= 4, "expected a query, a key and perhaps value and padding, got ", in.size(), " values");
    const Var query = turned(in[0]), key = turned(in[1]), value = in.size() > 2 && in[2].defined() ? turned(in[2]) : key;
    check(value.dim(1) == key.dim(1), "expected as many values as keys, ", key.dim(1), ", got ", value.dim(1));
    const std::int64_t n = key.dim(0), s = key.dim(1);
    Var padding;
    if (in.size() == 4) {
      check(in[3].shape() == Shape{n, s}, "expected padding ", Shape{n, s}, ", got ", in[3].shape());
      padding = reshape(in[3], {n, 1, 1, s});
    }
    const Var e = energy(query_(query), key_(key), padding);
    const Var p = tap("p_choose", o_.waitk ? diagonal(e) : sigmoid(noisy(e)));
    const Var alpha =
        tap("alpha", o_.hard ? places(p, padding) : preserved(closed_alignments(p, {}, fairseq_form(o_.eps)), padding));
    const Var w = tap("attention", weights(alpha, query, key, padding));
    return {turned(out_(join_heads(matmul(w, split_heads(value_(value), o_.heads))))), alpha};
  }

 private:
  Var turned(const Var& x) const {
    check(x.shape().rank() == 3, "expected sequences of rank 3, got ", x.shape());
    return o_.batch_first ? x : permute(x, {1, 0, 2});
  }

  Var energy(const Var& q, const Var& k, const Var& padding) const {
    const double factor = 1 / std::sqrt(static_cast<double>(q.dim(2) / o_.heads));
    Var e = matmul(split_heads(scale(q, factor), o_.heads), transposed(split_heads(k, o_.heads)));
    if (energy_bias_.defined()) e = e + energy_bias_;
    return padding.defined() ? masked_fill(e, padding, -kInfinite) : e;
  }
  Var noisy(const Var& e) const {
    if (!Training::active() || o_.noise <= 0) return e;
    Tensor noise = Tensor::empty(e.shape());
    Training::random().fill_normal(noise, 0, o_.noise);
    return e + constant_like(noise, e);
  }

  // 1 where output i stops after it has waited, for all heads.
  Var diagonal(const Var& e) const {
    Tensor t = Tensor::zeros({1, 1, e.dim(2), e.dim(3)});
    for (std::int64_t i = 0; i < e.dim(2) && i + o_.lagging <= e.dim(3); ++i)
      t.data<float>()[i * e.dim(3) + i + o_.lagging - 1] = 1;
    return expand(constant_like(t, out_.weight), e.shape());
  }

  // 1 at the last entry that is no padding: N x 1 x 1 x S.
  static Var last_entry(const Var& padding, const Var& like) {
    const auto number = [&](double v) { return constant_like(Tensor::full({1}, v), like); };
    const Var real = where(padding, number(0), number(1));
    return real * scale(clamp(cumsum(real, 3, {.exclusive = true, .reverse = true}), 0, 1), -1, 1);
  }

  Var preserved(const Var& alpha, const Var& padding) const {
    if (!o_.preserves) return alpha;
    if (padding.defined() && !o_.at_end) {
      const Var rest = scale(clamp(sum(alpha, {3}), 0, 1), -1, 1);
      return alpha + last_entry(padding, out_.weight) * rest;
    }
    const Var before = slice(alpha, 3, 0, alpha.dim(3) - 1);
    return concat({before, scale(clamp(sum(before, {3}), 0, 1), -1, 1)}, 3);
  }

  Var places(const Var& p, const Var& padding) const {
    const Var fires = at_least(p, 0.5);
    if (!o_.preserves) return hard_alignments(fires, {});
    Tensor end = Tensor::zeros({1, 1, 1, p.dim(3)});
    end.data<float>()[p.dim(3) - 1] = 1;
    return hard_alignments(
        maximum(fires, padding.defined() && !o_.at_end ? last_entry(padding, out_.weight) : constant_like(end, out_.weight)), {});
  }

  Var weights(const Var& alpha, const Var& query, const Var& key, const Var& padding) const {
    if (!o_.lookback && !o_.waitk) return alpha;
    const Var u =
        o_.waitk ? energy(query_(query), key_(key), padding) : energy((*query_soft_)(query), (*key_soft_)(key), padding);
    if (o_.hard) {  // everything up to the place; all of it where there is none
      const Var passed = cumsum(alpha, 3, {.exclusive = true});
      return softmax(u - scale(passed, kHidden), 3);
    }
    const Var e = exp(u - max(u, {3}));
    Var so_far = cumsum(e, 3);
    if (padding.defined()) so_far = masked_fill(so_far, padding, o_.eps);
    return dropout_(e * cumsum(alpha / so_far, 3, {.reverse = true}));
  }

  Options o_;
  Linear query_, key_, value_, out_;
  Dropout dropout_;
  std::optional<Linear> key_soft_, query_soft_;
  Var energy_bias_;
};

}  // namespace

FOVEA_SEQUENCES(monotonic_multi_head, "heads that read on, each for itself, as fairseq's", "Ma et al. 2019, arXiv:1909.12406") {
  Options o;
  o.heads = args.get("heads", 1, "attention heads; they divide the channels");
  o.kdim = args.get("kdim", static_cast<int>(channels), "channels of the keys and values");
  const std::string kind = args.get("kind", "infinite_lookback", "hard, infinite_lookback or waitk");
  check(kind == "hard" || kind == "infinite_lookback" || kind == "waitk",
        "monotonic_multi_head: expected kind hard, infinite_lookback or waitk, got '", kind, "'");
  o.lookback = kind == "infinite_lookback", o.waitk = kind == "waitk";
  o.lagging = args.get("lagging", 1, "with waitk: entries read before the first output");
  o.preserves = args.get("mass_preservation", true, "what is left of each row goes to its last entry");
  const std::string at = args.get(
      "mass_at", "real", "which entry is the last: real, that before the padding; end, padding or not, as fairseq has it");
  check(at == "real" || at == "end", "monotonic_multi_head: expected mass_at real or end, got '", at, "'");
  o.at_end = at == "end";
  o.energy_bias = args.get("energy_bias", false, "a trained offset of the energies");
  o.bias_init = args.get("energy_bias_init", -2.0, "that offset at first");
  o.eps = args.get("eps", 1e-6, "keeps the closed form from dividing by 0");
  o.noise = args.get("noise_std", 1.0, "of the noise on monotonic energies, in training");
  o.dropout = args.get("dropout", 0.0, "of the weights, in training");
  o.batch_first = args.get("batch_first", true, "sequences are N x L x C, not L x N x C");
  const std::string mode =
      args.get("mode", "parallel", "parallel (expectations, to train with) or hard (one place each, as in use)");
  check(mode == "parallel" || mode == "hard", "monotonic_multi_head: expected mode parallel or hard, got '", mode, "'");
  o.hard = mode == "hard";
  check(o.heads > 0 && channels % o.heads == 0, "monotonic_multi_head: expected heads that divide ", channels, " channels, got ",
        o.heads);
  check(o.kdim > 0 && o.lagging > 0, "monotonic_multi_head: expected kdim and lagging >= 1, got ", o.kdim, " and ", o.lagging);
  check(o.eps > 0 && o.eps < 1 && o.dropout >= 0 && o.dropout < 1,
        "monotonic_multi_head: expected eps in (0, 1) and dropout in [0, 1), got ", o.eps, " and ", o.dropout);
  return std::make_unique<MonotonicMultiHead>(scope, channels, o);
}

}  // namespace fovea
