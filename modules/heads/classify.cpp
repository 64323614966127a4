// Classification: global average pooling (or pooling to a grid, flattened), hidden layers, dropout, one linear layer.
// Output "logits": N x classes. Parameters: fc.weight, fc.bias; hidden.0.weight, ... The output is a tap, too. A feature of rank 2 (a class token) is taken as it is.
#include <optional>

#include "modules/nn/head.hpp"
#include "modules/nn/norms.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/adaptive_pool.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

HeadInfo info_of(const std::vector<std::string>& classes) {
  const auto count = static_cast<std::int64_t>(classes.size());
  return {"classify", classes, {{"logits", "class logits", {OutputAxis::batch(), OutputAxis::constant(count)}}}};
}

class Classify final : public MapHead {
 public:
  struct Options {
    std::vector<std::string> classes;
    std::vector<int> hidden;
    std::string activation;
    int grid = 1;
    double dropout = 0, stddev = 0;
  };
  Classify(const Scope& s, std::int64_t channels, Options o)
      : MapHead(s, info_of(o.classes)), options_(std::move(o)), dropout_(options_.dropout) {
    std::int64_t in = channels * options_.grid * options_.grid;
    for (std::size_t i = 0; i < options_.hidden.size(); ++i) {
      hidden_.emplace_back(s / "hidden" / static_cast<std::int64_t>(i), linear_of(in, options_.hidden[i]));
      in = options_.hidden[i];
    }
    fc_.emplace(s / "fc", linear_of(in, static_cast<std::int64_t>(options_.classes.size())));
  }

 protected:
  Var forward(const Var& x) const override {
    Var y = pooled(x);
    for (const Linear& layer : hidden_) y = dropout_(options_.activation == "hard_swish" ? hard_swish(layer(y)) : relu(layer(y)));
    return tap("logits", (*fc_)(hidden_.empty() ? dropout_(y) : y));
  }

 private:
  Linear::Options linear_of(std::int64_t in, std::int64_t out) const {
    return {.in = in, .out = out, .init = options_.stddev > 0 ? init::normal(0, options_.stddev) : Init()};
  }
  Var pooled(const Var& x) const {
    if (x.shape().rank() == 2) return x;
    if (options_.grid == 1) return reshape(global_avg_pool(x), {x.dim(0), x.dim(1)});
    return reshape(adaptive_avg_pool2d(x, options_.grid, options_.grid), {x.dim(0), x.dim(1) * options_.grid * options_.grid});
  }

  Options options_;
  std::vector<Linear> hidden_;
  std::optional<Linear> fc_;
  Dropout dropout_;
};

}  // namespace

FOVEA_HEAD(classify, "one of several classes for the whole image", "global average pooling: Lin et al. 2014, arXiv:1312.4400") {
  Classify::Options o;
  o.classes = read_classes(args, 2);
  o.hidden = args.list("hidden", std::vector<int>{}, "widths of hidden layers", {1, 65536});
  o.activation = args.get("activation", "relu", "of hidden layers: relu or hard_swish");
  o.grid = args.get("grid", 1, "side of the grid that the map is pooled to", {1, 64});
  o.dropout = args.get("dropout", 0.0, "probability, in front of the last layer and behind hidden ones");
  o.stddev = args.get("init_std", 0.0, "normal initial weights of this standard deviation; 0: PyTorch's uniform ones");
  check(o.activation == "relu" || o.activation == "hard_swish", args.where(), ": activation: expected relu or hard_swish, got '",
        o.activation, "'");
  check(o.grid > 0 && o.grid <= 64, args.where(), ": grid: expected 1 to 64, got ", o.grid);
  return std::make_unique<Classify>(scope, features.back().channels, std::move(o));
}

}  // namespace fovea
