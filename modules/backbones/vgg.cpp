// VGG: 3x3 convolutions and max pooling. Simonyan and Zisserman 2015, arXiv:1409.1556; with batch norm as in torchvision's vgg*_bn, whose
// parameter names these are: features.0 (convolution, with bias), features.1 (norm), features.3, ... counting activations and pools.
// The classifier is the head's: {type: classify, grid: 7, hidden: [4096, 4096], dropout: 0.5}.
// Features: stage1, stage2, ... in front of each pooling; pool, behind the last. Slots: each convolution by its path, post_act behind its
// activation, after_stage of each stage in front of its pooling.
#include <charconv>

#include "modules/nn/backbone.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/pool2d.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

constexpr int kPool = 0;  // in a list of widths
constexpr int kWidest = 65536;

class Convolution {
 public:
  Convolution(const Scope& s, int index, std::int64_t in, std::int64_t out, bool norm)
      : conv_(s, std::to_string(index),
              {.in = in, .out = out, .kernel = 3, .pad = 1, .init = init::kaiming_normal(0, init::Fan::out)}),
        post_(s / index, "post_act", out) {
    if (norm) bn_.emplace(s / (index + 1), out);
  }
  Var operator()(const Var& x) const { return post_(relu(bn_ ? (*bn_)(conv_(x)) : conv_(x))); }

 private:
  ConvSlot conv_;
  std::optional<BatchNorm2d> bn_;
  Slot post_;
};

class Vgg final : public Backbone {
 public:
  Vgg(const Scope& s, std::int64_t channels, const std::vector<int>& widths, bool norm)
      : Backbone(s), pooled_last_(widths.back() == kPool) {
    std::int64_t in = channels;
    int index = 0, stride = 1;
    stages_.emplace_back();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] == kPool) {
        end_stage(s, in, stride);
        stride *= 2;
        index += 1;
        if (i + 1 < widths.size()) stages_.emplace_back();
        continue;
      }
      stages_.back().emplace_back(s / "features", index, in, widths[i], norm);
      in = widths[i];
      index += norm ? 3 : 2;
    }
    if (pooled_last_) offer("pool", in, stride);
    else end_stage(s, in, stride);
  }

 protected:
  Vars run(const Var& x, std::size_t count) const override {
    Vars out;
    Var y = x;
    for (std::size_t i = 0; i < stages_.size() && out.size() < count; ++i) {
      if (i > 0) y = max_pool2d(y, {.kernel = 2});
      for (const Convolution& conv : stages_[i]) y = conv(y);
      y = give(out, after_[i](y));
    }
    if (out.size() < count) give(out, max_pool2d(y, {.kernel = 2}));
    return out;
  }

 private:
  void end_stage(const Scope& s, std::int64_t channels, int stride) {
    const std::string name = "stage" + std::to_string(after_.size() + 1);
    after_.emplace_back(s / name, "after_stage", channels);
    offer(name, channels, stride);
  }

  bool pooled_last_;
  std::vector<std::vector<Convolution>> stages_;
  std::vector<Slot> after_;
};

// "64", "M", ... as torchvision writes a configuration.
std::vector<int> parse_widths(const Args& args, const std::vector<std::string>& words) {
  std::vector<int> widths;
  for (const std::string& word : words) {
    int width = kPool;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), width);
    const bool number = error == std::errc() && end == word.data() + word.size() && width > 0 && width <= kWidest;
    check(word == "M" || number, args.where(), ": layers: expected channels (1 to ", kWidest, ") or M (pooling), got '", word,
          "'");
    const bool twice = word == "M" && (widths.empty() || widths.back() == kPool);
    check(!twice, args.where(), ": layers: M must follow a convolution");
    widths.push_back(word == "M" ? kPool : width);
  }
  check(!widths.empty(), args.where(), ": layers: expected at least one convolution");
  return widths;
}

std::unique_ptr<Block> make_vgg_of(const Scope& scope, std::int64_t channels, Args& args, const std::vector<int>& blocks) {
  const int widths[] = {64, 128, 256, 512, 512};
  std::vector<std::string> layers;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (int k = 0; k < blocks[i]; ++k) layers.push_back(std::to_string(widths[i]));
    layers.emplace_back("M");
  }
  layers = args.list("layers", layers, "channels of each convolution; M for pooling");
  const bool norm = args.get("batch_norm", true, "batch norm behind every convolution");
  return std::make_unique<Vgg>(scope, channels, parse_widths(args, layers), norm);
}

constexpr const char* kText = "plain 3x3 convolutions and pooling";
constexpr const char* kPaper = "Simonyan and Zisserman 2015, arXiv:1409.1556";

}  // namespace

FOVEA_BACKBONE(vgg11, kText, kPaper) { return make_vgg_of(scope, channels, args, {1, 1, 2, 2, 2}); }
FOVEA_BACKBONE(vgg13, kText, kPaper) { return make_vgg_of(scope, channels, args, {2, 2, 2, 2, 2}); }
FOVEA_BACKBONE(vgg16, kText, kPaper) { return make_vgg_of(scope, channels, args, {2, 2, 3, 3, 3}); }
FOVEA_BACKBONE(vgg19, kText, kPaper) { return make_vgg_of(scope, channels, args, {2, 2, 4, 4, 4}); }

}  // namespace fovea
