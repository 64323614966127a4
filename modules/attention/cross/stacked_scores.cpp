// How well pictures and texts fit, Lee et al. 2018, arXiv:1803.08024 (SCAN): for every picture and text, stacked cross attention
// (stacked_attention.hpp) gives each word its regions (direction t2i) or each region its words (i2t); the score gathers the
// cosines of the two.
// Inputs: pictures I x R x D, texts T x W x D, perhaps booleans T x W (true: a word). Result: scores I x T.
// Tap "attention": I x T x W x R, or I x T x R x W.
#include "modules/attention/cross/stacked_attention.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

constexpr double kEps = 1e-8;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

struct Options {
  StackedOptions attention;
  bool words_look;
  std::string gathers;
  double lambda;
};

class StackedScores final : public Block {
 public:
  StackedScores(const Scope& s, Options o) : Block(s), o_(std::move(o)) {}

 protected:
  Vars forward(const Vars& in) const override {
    check(in.size() == 2 || in.size() == 3, "expected pictures, texts and perhaps a mask of words, got ", in.size(), " values");
    check(in[0].shape().rank() == 3 && in[1].shape().rank() == 3 && in[0].dim(2) == in[1].dim(2),
          "expected regions I x R x D and words T x W x D, got ", in[0].shape(), " and ", in[1].shape());
    const std::int64_t pictures = in[0].dim(0), texts = in[1].dim(0), count = in[1].dim(1);
    Var words_there;
    if (in.size() == 3) {
      check(in[2].shape() == Shape{texts, count}, "expected a mask ", Shape{texts, count}, ", got ", in[2].shape());
      words_there = reshape(in[2], {1, texts, 1, count});
    }
    const Var regions = reshape(in[0], {pictures, 1, in[0].dim(1), in[0].dim(2)}),
              words = reshape(in[1], {1, texts, count, in[1].dim(2)});
    const Var& query = o_.words_look ? words : regions;
    const Stacked y = o_.words_look ? stacked_attention(words, regions, o_.attention, words_there)
                                    : stacked_attention(regions, words, o_.attention, {}, words_there);
    tap("attention", y.weights);
    const Var cosines = sum(query * y.context, {3}) / clamp(length_of(query) * length_of(y.context), kEps, kInfinite);
    const Var there = o_.words_look && words_there.defined() ? reshape(in[2], {1, texts, count}) : Var();
    return {gathered(reshape(cosines, {pictures, texts, -1}), there)};
  }

 private:
  Var gathered(const Var& cosines, const Var& there) const {
    const auto hide = [&](const Var& x, double value) { return there.defined() ? where(there, x, scale(x, 0, value)) : x; };
    if (o_.gathers == "max") return max(hide(cosines, std::numeric_limits<float>::lowest()), {2}, false);
    if (o_.gathers == "logsumexp") return scale(log(sum(hide(exp(scale(cosines, o_.lambda)), 0), {2}, false)), 1 / o_.lambda);
    const Var total = sum(hide(cosines, 0), {2}, false);
    return o_.gathers == "sum" ? total : total / sum(hide(scale(cosines, 0, 1), 0), {2}, false);
  }

  Options o_;
};

}  // namespace

FOVEA_SEQUENCES(stacked_scores, "how well pictures and texts fit, by regions and words", "Lee et al. 2018, arXiv:1803.08024") {
  Options o;
  o.attention = stacked_options(args);
  const std::string direction = args.get("direction", "t2i", "who looks: t2i words at regions, i2t regions at words");
  o.gathers = args.get("gathers", "logsumexp", "what makes one score of the cosines: logsumexp, max, sum, mean");
  o.lambda = args.get("lambda_lse", 6.0, "factor of the cosines in logsumexp");
  check(direction == "t2i" || direction == "i2t", "stacked_scores: expected direction t2i or i2t, got '", direction, "'");
  check(o.gathers == "logsumexp" || o.gathers == "max" || o.gathers == "sum" || o.gathers == "mean",
        "stacked_scores: expected gathers logsumexp, max, sum or mean, got '", o.gathers, "'");
  check(o.lambda > 0, "stacked_scores: expected lambda_lse > 0, got ", o.lambda);
  o.words_look = direction == "t2i";
  return std::make_unique<StackedScores>(scope, o);
}

}  // namespace fovea
