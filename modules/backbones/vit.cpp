// Vision transformer: patches as tokens, blocks of attention and MLP in front of which the norms stand. Dosovitskiy et al. 2021,
// arXiv:2010.11929. Parameter names are timm's: cls_token, pos_embed, patch_embed.proj, blocks.0.norm1, blocks.0.attn.qkv, blocks.0.mlp.fc1,
// ..., norm (fc_norm with the mean of the patches). A picture of another size gets position embeddings that are resized (bilinear).
// Features: block1, block2, ... (patches as a map, stride: the patch), pooled (rank 2: class token or mean, normalised). Slots of each block,
// on tokens: post_attn and post_mlp at the end of the branches, after_block; patch_embed.proj is a convolution.
#include <algorithm>

#include "modules/core/whole.hpp"
#include "modules/nn/backbone.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/dropout.hpp"
#include "modules/ops/expand.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct Options {
  int size = 224, patch = 16, width = 192, depth = 12, heads = 3, registers = 0;
  double mlp_ratio = 4, eps = 1e-6, layer_scale = 0, dropout = 0, drop_path = 0;
  bool class_token = true, mean = false, qkv_bias = true, qk_norm = false, pre_norm = false;
  std::string attention;

  std::int64_t side() const { return size / patch; }
  std::int64_t inside() const { return whole(width * mlp_ratio, "vit: width * mlp_ratio"); }  // of the MLP
  std::int64_t prefix() const { return (class_token ? 1 : 0) + registers; }
};

struct Grid {
  std::int64_t height, width;
};

// Whole samples skip a branch in training. Huang et al. 2016, arXiv:1603.09382.
Var drop_path(const Var& x, double probability) {
  if (probability == 0 || !Training::active()) return x;
  const Var ones = scale(slice(slice(x, 1, 0, 1), 2, 0, 1), 0, 1);
  return x * dropout(ones, probability, true, Training::random());
}

class Mlp {
 public:
  Mlp(const Scope& s, std::int64_t width, const Options& o)
      : fc1_(s / "fc1", linear(width, o.inside())), fc2_(s / "fc2", linear(o.inside(), width)), dropout_(o.dropout) {}
  Var operator()(const Var& x) const { return dropout_(fc2_(dropout_(gelu(fc1_(x))))); }

 private:
  static Linear::Options linear(std::int64_t in, std::int64_t out) {
    return {.in = in, .out = out, .init = init::truncated_normal(0.02)};
  }
  Linear fc1_, fc2_;
  Dropout dropout_;
};

class Layer {
 public:
  Layer(const Scope& s, const Options& o, double drop)
      : norm1_(s / "norm1", o.width, o.eps),
        attn_(attention(s / "attn", o)),
        post_attn_(s, "post_attn", o.width),
        norm2_(s / "norm2", o.width, o.eps),
        mlp_(s / "mlp", o.width, o),
        post_mlp_(s, "post_mlp", o.width),
        after_(s, "after_block", o.width),
        drop_(drop) {
    if (o.layer_scale == 0) return;
    scale1_ = (s / "ls1").param("gamma", {o.width}, init::constant(o.layer_scale));
    scale2_ = (s / "ls2").param("gamma", {o.width}, init::constant(o.layer_scale));
  }
  Var operator()(const Var& x, Grid g) const {
    const Var a = post_attn_((*attn_)(norm1_(x)), g.height, g.width);
    const Var y = x + drop_path(scale1_.defined() ? a * scale1_ : a, drop_);
    const Var b = post_mlp_(mlp_(norm2_(y)), g.height, g.width);
    return after_(y + drop_path(scale2_.defined() ? b * scale2_ : b, drop_), g.height, g.width);
  }

