// Captions by a transformer decoder that looks at the places of the picture, Vaswani et al. 2017, arXiv:1706.03762: words' vectors times
// sqrt(width), positions added, layers of attention to the words before and to the places, a linear layer.
// Parameters project, fc: weight, bias; embedding.weight; layers.<i>: nn/transformer.hpp; norm: weight, bias where norms come first.
#include <cmath>

#include "modules/heads/text_decoder.hpp"
#include "modules/nn/embedding.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/transformer.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

class TransformerTextDecoder final : public TextDecoderHead {
 public:
  struct Sizes {
    std::int64_t layers = 3, heads = 8, hidden = 2048;
    bool norm_first = true;
  };
  TransformerTextDecoder(const Scope& s, const Feature& in, const Options& o, const Sizes& sizes)
      : TextDecoderHead(s, in, o),
        layers_(sizes.layers),
        heads_(sizes.heads),
        width_(o.width),
        embedding_(s / "embedding",
                   {.count = o.words, .width = o.width, .init = init::normal(0, 1 / std::sqrt(static_cast<double>(o.width)))}),
        decoder_(s, sizes.layers,
                 {.width = o.width,
                  .heads = sizes.heads,
                  .hidden = sizes.hidden,
                  .dropout = o.dropout,
                  .norm_first = sizes.norm_first},
                 sizes.norm_first),
        fc_(s / "fc", {.in = o.width, .out = o.words, .init = init::xavier_uniform(), .bias_init = init::zeros()}),
        dropout_(o.dropout) {}

  std::int64_t maps() const override { return layers_ * heads_; }
  std::size_t fixed() const override { return static_cast<std::size_t>(2 * layers_); }  // keys and values of the places

  Tensors heard(const std::vector<std::int64_t>& rows, std::int64_t at) const override {
    const auto n = static_cast<std::int64_t>(rows.size());
    const KeptRoom room = KeptRoom::of(at, most());
    const Var words = embedded(Var(Tensor::from(rows, {n, 1})));
    return {(words + positions(1, at)).value(), room.at.value(), room.hidden.value()};
  }

  Vars step(const Vars& in) const override {
    const auto layers = static_cast<std::size_t>(layers_);
    check(in.size() == 3 + 4 * layers, "text decoder: expected ", 3 + 4 * layers, " values, got ", in.size());
    TransformerDecoder::Cache cache(layers);
    for (std::size_t i = 0; i < layers; ++i) {
      cache[i].memory = {in[3 + 2 * i], in[4 + 2 * i]};
      cache[i].own = {in[3 + 2 * (layers + i)], in[4 + 2 * (layers + i)]};
    }
    Vars weights;
    const Var y = decoder_.step(in[0], cache, KeptRoom{in[1], in[2]}, &weights);
    const std::int64_t n = y.dim(0);
    Vars out{fc_(reshape(y, {n, width_})), reshape(concat(weights, 1), {n, maps(), -1})};
    for (const auto& layer : cache) out.push_back(layer.own.keys), out.push_back(layer.own.values);
    return out;
  }

 protected:
  Written write_along(const Var& places, const Tensor& words) const override {
    const std::int64_t steps = words.dim(1);
    TransformerDecoder::Cache cache = decoder_.start(places);
    Vars weights;
    const Var y = decoder_.step(dropout_(embedded(Var(words)) + positions(steps, 0)), cache, Var(), &weights);
    const Var seen = mean(concat(weights, 1), {1}, false);
    return {fc_(dropout_(y)), where(reshape(Var(said(words)), {words.dim(0), steps, 1}), seen, scale(seen, 0)), {}, {}};
  }

  Vars begin_at(const Var& places) const override {
    Vars state, room;
    const std::int64_t n = places.dim(0);
    const Var nothing(Tensor::zeros({n, heads_, most(), width_ / heads_}));
    for (const auto& layer : decoder_.start(places)) {
      state.push_back(layer.memory.keys), state.push_back(layer.memory.values);
      room.push_back(nothing), room.push_back(nothing);
    }
    state.insert(state.end(), room.begin(), room.end());
    return state;
  }

 private:
  Var embedded(const Var& words) const { return scale(embedding_(words), std::sqrt(static_cast<double>(width_))); }
  Var positions(std::int64_t count, std::int64_t first) const {
    return Var(sinusoid_positions(count, width_, first).reshape({1, count, width_}));
  }

  std::int64_t layers_, heads_, width_;
  Embedding embedding_;
  TransformerDecoder decoder_;
  Linear fc_;
  Dropout dropout_;
};

}  // namespace

FOVEA_HEAD(caption_transformer, "a sentence, by a transformer decoder that looks at all places",
           "Vaswani et al. 2017, arXiv:1706.03762") {
  const TextDecoderHead::Options o = TextDecoderHead::read(args);
  TransformerTextDecoder::Sizes sizes;
  sizes.layers = args.get("layers", 3, "of the decoder", {1, 64});
  sizes.heads = args.get("heads", 8, "of each attention; they divide the width", {1, 256});
  sizes.hidden = args.get("hidden", 2048, "width inside a layer's feed-forward part", {1, 65536});
  sizes.norm_first = args.get("norm_first", true, "norms in front of attention and feed-forward part, not behind");
  check(o.width > 0 && o.width % sizes.heads == 0, args.where(), ": width: expected a number above 0 that ", sizes.heads,
        " heads divide, got ", o.width);
  return std::make_unique<TransformerTextDecoder>(scope, features.back(), o, sizes);
}

}  // namespace fovea
