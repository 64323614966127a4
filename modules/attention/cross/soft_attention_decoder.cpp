// A decoder that looks at the picture before each word, Xu et al. 2015, arXiv:1502.03044, as sgrvinod's: the state starts from
// the mean feature; at each step soft attention by the last state gives a context, a gate sigmoid(f_beta h) weighs it, and an
// LSTM takes the word's embedding and the gated context. The words' scores are fc(dropout(h)).
// Inputs: features N x L x E or N x H x W x E; words (s64) N x T, those that were said so far; perhaps booleans N x T, true where
// a step is decoded (elsewhere its results are 0). Results: scores N x T x V; weights N x T x L; doubly stochastic term (one
// number).
// Parameters attention.{encoder_att,decoder_att,full_att}, init_h, init_c, f_beta, fc: weight, bias; embedding.weight;
// decode_step: weight_ih, weight_hh, bias_ih, bias_hh. Tap "attention": N x 1 x T x L.
#include "modules/nn/embedding.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/recurrent.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/soft_attention.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

struct Options {
  SoftAttention::Options attention;
  std::int64_t embed, words;
  double dropout;
  Stochastic stochastic;
};

class SoftAttentionDecoder final : public Block {
 public:
  SoftAttentionDecoder(const Scope& s, const Options& o)
      : Block(s),
        attention_(s / "attention", o.attention),
        embedding_(s / "embedding", {.count = o.words, .width = o.embed, .init = init::uniform(-0.1, 0.1)}),
        step_(s / "decode_step", o.embed + o.attention.features, o.attention.state),
        init_h_(s / "init_h", {.in = o.attention.features, .out = o.attention.state}),
        init_c_(s / "init_c", {.in = o.attention.features, .out = o.attention.state}),
        f_beta_(s / "f_beta", {.in = o.attention.state, .out = o.attention.features}),
        fc_(s / "fc", {.in = o.attention.state, .out = o.words, .init = init::uniform(-0.1, 0.1), .bias_init = init::zeros()}),
        dropout_(o.dropout),
        stochastic_(o.stochastic) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 3, "expected features, words and perhaps a mask, got ", in.size(), " values");
    const Var features = places(in[0]);
    check(in[1].shape().rank() == 2 && in[1].dim(0) == features.dim(0) && in[1].dim(1) > 0,
          "expected words N x T with N = ", features.dim(0), ", got ", in[1].shape());
    const std::int64_t n = features.dim(0), steps = in[1].dim(1);
    const Vars words = split(embedding_(in[1]), 1, std::vector<std::int64_t>(static_cast<std::size_t>(steps), 1));
    const Var keys = attention_.keys(features), average = mean(features, {1}, false);
    LstmState state{init_h_(average), init_c_(average)};
    Vars scores, alphas;
    for (const Var& word : words) {
      const Var alpha = attention_.weights(keys, state.h);
      const Var context = sigmoid(f_beta_(state.h)) * SoftAttention::context(features, alpha);
      state = step_(concat({reshape(word, {n, word.dim(2)}), context}, 1), state);
      scores.push_back(reshape(fc_(dropout_(state.h)), {n, 1, -1}));
      alphas.push_back(reshape(alpha, {n, 1, -1}));
    }
    const Var mask = in.size() == 3 ? in[2] : Var();
    const Var all = decoded(concat(alphas, 1), mask);
    const Var seen = reshape(tap("attention", reshape(all, {n, 1, steps, -1})), all.shape());
    return {decoded(concat(scores, 1), mask), seen, doubly_stochastic(seen, stochastic_)};
  }

 private:
  static Var places(const Var& features) {
    check(features.shape().rank() == 3 || features.shape().rank() == 4, "expected features N x L x E or N x H x W x E, got ",
          features.shape());
    if (features.shape().rank() == 3) return features;
    return reshape(features, {features.dim(0), features.dim(1) * features.dim(2), features.dim(3)});
  }
  static Var decoded(const Var& x, const Var& mask) {
    if (!mask.defined()) return x;
    check(mask.shape() == Shape{x.dim(0), x.dim(1)}, "expected a mask ", Shape{x.dim(0), x.dim(1)}, ", got ", mask.shape());
    return where(reshape(mask, {x.dim(0), x.dim(1), 1}), x, scale(x, 0));
  }

  SoftAttention attention_;
  Embedding embedding_;
  LstmCell step_;
  Linear init_h_, init_c_, f_beta_, fc_;
  Dropout dropout_;
  Stochastic stochastic_;
};

}  // namespace

FOVEA_SEQUENCES(soft_attention_decoder, "words for a picture: an LSTM that looks before each of them",
                "Xu et al. 2015, arXiv:1502.03044") {
  Options o;
  o.attention.features = channels;
  o.attention.state = args.get("decoder_dim", 512, "width of the LSTM's state");
  o.attention.width = args.get("attention_dim", 512, "width of the network that scores places");
  o.attention.act = args.get("act", "relu", "its activation; tanh in the paper");
  o.embed = args.get("embed_dim", 512, "width of the words' embedding");
  o.words = args.get("vocab_size", 1000, "words");
  o.dropout = args.get("dropout", 0.5, "of the state before the words' scores, in training");
  const std::string over = args.get("stochastic", "mean", "doubly stochastic term over places: mean (sgrvinod), sum (the paper)");
  check(over == "mean" || over == "sum", "soft_attention_decoder: expected stochastic mean or sum, got '", over, "'");
  o.stochastic = over == "mean" ? Stochastic::mean : Stochastic::sum;
  check(o.attention.state > 0 && o.attention.width > 0 && o.embed > 0 && o.words > 0,
        "soft_attention_decoder: expected widths and vocab_size >= 1");
  return std::make_unique<SoftAttentionDecoder>(scope, o);
}

}  // namespace fovea
