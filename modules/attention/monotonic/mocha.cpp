// Monotonic attention with chunks and heads, as neural_sp's MoChA; one block for
//   chunk_size 1, one head    hard monotonic attention, Raffel et al. 2017, arXiv:1704.00784
//   chunk_size w > 1          MoChA, Chiu & Raffel 2017, arXiv:1712.05382
//   chunk_size -1             MILk, infinite lookback, Arivazhagan et al. 2019, arXiv:1906.05218
//   heads_mono > 1            MMA, Ma et al. 2019, arXiv:1909.12406, with heads_chunk chunks a head (Inaguma et al. 2020,
//   arXiv:2005.09394)
// alpha by the closed form with probabilities sigmoid(energy + noise) (alignment.hpp); beta by windows over exp(u - max u), at
// least 1e-5.
// mode hard: each output takes the first entry from the last one on whose probability is 0.5 or more, or none, and a softmax over
// the chunk that ends there. While some head of the batch fires, the chunk of one that does not is everything, as published; else
// it is nothing.
// Inputs: key N x S x E, query N x L x D; then, absent or not: value N x S x E (the key), booleans N x S or N x L x S (true: may
// attend), the alignment before the first output N x heads_mono x 1 x S. Results: context N x L x odim (the value's width with
// one head), alpha.
// Parameters monotonic_energy, chunk_energy: energy.hpp; with more than one head w_value, w_out: weight, bias.
// Taps "p_choose", "alpha": N x heads_mono x L x S; "attention", what the values are weighed by: N x heads x L x S.
#include <algorithm>
#include <optional>

#include "modules/attention/monotonic/alignment.hpp"
#include "modules/attention/monotonic/energy.hpp"
#include "modules/attention/self/head_drop.hpp"
#include "modules/attention/self/tokens.hpp"
#include "modules/nn/constant.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/choose.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/softmax.hpp"

namespace fovea {
namespace {

constexpr double kLeastExp = 1e-5, kOutside = 1e30;

struct Options {
  HeadEnergy::Options energy;
  std::int64_t out, chunk, mono, chunks;
  double eps, noise, sharpening, dropout, dropout_head;
  bool denominator, share, hard;
  std::int64_t heads() const { return mono * chunks; }
};

HeadEnergy::Options chunk_energy(const Options& o) {
  HeadEnergy::Options e = o.energy;
  e.monotonic = e.conv = false;
  e.heads = o.share ? o.chunks : o.heads();
  return e;
}

Linear::Options outer(const Options& o, std::int64_t in, std::int64_t out, double gain) {
  Linear::Options l{.in = in, .out = out, .bias = o.energy.bias};
  if (o.energy.xavier) l.init = init::xavier_uniform(gain), l.bias_init = init::zeros();
  return l;
}

class Mocha final : public Block {
 public:
  Mocha(const Scope& s, const Options& o) : Block(s), o_(o), energy_(s / "monotonic_energy", o.energy), dropout_(o.dropout) {
    if (o.chunk != 1) chunk_energy_.emplace(s / "chunk_energy", chunk_energy(o));
    if (o.heads() == 1) return;
    value_.emplace(s / "w_value", outer(o, o.energy.keys, o.energy.width, 1 / std::sqrt(2.0)));
    out_.emplace(s / "w_out", outer(o, o.energy.width, o.out, 1));
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() >= 2 && in.size() <= 5, "expected a key, a query and perhaps value, mask and alignment, got ", in.size(),
          " values");
    const auto given = [&](std::size_t i) { return i < in.size() ? in[i] : Var(); };
    const Var &key = in[0], &query = in[1], value = given(2).defined() ? in[2] : in[0];
    for (const Var& v : {key, query, value})
      check(v.shape().rank() == 3 && v.dim(0) == key.dim(0), "expected sequences N x L x C with N = ", key.dim(0), ", got ",
            v.shape());
    const Var keep = mask(given(3), key, query);
    const Var p = tap("p_choose", sigmoid(noisy(energy_(key, query, keep))));
    const Var alpha = tap("alpha", o_.hard ? hard_alignments(at_least(p, 0.5), given(4))
                                           : closed_alignments(p, given(4), neural_sp_form(o_.eps, o_.denominator)));
    const Var alive = o_.hard ? alpha : head_drop(alpha, o_.dropout_head);
    const Var w = tap("attention", chunk_energy_ ? dropout_(beta(alive, (*chunk_energy_)(key, query, keep))) : alive);
    if (o_.heads() == 1) return {matmul(reshape(w, {w.dim(0), w.dim(2), w.dim(3)}), value), alpha};
    return {(*out_)(join_heads(matmul(w, split_heads((*value_)(value), o_.heads())))), alpha};
  }

 private:
  static Var mask(const Var& keep, const Var& key, const Var& query) {
    if (!keep.defined()) return {};
    const std::int64_t n = key.dim(0), l = query.dim(1), s = key.dim(1);
    const bool each = keep.shape() == Shape{n, l, s};
    check(each || keep.shape() == Shape{n, s}, "expected a mask ", Shape{n, s}, " or ", Shape{n, l, s}, ", got ", keep.shape());
    return reshape(keep, {n, 1, each ? l : 1, s});
  }

