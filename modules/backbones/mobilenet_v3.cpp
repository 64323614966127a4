// MobileNetV3: inverted residuals with squeeze-and-excitation and hard swish. Howard et al. 2019, arXiv:1905.02244. Parameter names are
// torchvision's: features.0.0, features.0.1, features.1.block.0.0, ..., features.4.block.2.fc1 (SE), ..., features.16.1. The classifier is the
// head's: {type: classify, hidden: [1280], activation: hard_swish, dropout: 0.2} (small: 1024). `padding: same` as in mobilenet_v2.
// Features: the last map of each stride by its path, and the widened last one. Slots of each block: its convolutions by path, post_expand,
// post_depthwise (in front of its own attention), pre_add, post_add, after_block; after_stem.
#include <algorithm>

#include "modules/core/whole.hpp"
#include "modules/nn/backbone.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

enum class Act : std::uint8_t { none, relu, hard_swish };

struct Row {
  int kernel, expanded, out;
  bool attention, swish;
  int stride;
};
const std::vector<Row> kLarge{{3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1},
                              {5, 72, 40, true, false, 2},  {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1},
                              {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1}, {3, 184, 80, false, true, 1},
                              {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
                              {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1}};
const std::vector<Row> kSmall{{3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1},
                              {5, 96, 40, true, true, 2},  {5, 240, 40, true, true, 1},  {5, 240, 40, true, true, 1},
                              {5, 120, 48, true, true, 1}, {5, 144, 48, true, true, 1},  {5, 288, 96, true, true, 2},
                              {5, 576, 96, true, true, 1}, {5, 576, 96, true, true, 1}};

struct Options {
  double width = 1, eps = 1e-3, momentum = 0.01;
  bool same = false;
  std::string attention;
  // The nearest multiple of 8 that does not lose more than a tenth.
  static int rounded(double v) {
    const int r = std::max(8, whole<int>(v + 4, "mobilenet_v3: channels * width") / 8 * 8);
    return r < 0.9 * v ? r + 8 : r;
  }
  int scaled(int channels) const { return rounded(channels * width); }
};

class ConvNorm {
 public:
  ConvNorm(const Scope& s, std::int64_t in, std::int64_t out, int kernel, int stride, std::int64_t groups, Act act,
           const Options& o)
      : conv_(s, "0",
              {.in = in,
               .out = out,
               .kernel = kernel,
               .stride = stride,
               .pad = kernel / 2,
               .groups = groups,
               .bias = false,
               .init = init::kaiming_normal(0, init::Fan::out),
               .same = o.same}),
        bn_(s / 1, out, {.momentum = o.momentum, .eps = o.eps}),
        act_(act) {}
  Var operator()(const Var& x) const {
    const Var y = bn_(conv_(x));
    return act_ == Act::none ? y : act_ == Act::relu ? relu(y) : hard_swish(y);
  }

 private:
  ConvSlot conv_;
  BatchNorm2d bn_;
  Act act_;
};

std::unique_ptr<Block> make_attention(const Scope& s, std::int64_t expanded, const Options& o) {
  if (o.attention != "se") return Registry::global().make(o.attention, s, expanded);
  const int hidden = Options::rounded(static_cast<double>(expanded) / 4);
  return Registry::global().make("se", s, expanded, Args("", {{"hidden", std::to_string(hidden)}, {"gate", "hard_sigmoid"}}));
}

class InvertedResidual {
 public:
  InvertedResidual(const Scope& s, std::int64_t in, const Row& row, const Options& o)
      : residual_(row.stride == 1 && in == o.scaled(row.out)),
        post_expand_(s, "post_expand", o.scaled(row.expanded)),
        post_depthwise_(s, "post_depthwise", o.scaled(row.expanded)),
        pre_add_(s, "pre_add", o.scaled(row.out)),
        post_add_(s, "post_add", o.scaled(row.out)) {
    const std::int64_t expanded = o.scaled(row.expanded);
    const Act act = row.swish ? Act::hard_swish : Act::relu;
    int index = 0;
    if (expanded != in) expand_.emplace(s / "block" / index++, in, expanded, 1, 1, 1, act, o);
    depthwise_.emplace(s / "block" / index++, expanded, expanded, row.kernel, row.stride, expanded, act, o);
    if (row.attention && o.attention != "none") attention_ = make_attention(s / "block" / index++, expanded, o);
    project_.emplace(s / "block" / index, expanded, o.scaled(row.out), 1, 1, 1, Act::none, o);
  }
  Var operator()(const Var& x) const {
    Var y = post_depthwise_((*depthwise_)(post_expand_(expand_ ? (*expand_)(x) : x)));
    if (attention_) y = (*attention_)(y);
    y = pre_add_((*project_)(y));
    return post_add_(residual_ ? x + y : y);
  }

 private:
  bool residual_;
  std::optional<ConvNorm> expand_, depthwise_, project_;
  std::unique_ptr<Block> attention_;
  Slot post_expand_, post_depthwise_, pre_add_, post_add_;
};

class MobileNetV3 final : public Backbone {
 public:
  MobileNetV3(const Scope& s, std::int64_t channels, const std::vector<Row>& rows, const Options& o)
      : Backbone(s),
        stem_(s / "features" / 0, channels, o.scaled(16), 3, 2, 1, Act::hard_swish, o),
        after_stem_(s, "after_stem", o.scaled(16)) {
    std::int64_t in = o.scaled(16);
    int stride = 2;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Scope place = s / "features" / static_cast<std::int64_t>(i + 1);
      blocks_.emplace_back(place, in, rows[i], o);
      in = o.scaled(rows[i].out);
      after_block_.emplace_back(place, "after_block", in);
      stride *= rows[i].stride;
      if (i + 1 < rows.size() && rows[i + 1].stride == 1) continue;
      ends_.push_back(i + 1);
      offer("features." + std::to_string(i + 1), in, stride);
    }
    last_.emplace(s / "features" / static_cast<std::int64_t>(rows.size() + 1), in, 6 * in, 1, 1, 1, Act::hard_swish, o);
    offer("features." + std::to_string(rows.size() + 1), 6 * in, stride);
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    Vars out;
    Var y = after_stem_(stem_(x));
    for (std::size_t i = 0; i < blocks_.size() && out.size() < count; ++i) {
      y = after_block_[i](blocks_[i](y));
      if (ends_[out.size()] == i + 1) y = give(out, y);
    }
    if (out.size() < count) give(out, (*last_)(y));
    return out;
  }

 private:
  ConvNorm stem_;
  Slot after_stem_;
  std::vector<InvertedResidual> blocks_;
  std::vector<Slot> after_block_;
  std::vector<std::size_t> ends_;
  std::optional<ConvNorm> last_;
};

