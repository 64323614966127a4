#include "modules/nn/transformer.hpp"

#include "modules/autograd/tap.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/attention.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

// Token i of the last `rows` sees the first columns - rows + i + 1.
Var causal_mask(std::int64_t rows, std::int64_t columns) {
  Tensor t = Tensor::zeros({rows, columns}, DType::boolean);
  for (std::int64_t i = 0; i < rows; ++i) t.slice(0, i, i + 1).slice(1, 0, columns - rows + i + 1).fill(1);
  return t;
}

}  // namespace

KeptAttention::KeptAttention(const Scope& s, const Options& o)
    : path_(s.path()),
      o_(o),
      weight_(s.param("in_proj_weight", {3 * o.width, o.width}, init::xavier_uniform())),
      bias_(s.param("in_proj_bias", {3 * o.width}, init::zeros())),
      out_((s / "out_proj").starting("bias", {o.width}, init::zeros()), {.in = o.width, .out = o.width}) {
  check(o.heads > 0 && o.width % o.heads == 0, s.path(), ": attention: expected heads that divide ", o.width, " channels, got ",
        o.heads);
}

Var KeptAttention::heads_of(const Var& x) const {
  return permute(reshape(x, {x.dim(0), x.dim(1), o_.heads, o_.width / o_.heads}), {0, 2, 1, 3});
}

KeyValues KeptAttention::project(const Var& tokens) const {
  PathScope where(path_);
  check(tokens.shape().rank() == 3, "attention: expected tokens N x S x C, got ", tokens.shape());
  const std::int64_t c = o_.width;
  const Vars kv = split(linear(tokens, slice(weight_, 0, c, 3 * c), slice(bias_, 0, c, 3 * c)), 2, {c, c});
  return {heads_of(kv[0]), heads_of(kv[1])};
}

KeyValues KeptAttention::append(const KeyValues& before, const KeyValues& more) {
  if (before.length() == 0) return more;
  return {concat({before.keys, more.keys}, 2), concat({before.values, more.values}, 2)};
}

Var KeptAttention::operator()(const Var& x, const KeyValues& kept, bool causal, const Var& given, Var* weights) const {
  PathScope where(path_);
  const std::int64_t n = x.dim(0), l = x.dim(1), s = kept.length();
  check(!given.defined() || given.shape() == Shape{n, s}, "attention: expected a mask ", Shape{n, s}, ", got ",
        given.defined() ? given.shape() : Shape{});
  check(!causal || !given.defined(), "attention: expected a mask or causal order, not both");
  Var mask = given.defined() ? reshape(given, {n, 1, 1, s}) : Var();
  AttentionOptions options;
  options.causal = causal && l == s;
  if (causal && l > 1 && l < s) mask = causal_mask(l, s);
  return look(x, kept, mask, options, weights);
}

Var KeptAttention::operator()(const Var& x, const KeyValues& kept, const Var& hidden) const {
  PathScope where(path_);
  return look(x, kept, hidden, {}, nullptr);
}

Var KeptAttention::look(const Var& x, const KeyValues& kept, const Var& mask, const AttentionOptions& options,
                        Var* weights) const {
  const Var q = heads_of(linear(x, slice(weight_, 0, 0, o_.width), slice(bias_, 0, 0, o_.width)));
  Var y;
  if (weights || wants_tap("attention")) {
    const Var seen = tap("attention", attention_weights(q, kept.keys, mask, {}, options));
    if (weights) *weights = seen;
    y = matmul(Dropout(o_.dropout)(seen), kept.values);
  } else {
    const auto dropout = Training::active() ? AttentionDropout{o_.dropout, &Training::random()} : AttentionDropout{};
    y = attention(q, kept.keys, kept.values, mask, {}, options, dropout);
  }
  return out_(reshape(permute(y, {0, 2, 1, 3}), {x.dim(0), x.dim(1), o_.width}));
}

KeptRoom KeptRoom::of(std::int64_t at, std::int64_t room) {
  check(at >= 0 && at < room, "transformer: expected a token before the ", room, "th, got number ", at);
  Tensor place = Tensor::zeros({1, 1, room, 1}), hidden = Tensor::zeros({1, 1, 1, room});
  place.slice(2, at, at + 1).fill(1);
  if (at + 1 < room) hidden.slice(3, at + 1, room).fill(-1e9);
  return {Var(place), Var(hidden)};
}