 private:
  static std::unique_ptr<Block> attention(const Scope& s, const Options& o) {
    Args args;
    args.suggest("heads", std::to_string(o.heads));
    args.suggest("qkv_bias", o.qkv_bias ? "true" : "false");
    args.suggest("qk_norm", o.qk_norm ? "true" : "false");
    if (o.attention == "vit_attention") args.suggest("proj_drop", std::to_string(o.dropout));
    check(Registry::global().at(o.attention).kind == Kind::tokens, "vit: attention: expected a block of tokens, '", o.attention,
          "' is a ", name_of(Registry::global().at(o.attention).kind));
    return Registry::global().make(o.attention, s, o.width, std::move(args));
  }

  LayerNorm norm1_;
  std::unique_ptr<Block> attn_;
  TokenSlot post_attn_;
  LayerNorm norm2_;
  Mlp mlp_;
  TokenSlot post_mlp_, after_;
  double drop_;
  Var scale1_, scale2_;
};

class Vit final : public Backbone {
 public:
  Vit(const Scope& s, std::int64_t channels, const Options& o)
      : Backbone(s),
        options_(o),
        proj_(s / "patch_embed", "proj",
              {.in = channels, .out = o.width, .kernel = o.patch, .stride = o.patch, .bias = !o.pre_norm}),
        dropout_(o.dropout) {
    if (o.class_token) cls_ = s.param("cls_token", {1, 1, o.width}, init::normal(0, 1e-6));
    if (o.registers > 0) registers_ = s.param("reg_token", {1, o.registers, o.width}, init::normal(0, 1e-6));
    positions_ = s.param("pos_embed", {1, (o.class_token ? 1 : 0) + o.registers + o.side() * o.side(), o.width},
                         init::truncated_normal(0.02));
    if (o.pre_norm) norm_pre_.emplace(s / "norm_pre", o.width, o.eps);
    for (int i = 0; i < o.depth; ++i) {
      layers_.emplace_back(s / "blocks" / i, o, o.depth > 1 ? o.drop_path * i / (o.depth - 1) : 0);
      offer("block" + std::to_string(i + 1), o.width, o.patch);
    }
    norm_.emplace(s / (o.mean ? "fc_norm" : "norm"), o.width, o.eps);
    offer("pooled", o.width, o.size);
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    check(x.dim(2) % options_.patch == 0 && x.dim(3) % options_.patch == 0,
          "expected height and width that are multiples of the patch, ", options_.patch, "; got ", x.dim(2), "x", x.dim(3));
    const Grid g{x.dim(2) / options_.patch, x.dim(3) / options_.patch};
    Var y = embedded(x, g);
    Vars out;
    for (std::size_t i = 0; i < layers_.size() && out.size() < count; ++i) {
      y = layers_[i](y, g);
      give(out, as_map(y, g));
    }
    if (out.size() < count) give(out, pooled(y));
    return out;
  }

 private:
  Var patches(const Var& y) const { return slice(y, 1, options_.prefix(), y.dim(1)); }
  Var as_map(const Var& y, Grid g) const {
    return permute(reshape(patches(y), {y.dim(0), g.height, g.width, options_.width}), {0, 3, 1, 2});
  }
  Var pooled(const Var& y) const {
    if (options_.mean) return (*norm_)(mean(patches(y), {1}, false));
    return reshape((*norm_)(slice(y, 1, 0, 1)), {y.dim(0), options_.width});
  }

  Var embedded(const Var& x, Grid g) const {
    const Var map = proj_(x);
    const std::int64_t n = x.dim(0), c = options_.width;
    Vars parts;
    if (cls_.defined()) parts.push_back(expand(cls_, {n, 1, c}));
    if (registers_.defined()) parts.push_back(expand(registers_, {n, options_.registers, c}));
    parts.push_back(reshape(permute(map, {0, 2, 3, 1}), {n, g.height * g.width, c}));
    const Var tokens = parts.size() == 1 ? parts[0] : concat(parts, 1);
    const Var y = dropout_(tokens + positions(g));
    return norm_pre_ ? (*norm_pre_)(y) : y;
  }

