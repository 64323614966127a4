#include "modules/attention/self/window_attention.hpp"

#include "modules/attention/self/heads.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/reshape.hpp"

namespace fovea {
namespace {

Extent extent(const std::vector<int>& sides, const std::string& name) {
  check(sides.size() == 1 || sides.size() == 2, name, ": expected one side or two, rows and columns, got ", sides.size());
  return {sides.front(), sides.back()};
}

}  // namespace

WindowOptions window_options(Args& args, std::int64_t channels, int version, const std::string& name) {
  WindowOptions o;
  o.window = extent(args.list("window", std::vector<int>{7}, "side of the window, or its rows and columns", {1, 128}), name);
  if (version == 2)
    o.pretrained = extent(
        args.list("pretrained_window", std::vector<int>{0}, "window that the weights were trained with; 0: the same", {0, 1024}),
        name);
  o.heads = args.get("heads", 1, "attention heads; they divide the channels");
  o.qkv_bias = args.get("qkv_bias", true, version == 2 ? "bias of q and v" : "bias of q, k and v");
  if (version == 1) o.scale = args.get("scale", 0.0, "factor of the scores; 0: 1 / sqrt(width of a head)");
  o.drop.weights = args.get("attn_drop", 0.0, "dropout of the weights in training");
  o.drop.heads = args.get("head_drop", 0.0, "share of heads left out in training");
  o.proj_drop = args.get("proj_drop", 0.0, "dropout of the result in training");
  check(o.window.rows > 0 && o.window.columns > 0, name, ": expected a window of at least 1x1, got ", o.window.rows, "x",
        o.window.columns);
  check(o.heads > 0 && channels % o.heads == 0, name, ": expected heads that divide ", channels, " channels, got ", o.heads);
  o.drop.check_range(name);
  return o;
}

WindowAttention::WindowAttention(const Scope& s, std::int64_t c, const WindowOptions& o)
    : Block(s),
      options_(o),
      path_(s.path()),
      proj_(s / "proj", {.in = c, .out = c, .init = init::truncated_normal(0.02)}),
      proj_drop_(o.proj_drop) {}

Var WindowAttention::run(const Var& x, const WindowGrid& grid) const {
  const PathScope where(path_);
  check_windows(x, grid.window());
  const WindowHeads h = heads(x, grid.window());
  const Var mask = grid.mask();
  if (grid.windows() > 1 && wants_tap("received"))
    tap("received", grid.received(attention_weights(h.q, h.k, mask, h.bias, h.options)));
  return attended(h, mask);
}

Vars WindowAttention::forward(const Vars& in) const {
  check(in.size() == 1 || in.size() == 2, "expected windows and perhaps a mask, got ", in.size(), " values");
  check_windows(in[0], options_.window);
  Var mask = in.size() == 2 ? in[1] : Var();
  if (mask.defined() && mask.shape().rank() == 3) mask = reshape(mask, {mask.dim(0), 1, mask.dim(1), mask.dim(2)});
  return {attended(heads(in[0], options_.window), mask)};
}

Var WindowAttention::attended(const WindowHeads& h, const Var& mask) const {
  return proj_drop_(proj_(merge_heads(attend(h.q, h.k, h.v, mask, h.bias, h.options, options_.drop, true))));
}

void WindowAttention::check_windows(const Var& x, Extent window) {
  check(x.shape().rank() == 3 && x.dim(1) == window.area(), "expected windows of ", window.area(), " tokens, got ", x.shape());
}

std::unique_ptr<WindowAttention> window_attention(int version, const Scope& s, std::int64_t c, const WindowOptions& o) {
  return version == 2 ? window_attention_v2(s, c, o) : window_attention_v1(s, c, o);
}

}  // namespace fovea