TransformerDecoderLayer::TransformerDecoderLayer(const Scope& s, const Options& o)
    : o_(o),
      own_(s / "self_attn", {.width = o.width, .heads = o.heads, .dropout = o.dropout}),
      cross_(s / "multihead_attn", {.width = o.width, .heads = o.heads, .dropout = o.dropout}),
      linear1_(s / "linear1", {.in = o.width, .out = o.hidden}),
      linear2_(s / "linear2", {.in = o.hidden, .out = o.width}),
      norm1_(s / "norm1", o.width, o.eps),
      norm2_(s / "norm2", o.width, o.eps),
      norm3_(s / "norm3", o.width, o.eps),
      dropout_(o.dropout),
      activation_(activation(o.activation, s.path())) {}

Var TransformerDecoderLayer::operator()(const Var& x, Cache& cache, const Var& memory_mask, Var* weights) const {
  const auto own = [&](const Var& t) {
    cache.own = KeptAttention::append(cache.own, own_.project(t));
    return own_(t, cache.own, true);
  };
  return through(x, own, [&](const Var& t) { return cross_(t, cache.memory, false, memory_mask, weights); });
}

Var TransformerDecoderLayer::operator()(const Var& x, Cache& cache, const KeptRoom& room, Var* weights) const {
  const auto own = [&](const Var& t) {
    const KeyValues next = own_.project(t);
    cache.own = {cache.own.keys + next.keys * room.at, cache.own.values + next.values * room.at};
    return own_(t, cache.own, room.hidden);
  };
  return through(x, own, [&](const Var& t) { return cross_(t, cache.memory, false, {}, weights); });
}

Var TransformerDecoderLayer::through(const Var& x, const Look& own, const Look& cross) const {
  const auto feed = [&](const Var& t) { return dropout_(linear2_(dropout_(activation_(linear1_(t))))); };
  if (o_.norm_first) {
    const Var a = x + dropout_(own(norm1_(x))), b = a + dropout_(cross(norm2_(a)));
    return b + feed(norm3_(b));
  }
  const Var a = norm1_(x + dropout_(own(x))), b = norm2_(a + dropout_(cross(a)));
  return norm3_(b + feed(b));
}

TransformerDecoder::TransformerDecoder(const Scope& s, std::int64_t layers, const TransformerDecoderLayer::Options& o,
                                       bool norm) {
  check(layers > 0, s.path(), ": transformer: expected at least one layer, got ", layers);
  for (std::int64_t i = 0; i < layers; ++i) layers_.emplace_back(s / "layers" / i, o);
  if (norm) norm_.emplace(s / "norm", o.width, o.eps);
}

TransformerDecoder::Cache TransformerDecoder::start(const Var& memory) const {
  Cache cache;
  for (const auto& layer : layers_) cache.push_back(layer.start(memory));
  return cache;
}

Var TransformerDecoder::step(const Var& x, Cache& cache, const Var& memory_mask, Vars* weights) const {
  return through(x, cache, weights,
                 [&](const auto& layer, const Var& y, auto& own, Var* seen) { return layer(y, own, memory_mask, seen); });
}

Var TransformerDecoder::step(const Var& x, Cache& cache, const KeptRoom& room, Vars* weights) const {
  return through(x, cache, weights,
                 [&](const auto& layer, const Var& y, auto& own, Var* seen) { return layer(y, own, room, seen); });
}

Var TransformerDecoder::through(const Var& x, Cache& cache, Vars* weights, const One& one) const {
  check(cache.size() == layers_.size(), "transformer: expected a cache of ", layers_.size(), " layers, got ", cache.size());
  Var y = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Var seen;
    y = one(layers_[i], y, cache[i], weights ? &seen : nullptr);
    if (weights) weights->push_back(seen);
  }
  return norm_ ? (*norm_)(y) : y;
}

Var TransformerDecoder::operator()(const Var& x, const Var& memory, const Var& memory_mask) const {
  Cache cache = start(memory);
  return step(x, cache, memory_mask);
}

}  // namespace fovea
