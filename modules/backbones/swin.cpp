// Swin transformer: blocks of attention in (shifted) windows, patches merged between stages. Liu et al. 2021, arXiv:2103.14030; v2 with cosine
// attention and norms behind the branches: Liu et al. 2022, arXiv:2111.09883. Names are microsoft/Swin-Transformer's: patch_embed.proj,
// patch_embed.norm, layers.0.blocks.0.*, layers.0.downsample.{reduction, norm}, ..., norm. The blocks are swin_block and swin_block_v2.
// Features: stage1, stage2, ... in front of each merging; norm, the last one normalised (what a classifier takes). Slots: patch_embed.proj
// (a convolution), after_block of each block, after_stage of each stage.
#include <algorithm>

#include "modules/nn/backbone.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/pad.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"

namespace fovea {
namespace {

struct Options {
  int version = 1, size = 224, patch = 4, width = 96;
  std::vector<int> depths, heads, window, pretrained;
  double mlp_ratio = 4, dropout = 0, attn_drop = 0, drop_path = 0, eps = 1e-5;
  bool qkv_bias = true, patch_norm = true, absolute = false, timm = false;

  std::size_t stages() const { return depths.size(); }
  std::int64_t channels(std::size_t stage) const { return static_cast<std::int64_t>(width) << stage; }
  int side(std::size_t stage) const { return std::max(1, (size / patch) >> stage); }
};

Var places_first(const Var& x) { return permute(x, {0, 2, 3, 1}); }  // N x H x W x C, as norms and linear layers want it
Var channels_first(const Var& x) { return permute(x, {0, 3, 1, 2}); }

// 2 x 2 patches become one of twice the channels; v1 norms in front of the reduction, v2 behind it.
class Merging {
 public:
  Merging(const Scope& s, std::int64_t c, const Options& o)
      : reduction_(s / "reduction", {.in = 4 * c, .out = 2 * c, .bias = false, .init = init::truncated_normal(0.02)}),
        norm_(s / "norm", o.version == 1 ? 4 * c : 2 * c, o.eps),
        norm_first_(o.version == 1) {}
  Var operator()(const Var& map) const {
    const std::int64_t odd_rows = map.dim(2) % 2, odd_columns = map.dim(3) % 2;
    const Var x = odd_rows + odd_columns == 0 ? map : pad2d(map, {.right = odd_columns, .bottom = odd_rows});
    Vars parts;
    for (const int column : {0, 1})
      for (const int row : {0, 1}) parts.push_back(slice(slice(x, 2, row, x.dim(2), 2), 3, column, x.dim(3), 2));
    const Var joined = places_first(concat(parts, 1));
    return channels_first(norm_first_ ? reduction_(norm_(joined)) : norm_(reduction_(joined)));
  }

 private:
  Linear reduction_;
  LayerNorm norm_;
  bool norm_first_;
};

class Stage {
 public:
  Stage(const Scope& s, std::size_t index, int first_block, int all_blocks, const Options& o)
      : after_stage_(s, "after_stage", o.channels(index)) {
    for (int k = 0; k < o.depths[index]; ++k) {
      const Scope place = s / "blocks" / k;
      const double drop = all_blocks > 1 ? o.drop_path * (first_block + k) / (all_blocks - 1) : 0;
      blocks_.push_back(make_block(place, index, k % 2 == 1, drop, o));
      after_.emplace_back(place, "after_block", o.channels(index));
    }
    if (index + 1 < o.stages()) merging_.emplace(s / "downsample", o.channels(index), o);
  }
  Var operator()(const Var& x) const {
    Var y = x;
    for (std::size_t i = 0; i < blocks_.size(); ++i) y = after_[i]((*blocks_[i])(y));
    return after_stage_(y);
  }
  Var merged(const Var& y) const { return merging_ ? (*merging_)(y) : y; }

