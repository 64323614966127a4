// Captions by an LSTM that looks at the picture before each word, Xu et al. 2015, arXiv:1502.03044 (Show, Attend and Tell), as sgrvinod has it: the state
// starts from the mean of the places; the last state scores them; a gate sigmoid(f_beta h) weighs what is seen; the LSTM takes the last word and that;
// scores are fc(dropout(h)).
//   soft  it sees the mean of all places, by the weights
//   hard  it sees one place: drawn by the weights while it learns (nn/hard_attention.hpp), else the likeliest
// Parameters project, attention.{encoder_att, decoder_att, full_att}, init_h, init_c, f_beta, fc: weight, bias; embedding.weight; decode_step: weight_ih,
// weight_hh, bias_ih, bias_hh; with hard the buffer baseline.
#include "modules/heads/text_decoder.hpp"
#include "modules/nn/constant.hpp"
#include "modules/nn/embedding.hpp"
#include "modules/nn/hard_attention.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/recurrent.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/soft_attention.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

class LstmTextDecoder final : public TextDecoderHead {
 public:
  struct Widths {
    std::int64_t hidden = 512, attention = 512, embedding = 512;
    bool hard = false;
  };
  LstmTextDecoder(const Scope& s, const Feature& in, const Options& o, const Widths& w)
      : LstmTextDecoder(s, in, o, w, o.width > 0 ? o.width : in.channels) {}

  std::size_t fixed() const override { return 2; }  // places and their keys
  Var baseline() const override { return baseline_; }

  Tensors heard(const std::vector<std::int64_t>& rows, std::int64_t) const override {
    return {embedding_(Var(Tensor::from(rows, {static_cast<std::int64_t>(rows.size())}))).value()};
  }

  Vars step(const Vars& in) const override {
    check(in.size() == 5, "text decoder: expected a word, places, keys and a state, got ", in.size(), " values");
    Looks looks;
    const LstmState next = follow(in[0], in[1], in[2], {in[3], in[4]}, looks);
    return {fc_(next.h), reshape(looks.alphas.front(), {in[1].dim(0), 1, in[1].dim(1)}), next.h, next.c};
  }

 protected:
  Written write_along(const Var& places, const Tensor& words) const override {
    const std::int64_t n = places.dim(0), steps = words.dim(1);
    const Vars said_words =
        split(dropout_(embedding_(Var(words))), 1, std::vector<std::int64_t>(static_cast<std::size_t>(steps), 1));
    const Var keys = attention_.keys(places);
    LstmState state = start(places);
    Looks looks;
    Vars states;
    for (const Var& word : said_words) {
      state = follow(reshape(word, {n, word.dim(2)}), places, keys, state, looks);
      states.push_back(reshape(state.h, {n, 1, -1}));
    }
    const Var kept(said(words));
    return {fc_(dropout_(concat(states, 1))), of_said(joined(looks.alphas), reshape(kept, {n, steps, 1})),
            total(looks.log_chosen, kept), total(looks.entropies, kept)};
  }

  Vars begin_at(const Var& places) const override {
    const LstmState state = start(places);
    return {places, attention_.keys(places), state.h, state.c};
  }

 private:
  // What was looked at, a value for each word.
  struct Looks {
    Vars alphas, log_chosen, entropies;
  };

  LstmTextDecoder(const Scope& s, const Feature& in, const Options& o, const Widths& w, std::int64_t seen)
      : TextDecoderHead(s, in, o),
        hard_(w.hard),
        attention_(s / "attention", {.features = seen, .state = w.hidden, .width = w.attention}),
        embedding_(s / "embedding", {.count = o.words, .width = w.embedding, .init = init::uniform(-0.1, 0.1)}),
        cell_(s / "decode_step", w.embedding + seen, w.hidden),
        init_h_(s / "init_h", {.in = seen, .out = w.hidden}),
        init_c_(s / "init_c", {.in = seen, .out = w.hidden}),
        f_beta_(s / "f_beta", {.in = w.hidden, .out = seen}),
        fc_(s / "fc", {.in = w.hidden, .out = o.words, .init = init::uniform(-0.1, 0.1), .bias_init = init::zeros()}),
        dropout_(o.dropout) {
    if (w.hard) baseline_ = s.buffer("baseline", {}, 0);
  }

  LstmState start(const Var& places) const {
    const Var average = mean(places, {1}, false);
    return {init_h_(average), init_c_(average)};
  }

  LstmState follow(const Var& word, const Var& places, const Var& keys, const LstmState& state, Looks& looks) const {
    const Var context = sigmoid(f_beta_(state.h)) * look(places, attention_.scores(keys, state.h), looks);
    return cell_(concat({word, context}, 1), state);
  }

  Var look(const Var& places, const Var& scores, Looks& looks) const {
    if (!hard_) {
      looks.alphas.push_back(SoftAttention::weights_of(scores));
      return SoftAttention::context(places, looks.alphas.back());
    }
    Var draws;
    if (Training::active()) {
      Tensor u = Tensor::empty({places.dim(0)});
      Training::random().fill_uniform(u, 0, 1);
      draws = constant_like(u, scores);
    }
    const HardAttended seen = hard_attention(places, scores, draws);
    looks.alphas.push_back(seen.alpha);
    if (!draws.defined()) return seen.largest.context;
    looks.log_chosen.push_back(seen.sampled.log_chosen);
    looks.entropies.push_back(seen.entropy);
    return seen.sampled.context;
  }

  static Var joined(const Vars& of_words) {
    Vars rows;
    for (const Var& v : of_words) rows.push_back(reshape(v, {v.dim(0), 1, -1}));
    return concat(rows, 1);
  }
  static Var of_said(const Var& x, const Var& kept) { return where(kept, x, scale(x, 0)); }
  // N: sums over the words that are said; undefined of nothing.
  static Var total(const Vars& of_words, const Var& kept) {
    if (of_words.empty()) return {};
    const Var all = joined(of_words);
    return sum(of_said(reshape(all, {all.dim(0), all.dim(1)}), kept), {1}, false);
  }

  bool hard_;
  SoftAttention attention_;
  Embedding embedding_;
  LstmCell cell_;
  Linear init_h_, init_c_, f_beta_, fc_;
  Dropout dropout_;
  Var baseline_;
};

std::unique_ptr<Block> make(const Scope& scope, Features features, Args& args, bool hard) {
  TextDecoderHead::Options o = TextDecoderHead::read(args);
  LstmTextDecoder::Widths w;
  w.hard = hard;
  w.hidden = args.get("hidden", 512, "width of the LSTM's state", {1, 65536});
  w.attention = args.get("attention_width", 512, "of the network that scores places", {1, 65536});
  w.embedding = args.get("embedding", 512, "width of a word's vector", {1, 65536});
  return std::make_unique<LstmTextDecoder>(scope, features.back(), o, w);
}

}  // namespace

FOVEA_HEAD(caption_soft, "a sentence, by an LSTM that looks at all places before each word", "Xu et al. 2015, arXiv:1502.03044") {
  return make(scope, features, args, false);
}
FOVEA_HEAD(caption_hard, "a sentence, by an LSTM that looks at one place before each word", "Xu et al. 2015, arXiv:1502.03044") {
  return make(scope, features, args, true);
}

}  // namespace fovea
