// Swin block on maps N x C x H x W. v1: x + attention(LN x), x + MLP(LN x). v2 norms what is added: x + LN(attention x),
// x + LN(MLP x). Odd blocks shift the windows by half their side, with -100 between tokens that were no neighbours.
// Liu et al. 2021, arXiv:2103.14030; Liu et al. 2022, arXiv:2111.09883. MLP: fc2(gelu(fc1 x)).
// Where the map is not larger than the window, the window becomes the map's smaller side and is not shifted; other sizes are padded.
// Parameters norm1, norm2: weight, bias; attn.*: see swin_window.cpp, swin_window_v2.cpp; mlp.fc1, mlp.fc2: weight, bias.
// Taps "attn.attention": N windows x heads x area x area; "attn.attention_mean"; "attn.received", where there are several windows:
// N x heads x 1 x HW, how much each position of the map is looked at on average, the shift undone.
#include "modules/attention/self/swin_block.hpp"

#include "modules/attention/self/tokens.hpp"
#include "modules/core/whole.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

struct Options {
  int version;
  WindowOptions window;
  Extent shift;
  bool square, pad_first;
  double mlp_ratio, dropout, drop_path, eps;
};

// The window and shift for a map: the smaller side for both axes as the authors have it, or each axis by itself (timm).
std::pair<Extent, Extent> fitting(Extent map, Extent window, Extent shift, bool square) {
  const bool rows = map.rows <= window.rows, columns = map.columns <= window.columns;
  if (square) {
    if (!rows && !columns) return {window, shift};
    const std::int64_t side = std::min(map.rows, map.columns);
    return {{side, side}, {0, 0}};
  }
  return {{rows ? map.rows : window.rows, columns ? map.columns : window.columns},
          {rows ? 0 : shift.rows, columns ? 0 : shift.columns}};
}

// Stochastic depth: in training whole samples lose the branch, the others are scaled up. Huang et al. 2016, arXiv:1603.09382.
Var drop_path(const Var& x, double probability) {
  if (!Training::active() || probability <= 0) return x;
  std::vector<float> factors;
  for (std::int64_t n = 0; n < x.dim(0); ++n)
    factors.push_back(Training::random().uniform() < probability ? 0.0f : static_cast<float>(1 / (1 - probability)));
  return x * Var(Tensor::from(factors, {x.dim(0), 1, 1}));
}

class SwinBlock final : public MapBlock {
 public:
  SwinBlock(const Scope& s, std::int64_t c, const Options& o)
      : MapBlock(s),
        options_(o),
        norm1_(s / "norm1", c, o.eps),
        norm2_(s / "norm2", c, o.eps),
        attention_(window_attention(o.version, s / "attn", c, o.window)),
        fc1_(s / "mlp" / "fc1", {.in = c, .out = hidden(c, o), .init = init::truncated_normal(0.02)}),
        fc2_(s / "mlp" / "fc2", {.in = hidden(c, o), .out = c, .init = init::truncated_normal(0.02)}),
        dropout_(o.dropout) {}

 protected:
  Var forward(const Var& x) const override {
    check(x.shape().rank() == 4, "expected a map N x C x H x W, got ", x.shape());
    const Extent map{x.dim(2), x.dim(3)};
    Var t = to_tokens(x);
    if (options_.version == 1) {
      t = t + drop_path(attend_windows(norm1_(t), map), options_.drop_path);
      t = t + drop_path(mlp(norm2_(t)), options_.drop_path);
    } else {
      t = t + drop_path(norm1_(attend_windows(t, map)), options_.drop_path);
      t = t + drop_path(norm2_(mlp(t)), options_.drop_path);
    }
    return to_map(t, map.rows, map.columns);
  }

 private:
  static std::int64_t hidden(std::int64_t c, const Options& o) {
    return std::max<std::int64_t>(1, whole(static_cast<double>(c) * o.mlp_ratio, "swin_block: channels * mlp_ratio"));
  }

  Var attend_windows(const Var& t, Extent map) const {
    const auto [window, shift] = fitting(map, options_.window.window, options_.shift, options_.square);
    const WindowGrid grid(map, window, shift, options_.pad_first);
    return grid.join(attention_->run(grid.cut(t), grid));
  }

  Var mlp(const Var& t) const { return dropout_(fc2_(dropout_(gelu(fc1_(t))))); }

  Options options_;
  LayerNorm norm1_, norm2_;
  std::unique_ptr<WindowAttention> attention_;
  Linear fc1_, fc2_;
  Dropout dropout_;
};

Extent sides(Args& args, const char* name, Extent fallback, const char* text) {
  const auto given = args.list(name, {static_cast<int>(fallback.rows), static_cast<int>(fallback.columns)}, text);
  check(given.size() == 1 || given.size() == 2, name, ": expected one side or two, rows and columns, got ", given.size());
  return {given.front(), given.back()};
}

}  // namespace

std::unique_ptr<Block> swin_block(int version, const std::string& name, const Scope& scope, std::int64_t channels, Args& args) {
  Options o;
  o.version = version;
  o.window = window_options(args, channels, version, name);
  o.shift = sides(args, "shift", {0, 0}, "shift of the windows, usually half their side in every second block");
  const Extent map = sides(args, "resolution", {0, 0}, "rows and columns of the maps, where known: fits the window at once");
  const std::string clip = args.get("clip", "square", "window on small maps: square (the smaller side) or axis (each by itself)");
  const std::string order =
      args.get("padding", "before_shift", "pads before_shift (the authors, torchvision) or after_shift (timm)");
  check(clip == "square" || clip == "axis", name, ": expected clip: square or axis, got ", clip);
  check(order == "before_shift" || order == "after_shift", name, ": expected padding: before_shift or after_shift, got ", order);
  o.square = clip == "square" && o.window.window.rows == o.window.window.columns;
  o.pad_first = order == "before_shift";
  o.mlp_ratio = args.get("mlp_ratio", 4.0, "width of the MLP / channels", {0, 64});
  o.dropout = args.get("dropout", 0.0, "dropout in the MLP, in training");
  o.drop_path = args.get("drop_path", 0.0, "share of samples that skip a branch, in training");
  o.eps = args.get("eps", 1e-5, "of the norms");
  check(o.mlp_ratio > 0 && o.drop_path >= 0 && o.drop_path < 1, name,
        ": expected mlp_ratio above 0 and drop_path in [0, 1), got ", o.mlp_ratio, " and ", o.drop_path);
  if (map.area() > 0) std::tie(o.window.window, o.shift) = fitting(map, o.window.window, o.shift, o.square);
  check(o.shift.rows >= 0 && o.shift.rows < o.window.window.rows && o.shift.columns >= 0 &&
            o.shift.columns < o.window.window.columns,
        name, ": expected a shift below the window, got ", o.shift.rows, "x", o.shift.columns);
  return std::make_unique<SwinBlock>(scope, channels, o);
}

FOVEA_BLOCK(swin_block, "attention in (shifted) windows, then an MLP", "Liu et al. 2021, arXiv:2103.14030") {
  return swin_block(1, "swin_block", scope, channels, args);
}

}  // namespace fovea