std::unique_ptr<Block> make_v3(const Scope& scope, std::int64_t channels, Args& args, std::vector<Row> rows) {
  Options o;
  o.width = args.get("width", 1.0, "multiplies all channel counts", {0, 64});
  const std::string padding = args.get("padding", "symmetric", "symmetric, or same: as TensorFlow pads strided convolutions");
  const bool dilated = args.get("reduced_tail", false, "half the channels in the last stage");
  o.eps = args.get("eps", 1e-3, "of the norms; timm's weights want 1e-5, or 1e-3 when they came from TensorFlow");
  o.momentum = args.get("momentum", 0.01, "of the norms' statistics");
  o.attention = args.get("attention", "se", "which block stands inside: se, none or another that takes one map");
  check(o.width > 0 && o.width < 16, args.where(), ": width: expected a factor above 0, got ", o.width);
  check(padding == "symmetric" || padding == "same", args.where(), ": padding: expected symmetric or same, got '", padding, "'");
  o.same = padding == "same";
  if (dilated) {
    const int last_stage = 3;
    for (std::size_t i = rows.size() - last_stage; i < rows.size(); ++i) {
      rows[i].out /= 2;
      if (i + last_stage > rows.size()) rows[i].expanded /= 2;
    }
  }
  return std::make_unique<MobileNetV3>(scope, channels, rows, o);
}

constexpr const char* kPaper = "Howard et al. 2019, arXiv:1905.02244";

}  // namespace

FOVEA_BACKBONE(mobilenet_v3_large, "inverted residuals with squeeze-and-excitation", kPaper) {
  return make_v3(scope, channels, args, kLarge);
}
FOVEA_BACKBONE(mobilenet_v3_small, "inverted residuals with squeeze-and-excitation", kPaper) {
  return make_v3(scope, channels, args, kSmall);
}

}  // namespace fovea