  // Noise before the sigmoid teaches probabilities near 0 and 1.
  Var noisy(const Var& e) const {
    if (!Training::active() || o_.noise <= 0 || o_.hard) return e;
    Tensor noise = Tensor::empty(e.shape());
    Training::random().fill_normal(noise, 0, o_.noise);
    return e + constant_like(noise, e);
  }

  // N x heads x L x S of alpha N x mono x L x S and energies u of mono x chunks heads, or of the chunks that all heads share.
  Var beta(const Var& alpha, const Var& u) const {
    const std::int64_t n = alpha.dim(0), l = alpha.dim(2), s = alpha.dim(3);
    const Var a = reshape(alpha, {n, o_.mono, 1, l, s}), energies = reshape(u, {n, o_.share ? 1 : o_.mono, o_.chunks, l, s});
    const Var all = expand(a, {n, o_.mono, o_.chunks, l, s});
    return reshape(o_.hard ? hard_beta(all, energies) : soft_beta(all, energies), {n, o_.heads(), l, s});
  }
  Var soft_beta(const Var& alpha, const Var& u) const {
    const Var e = clamp(exp(u - max(u, {4})), kLeastExp, std::numeric_limits<double>::infinity());
    return windowed_attention(scale(alpha, o_.sharpening), expand(e, alpha.shape()), o_.chunk);
  }
  Var hard_beta(const Var& alpha, const Var& u) const {
    const Var window = window_mask(alpha, o_.chunk);
    return softmax(u * window + scale(window, kOutside, -kOutside), 4) * max(alpha, {0, 1, 2, 4});
  }

  Options o_;
  HeadEnergy energy_;
  Dropout dropout_;
  std::optional<HeadEnergy> chunk_energy_;
  std::optional<Linear> value_, out_;
};

void check_options(const Options& o) {
  check(o.energy.queries > 0 && o.energy.width > 0 && o.out > 0, "mocha: expected qdim, adim and odim >= 1, got ",
        o.energy.queries, ", ", o.energy.width, " and ", o.out);
  check(o.chunk > 0 || o.chunk == -1, "mocha: expected chunk_size >= 1, or -1 for all entries so far, got ", o.chunk);
  check(o.mono > 0 && o.chunks > 0 && o.energy.width % o.heads() == 0,
        "mocha: expected heads_mono and heads_chunk whose product divides adim ", o.energy.width, ", got ", o.mono, " and ",
        o.chunks);
  check(o.chunk != 1 || o.chunks == 1, "mocha: chunk_size 1 has no chunks for ", o.chunks, " heads_chunk");
  check(o.eps > 0 && o.eps < 1 && o.noise >= 0, "mocha: expected eps in (0, 1) and noise_std >= 0, got ", o.eps, " and ",
        o.noise);
  check(o.dropout >= 0 && o.dropout < 1 && o.dropout_head >= 0 && o.dropout_head < 1, "mocha: expected dropouts in [0, 1), got ",
        o.dropout, " and ", o.dropout_head);
}

}  // namespace

FOVEA_SEQUENCES(mocha, "attention that only reads on: monotonic, in chunks or with lookback, by heads",
                "Chiu & Raffel 2017, arXiv:1712.05382; Ma et al. 2019, arXiv:1909.12406") {
  Options o;
  const int width = static_cast<int>(channels);
  o.energy.keys = channels;
  o.energy.queries = args.get("qdim", width, "width of the queries");
  o.energy.width = args.get("adim", width, "width of the energies");
  o.out = args.get("odim", width, "width of the result, with more than one head");
  const std::string type = args.get("atype", "scaled_dot", "energies: scaled_dot, add");
  check(type == "scaled_dot" || type == "add", "mocha: expected atype scaled_dot or add, got '", type, "'");
  o.energy.add = type == "add";
  o.chunk = args.get("chunk_size", 1, "entries that an output sees, up to where it stops; -1: all so far");
  o.mono = args.get("heads_mono", 1, "heads that read on, each for itself");
  o.chunks = args.get("heads_chunk", 1, "heads over each chunk");
  o.share = args.get("share_chunkwise_attention", false, "all heads_mono share the energies of their chunks");
  o.energy.heads = o.mono;
  o.energy.monotonic = true;
  o.energy.conv = args.get("conv1d", false, "a convolution over 5 entries before the monotonic energies");
  o.energy.r = args.get("init_r", -4.0, "offset of the monotonic energies at first");
  o.energy.bias = args.get("bias", true, "biases of the layers");
  o.energy.xavier = args.get("xavier", false, "layers start as in fairseq's attention");
  o.eps = args.get("eps", 1e-6, "keeps the closed form from dividing by 0");
  o.denominator = !args.get("no_denominator", false, "leaves the divisor of the closed form out");
  o.noise = args.get("noise_std", 1.0, "of the noise on monotonic energies, in training");
  o.sharpening = args.get("sharpening_factor", 1.0, "factor of the weights of chunks");
  o.dropout = args.get("dropout", 0.0, "of the weights of chunks, in training");
  o.dropout_head = args.get("dropout_head", 0.0, "share of heads left out in training");
  const std::string mode =
      args.get("mode", "parallel", "parallel (expectations, to train with) or hard (one place each, as in use)");
  check(mode == "parallel" || mode == "hard", "mocha: expected mode parallel or hard, got '", mode, "'");
  o.hard = mode == "hard";
  check_options(o);
  return std::make_unique<Mocha>(scope, o);
}

}  // namespace fovea