 private:
  static std::unique_ptr<Block> make_block(const Scope& s, std::size_t stage, bool shifted, double drop, const Options& o) {
    std::map<std::string, std::string> values{
        {"heads", std::to_string(o.heads[stage])},   {"mlp_ratio", std::to_string(o.mlp_ratio)},
        {"qkv_bias", o.qkv_bias ? "true" : "false"}, {"dropout", std::to_string(o.dropout)},
        {"proj_drop", std::to_string(o.dropout)},    {"attn_drop", std::to_string(o.attn_drop)},
        {"drop_path", std::to_string(drop)}};
    if (o.timm) values["padding"] = "after_shift", values["clip"] = "axis";
    Args::Lists lists;
    for (const int side : o.window) {
      lists["window"].push_back(std::to_string(side));
      lists["shift"].push_back(std::to_string(shifted ? side / 2 : 0));
    }
    if (o.size > 0) lists["resolution"] = {std::to_string(o.side(stage)), std::to_string(o.side(stage))};
    if (o.version == 2) lists["pretrained_window"] = {std::to_string(o.pretrained[stage])};
    return Registry::global().make(o.version == 2 ? "swin_block_v2" : "swin_block", s, o.channels(stage),
                                   Args(s.path(), std::move(values), {}, std::move(lists)));
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<Slot> after_;
  Slot after_stage_;
  std::optional<Merging> merging_;
};

class Swin final : public Backbone {
 public:
  Swin(const Scope& s, std::int64_t channels, const Options& o)
      : Backbone(s),
        options_(o),
        proj_(s / "patch_embed", "proj", {.in = channels, .out = o.width, .kernel = o.patch, .stride = o.patch}),
        dropout_(o.dropout),
        norm_(s / "norm", o.channels(o.stages() - 1), o.eps) {
    if (o.patch_norm) patch_norm_.emplace(s / "patch_embed" / "norm", o.width, o.eps);
    if (o.absolute)
      positions_ = s.param("absolute_pos_embed", {1, static_cast<std::int64_t>(o.side(0)) * o.side(0), o.width},
                           init::truncated_normal(0.02));
    int blocks = 0, all = 0;
    for (const int depth : o.depths) all += depth;
    for (std::size_t i = 0; i < o.stages(); ++i) {
      stages_.emplace_back(s / "layers" / static_cast<std::int64_t>(i), i, blocks, all, o);
      blocks += o.depths[i];
      offer("stage" + std::to_string(i + 1), o.channels(i), o.patch << i);
    }
    offer("norm", o.channels(o.stages() - 1), o.patch << (o.stages() - 1));
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    Var y = embedded(x);
    Vars out;
    for (std::size_t i = 0; i < stages_.size() && out.size() < count; ++i) {
      y = give(out, stages_[i](y));
      if (out.size() < count) y = stages_[i].merged(y);
    }
    if (out.size() < count) give(out, channels_first(norm_(places_first(y))));
    return out;
  }

 private:
  Var embedded(const Var& x) const {
    const std::int64_t patch = options_.patch, below = (patch - x.dim(2) % patch) % patch,
                       right = (patch - x.dim(3) % patch) % patch;
    const Var map = proj_(below + right == 0 ? x : pad2d(x, {.right = right, .bottom = below}));
    Var y = patch_norm_ ? channels_first((*patch_norm_)(places_first(map))) : map;
    if (positions_.defined()) {
      const std::int64_t side = options_.side(0);
      check(y.dim(2) == side && y.dim(3) == side, "expected pictures of ", options_.size, "x", options_.size,
            " for the absolute positions, got ", x.dim(2), "x", x.dim(3));
      y = y + channels_first(reshape(positions_, {1, side, side, options_.width}));
    }
    return dropout_(y);
  }

