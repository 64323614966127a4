// Retrieval. Pictures: one linear layer on the deepest feature, at each place (scan) or behind global average pooling (global). Texts:
// an embedding and a bidirectional GRU, whose directions are averaged: at each word, or at the ends. All vectors have length 1. How
// well a picture and a text fit says their cosine, or for scan the block stacked_scores.
// Parameters image.weight, image.bias, words.weight, gru.*.
#include "modules/heads/retrieve.hpp"

#include <optional>

#include "modules/autograd/apply.hpp"
#include "modules/autograd/cast.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/nn/embedding.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/l2_normalize.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

HeadInfo info_of(const RetrieveOptions& o, int stride) {
  const OutputAxis width = OutputAxis::constant(o.width);
  if (!o.scan) return {"retrieve", {}, {{"embedding", "joint embedding", {OutputAxis::batch(), width}}}};
  return {"retrieve",
          {},
          {{"regions",
            "joint embedding of places",
            {OutputAxis::batch(), width, OutputAxis::height(1, stride), OutputAxis::width(1, stride)}}}};
}

// Booleans M x T: whether there is a token.
Var mask_of(const Lengths& lengths, std::int64_t most) {
  Tensor mask = Tensor::zeros({static_cast<std::int64_t>(lengths.size()), most}, DType::boolean);
  for (std::int64_t i = 0; i < mask.dim(0); ++i)
    mask.slice(0, i, i + 1).slice(1, 0, lengths[static_cast<std::size_t>(i)]).fill(1);
  return mask;
}

Var mean_of_directions(const Var& x, std::int64_t width) {
  const Vars both = split(x, x.shape().rank() - 1, {width, width});
  return scale(both[0] + both[1], 0.5);
}

class Retrieve final : public RetrieveHead {
 public:
  // scores: null for global.
  Retrieve(const Scope& s, const Feature& in, const RetrieveOptions& o, std::unique_ptr<Block> scores)
      : RetrieveHead(s, info_of(o, in.stride), o),
        path_(s.path()),
        words_(s / "words", {.count = o.tokens, .width = o.words, .padding = 0, .init = init::uniform(-0.1, 0.1)}),
        gru_(s / "gru", {.in = o.words, .hidden = o.width, .layers = o.layers, .bidirectional = true, .dropout = o.dropout}),
        dropout_(o.dropout),
        scores_(std::move(scores)) {
    if (o.scan) places_.emplace(s / "image", Conv2d::Options{.in = in.channels, .out = o.width, .init = init::xavier_uniform()});
    else whole_.emplace(s / "image", Linear::Options{.in = in.channels, .out = o.width, .init = init::xavier_uniform()});
  }

  Var texts(const Var& tokens, const Lengths& lengths) const override {
    const PathScope where(path_);
    check(tokens.shape().rank() == 2 && tokens.dim(0) == static_cast<std::int64_t>(lengths.size()), "expected tokens M x T of ",
          lengths.size(), " texts, got ", tokens.shape());
    const GruResult read = gru_(dropout_(words_(tokens)), lengths);
    if (o_.scan) return l2_normalize(mean_of_directions(read.output, o_.width), 2);
    const std::int64_t last = read.h.dim(0);
    const Vars ends = split(slice(read.h, 0, last - 2, last), 0, {1, 1});
    return l2_normalize(reshape(scale(ends[0] + ends[1], 0.5), {tokens.dim(0), o_.width}), 1);
  }

  Var similarities(const Var& pictures, const Var& texts, const Lengths& lengths) const override {
    const PathScope where(path_);
    const Precision exact(DType::f32);  // answers lie close together
    const Var seen = cast(pictures, DType::f32), said = cast(texts, DType::f32);
    if (o_.scan) return (*scores_)({places_of(seen), said, mask_of(lengths, said.dim(1))}).front();
    return matmul(seen, permute(said, {1, 0}));
  }

  Var found(const Var& picture, const Var& text) const override {
    const PathScope where(path_);
    check(o_.scan, "a model with one vector for all of a picture does not say where a word is found");
    const TapScope looks("**.scores.attention");
    (void)similarities(picture, text, {text.dim(1)});
    const Var weights = looks.kept.at(0).second;  // 1 x 1 x T x HW, or 1 x 1 x HW x T
    return reshape(o_.words_look ? weights : permute(weights, {0, 1, 3, 2}), {text.dim(1), picture.dim(2), picture.dim(3)});
  }

 protected:
  Vars forward(const Vars& in) const override {
    check(!in.empty(), "expected a feature, got none");
    const Var& x = in.back();
    if (o_.scan) {
      check(x.shape().rank() == 4, "scan compares words with places: expected a map N x C x H x W, got ", x.shape(),
            "; take another feature of the backbone, or form: global");
      return {tap("regions", l2_normalize((*places_)(dropout_(x)), 1))};
    }
    const Var pooled = x.shape().rank() == 2 ? x : reshape(global_avg_pool(x), {x.dim(0), x.dim(1)});
    return {tap("embedding", l2_normalize((*whole_)(dropout_(pooled)), 1))};
  }

 private:
  static Var places_of(const Var& map) {  // N x HW x D
    return reshape(permute(map, {0, 2, 3, 1}), {map.dim(0), map.dim(2) * map.dim(3), map.dim(1)});
  }

  std::string path_;
  Embedding words_;
  Gru gru_;
  Dropout dropout_;
  std::optional<Conv2d> places_;
  std::optional<Linear> whole_;
  std::unique_ptr<Block> scores_;
};

}  // namespace

FOVEA_HEAD(retrieve, "pictures and sentences in one space",
           "Lee et al. 2018, arXiv:1803.08024; Faghri et al. 2018, arXiv:1707.05612") {
  RetrieveOptions o;
  const std::string form =
      args.get("form", "scan", "scan: words are compared with places; global: one vector each, for large collections");
  check(form == "scan" || form == "global", args.where(), ": form: expected scan or global, got '", form, "'");
  o.scan = form == "scan";
  o.tokens = args.get("tokens", 4, "of the text encoder: training counts them", {4, 1'000'000});
  o.words = args.get("words", 300, "width of a token's embedding", {1, 8192});
  o.width = args.get("width", 256, "of the common space", {1, 8192});
  o.layers = args.get("layers", 1, "of the recurrent network", {1, 8});
  o.dropout = args.get("dropout", 0.0, "in front of the picture's layer and the recurrent network", {0, 0.95});
  std::unique_ptr<Block> scores;
  if (o.scan) {
    Args direction = args;  // the block reads it by itself
    o.words_look = direction.get("direction", "t2i", "") == "t2i";
    scores = Registry::global().at("stacked_scores").make(scope / "scores", features, args);
  }
  return std::make_unique<Retrieve>(scope, features.back(), o, std::move(scores));
}

}  // namespace fovea