  Var positions(Grid g) const {
    const std::int64_t side = options_.side(), c = options_.width, prefix = options_.prefix();
    if (g.height == side && g.width == side) return positions_;
    const Var map = permute(reshape(slice(positions_, 1, prefix, prefix + side * side), {1, side, side, c}), {0, 3, 1, 2});
    const Var moved =
        reshape(permute(resize(map, g.height, g.width, Resize::bilinear), {0, 2, 3, 1}), {1, g.height * g.width, c});
    return prefix > 0 ? concat({slice(positions_, 1, 0, prefix), moved}, 1) : moved;
  }

  Options options_;
  ConvSlot proj_;
  Var cls_, registers_, positions_;
  Dropout dropout_;
  std::optional<LayerNorm> norm_pre_, norm_;
  std::vector<Layer> layers_;
};

std::unique_ptr<Block> make_vit_of(const Scope& scope, std::int64_t channels, Args& args, Options o) {
  o.size = args.get("size", o.size, "side of the pictures that the position embeddings are for", {1, 16384});
  o.patch = args.get("patch", o.patch, "side of a patch", {1, 1024});
  o.width = args.get("width", o.width, "channels of a token", {1, 65536});
  o.depth = args.get("depth", o.depth, "number of blocks", {1, 4096});
  o.heads = args.get("heads", o.heads, "attention heads; they divide the width");
  o.mlp_ratio = args.get("mlp_ratio", o.mlp_ratio, "width of the MLP's inside, times the token's", {0, 64});
  o.class_token = args.get("class_token", true, "a token of its own for the whole picture");
  const std::string pool =
      args.get("pool", o.class_token ? "token" : "mean", "what stands for the picture: token, or mean of the patches");
  o.registers = args.get("registers", 0, "further tokens without meaning of their own", {0, 4096});
  o.qkv_bias = args.get("qkv_bias", true, "bias of q, k and v");
  o.qk_norm = args.get("qk_norm", false, "layer norm of each head's q and k");
  o.pre_norm = args.get("pre_norm", false, "a norm in front of the first block (CLIP)");
  o.layer_scale = args.get("layer_scale", 0.0, "initial factor of the branches; 0: none");
  o.eps = args.get("eps", 1e-6, "of the norms");
  o.dropout = args.get("dropout", 0.0, "in training, of tokens and inside the blocks");
  o.drop_path =
      args.get("drop_path", 0.0, "share of samples that skip a branch of the last block in training; earlier ones less");
  o.attention = args.get("attention", "vit_attention", "which block of tokens attends");
  check(o.patch > 0 && o.size >= o.patch && o.size % o.patch == 0, args.where(), ": size: expected a multiple of the patch, ",
        o.patch, "; got ", o.size);
  check(o.width > 0 && o.depth > 0 && o.heads > 0 && o.width % o.heads == 0 && o.mlp_ratio > 0 && o.registers >= 0, args.where(),
        ": expected positive width, depth and heads, the heads dividing the width; got ", o.width, ", ", o.depth, ", ", o.heads);
  check(pool == "mean" || (pool == "token" && o.class_token), args.where(), ": pool: expected ",
        o.class_token ? "token or mean" : "mean", ", got '", pool, "'");
  o.mean = pool == "mean";
  return std::make_unique<Vit>(scope, channels, o);
}

Options of(int width, int heads) {
  Options o;
  o.width = width, o.heads = heads;
  return o;
}

constexpr const char* kText = "transformer on patches";
constexpr const char* kPaper = "Dosovitskiy et al. 2021, arXiv:2010.11929";

}  // namespace

FOVEA_BACKBONE(vit_tiny, kText, kPaper) { return make_vit_of(scope, channels, args, of(192, 3)); }
FOVEA_BACKBONE(vit_small, kText, kPaper) { return make_vit_of(scope, channels, args, of(384, 6)); }
FOVEA_BACKBONE(vit_base, kText, kPaper) { return make_vit_of(scope, channels, args, of(768, 12)); }

}  // namespace fovea