  Options options_;
  ConvSlot proj_;
  std::optional<LayerNorm> patch_norm_;
  Var positions_;
  Dropout dropout_;
  std::vector<Stage> stages_;
  LayerNorm norm_;
};

std::unique_ptr<Block> make_swin_of(const Scope& scope, std::int64_t channels, Args& args, Options o) {
  o.size = args.get("size", o.version == 2 ? 256 : 224,
                    "side of the pictures that windows are fitted to; 0: any, windows fit as they come", {0, 16384});
  o.patch = args.get("patch", 4, "side of a patch", {1, 1024});
  o.width = args.get("width", o.width, "channels of the first stage, twice as many in each next", {1, 65536});
  o.depths = args.list("depths", o.depths, "blocks of each stage", {1, 4096});
  o.heads = args.list("heads", o.heads, "attention heads of each stage", {1, 4096});
  o.window = args.list("window", std::vector<int>{o.version == 2 ? 8 : 7}, "side of the windows, or rows and columns", {1, 128});
  o.mlp_ratio = args.get("mlp_ratio", 4.0, "width of the MLPs' inside / channels", {0, 64});
  o.qkv_bias = args.get("qkv_bias", true, "bias of the attention's first layer");
  o.patch_norm = args.get("patch_norm", true, "a norm behind the first convolution");
  o.absolute = args.get("absolute_positions", false, "learnt positions of every patch, besides the relative ones");
  o.dropout = args.get("dropout", 0.0, "in training, of tokens and inside the blocks");
  o.attn_drop = args.get("attn_drop", 0.0, "dropout of the attention's weights in training");
  o.drop_path =
      args.get("drop_path", 0.0, "share of samples that skip a branch of the last block in training; earlier ones less");
  o.eps = args.get("eps", 1e-5, "of the norms of patches and merging");
  const std::string style = args.get("style", "authors", "how windows meet small and odd maps: authors or timm");
  if (o.version == 2)
    o.pretrained = args.list("pretrained_windows", std::vector<int>(o.stages(), 0),
                             "window of each stage that the weights were trained with", {0, 1024});
  check(style == "authors" || style == "timm", args.where(), ": style: expected authors or timm, got '", style, "'");
  o.timm = style == "timm";
  check(!o.depths.empty() && o.depths.size() == o.heads.size() && o.stages() <= 8, args.where(),
        ": depths and heads must have one number a stage, got ", o.depths.size(), " and ", o.heads.size());
  check(o.version == 1 || o.pretrained.size() == o.stages(), args.where(), ": pretrained_windows: expected one number a stage");
  check(*std::min_element(o.depths.begin(), o.depths.end()) > 0 && o.width > 0 && o.patch > 0 && o.size >= 0 && o.mlp_ratio > 0,
        args.where(), ": depths, width, patch and mlp_ratio must be positive");
  check(!o.absolute || o.size > 0, args.where(), ": absolute_positions want a size");
  return std::make_unique<Swin>(scope, channels, o);
}

Options of(int version, int width, std::vector<int> depths, std::vector<int> heads) {
  Options o;
  o.version = version, o.width = width, o.depths = std::move(depths), o.heads = std::move(heads);
  return o;
}

constexpr const char* kText = "transformer in shifted windows";
constexpr const char* kPaper = "Liu et al. 2021, arXiv:2103.14030";
constexpr const char* kPaper2 = "Liu et al. 2022, arXiv:2111.09883";

}  // namespace

FOVEA_BACKBONE(swin_tiny, kText, kPaper) { return make_swin_of(scope, channels, args, of(1, 96, {2, 2, 6, 2}, {3, 6, 12, 24})); }
FOVEA_BACKBONE(swin_small, kText, kPaper) {
  return make_swin_of(scope, channels, args, of(1, 96, {2, 2, 18, 2}, {3, 6, 12, 24}));
}
FOVEA_BACKBONE(swin_base, kText, kPaper) {
  return make_swin_of(scope, channels, args, of(1, 128, {2, 2, 18, 2}, {4, 8, 16, 32}));
}
FOVEA_BACKBONE(swin_v2_tiny, kText, kPaper2) {
  return make_swin_of(scope, channels, args, of(2, 96, {2, 2, 6, 2}, {3, 6, 12, 24}));
}
FOVEA_BACKBONE(swin_v2_small, kText, kPaper2) {
  return make_swin_of(scope, channels, args, of(2, 96, {2, 2, 18, 2}, {3, 6, 12, 24}));
}

}  // namespace fovea
