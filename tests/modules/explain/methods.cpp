// Class activation maps and input gradients against values computed by hand.
#include "modules/explain/methods.hpp"

#include <cmath>
#include <numeric>

#include "modules/autograd/tap.hpp"
#include "modules/core/random.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/matmul.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using namespace fovea::explain;
using fovea::test::fails_with;

namespace {

// Logits of two classes: a linear layer over the mean of the map "a" = 2 x.
const std::vector<double> kWeight{1, -2, 0.5, 3, 0.25, -1};  // 2 classes x 3 channels
Var linear_net(const Var& x) {
  const Var a = tap("a", scale(x, 2));
  return linear(reshape(global_avg_pool(a), {x.dim(0), 3}), Var(Tensor::from(kWeight, {2, 3}).to(x.dtype())));
}

Tensor picture(std::uint64_t seed = 1) {
  Tensor x = Tensor::empty({1, 3, 4, 5}, DType::f32, Layout::channels_last);
  Random(seed).fill_uniform(x, -1, 1);
  return x;
}

Request request_for(const ForwardFunction& network, const Tensor& x, std::int64_t cls) {
  return {network, x, class_logit(cls), class_probability(cls), layers_of(network, x.shape()), {}};
}

double sum_of(const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); }

// f(x) = sum over pixels of (first channel)^2 + 3 (second channel), as one logit beside a constant one.
Var square_net(const Var& x) {
  const Var factors(Tensor::from(std::vector<float>{0, 3, 0}, {1, 3, 1, 1})),
      squares(Tensor::from(std::vector<float>{1, 0, 0}, {1, 3, 1, 1}));
  const Var y = mul(pow(x, 2), squares) + mul(x, factors);
  const Var total = scale(global_avg_pool(y), static_cast<double>(x.dim(2) * x.dim(3)));
  return linear(reshape(total, {x.dim(0), 3}), Var(Tensor::from(std::vector<float>{1, 1, 1, 0, 0, 0}, {2, 3})));
}

}  // namespace

TEST_CASE("explain: Grad-CAM of a linear network is relu(sum of w_k A_k) / positions") {
  const Tensor x = picture();
  for (const std::int64_t cls : {0, 1}) {
    const Explanation e = grad_cam(request_for(linear_net, x, cls));
    REQUIRE(e.maps.size() == 1);
    CHECK(e.maps[0].name == "a");
    for (std::int64_t i = 0; i < 20; ++i) {
      double sum = 0;
      for (std::int64_t c = 0; c < 3; ++c)
        sum += kWeight[static_cast<std::size_t>(cls * 3 + c)] / 20 * 2 * static_cast<double>(x.data<float>()[i * 3 + c]);
      CHECK(e.maps[0].values[static_cast<std::size_t>(i)] == Approx(std::max(sum, 0.0)).margin(1e-6));
    }
  }
}

TEST_CASE("explain: Grad-CAM++ follows its formula where gradients are constant") {
  const Tensor x = picture(3);
  const Explanation e = grad_cam_plus_plus(request_for(linear_net, x, 0));
  std::vector<double> weights;
  for (std::int64_t c = 0; c < 3; ++c) {
    const double g = kWeight[static_cast<std::size_t>(c)] / 20;
    double sum = 0;
    for (std::int64_t i = 0; i < 20; ++i) sum += 2 * static_cast<double>(x.data<float>()[i * 3 + c]);
    weights.push_back(g > 0 ? 20 * g * g / (2 * g * g + g * g * g * sum) * g : 0);
  }
  for (std::int64_t i = 0; i < 20; ++i) {
    double sum = 0;
    for (std::int64_t c = 0; c < 3; ++c)
      sum += weights[static_cast<std::size_t>(c)] * 2 * static_cast<double>(x.data<float>()[i * 3 + c]);
    CHECK(e.maps[0].values[static_cast<std::size_t>(i)] == Approx(std::max(sum, 0.0)).margin(1e-6));
  }
}

TEST_CASE("explain: the input gradient of a linear network is its weight everywhere") {
  const Explanation e = input_gradient(request_for(linear_net, picture(), 0));
  for (const double v : e.maps[0].values) CHECK(v == Approx(2.0 * 2 / 20));       // the largest weight of class 0 is -2
  const Explanation smooth = smooth_grad(request_for(linear_net, picture(), 0));  // noise changes nothing there
  for (const double v : smooth.maps[0].values) CHECK(v == Approx(0.2).epsilon(1e-4));
}

TEST_CASE("explain: SmoothGrad of a quadratic tends to its gradient, and one seed gives one map") {
  Request r = request_for(square_net, Tensor::full({1, 3, 2, 2}, 4.0, DType::f32, Layout::channels_last), 0);
  r.x.data<float>()[0] = 6;
  r.options = {.samples = 400, .noise = 0.1};
  const Explanation e = smooth_grad(r);
  CHECK(e.maps[0].values[0] == Approx(12).epsilon(0.01));
  CHECK(e.maps[0].values[3] == Approx(8).epsilon(0.01));
  CHECK(smooth_grad(r).maps[0].values == e.maps[0].values);
}

TEST_CASE("explain: integrated gradients add up to f(x) - f(0), and are exact for a quadratic") {
  const Tensor x = picture(5);
  const Request r = request_for(square_net, x, 0);
  const Explanation e = integrated_gradients(r);
  const double difference = scores_of(square_net, class_logit(0), x)[0];  // f(0) = 0
  CHECK(sum_of(e.maps[0].values) == Approx(difference).epsilon(1e-4));
  for (std::size_t i = 0; i < 20; ++i) {
    const double a = static_cast<double>(x.data<float>()[i * 3]), b = static_cast<double>(x.data<float>()[i * 3 + 1]);
    CHECK(e.maps[0].values[i] == Approx(a * a + 3 * b).epsilon(1e-4).margin(1e-5));
  }
  CHECK(e.facts[2].first == "completeness_error");
  CHECK(e.facts[2].second < 1e-3);
}

TEST_CASE("explain: hiding a position lowers the score by what the place gave") {
  // One logit that is the sum of channel 0; occluding w x w pixels takes their sum away.
  const ForwardFunction network = [](const Var& x) {
    return linear(reshape(scale(global_avg_pool(x), 36), {x.dim(0), 3}),
                  Var(Tensor::from(std::vector<float>{1, 0, 0, 0, 0, 0}, {2, 3})));
  };
  Tensor x = Tensor::zeros({1, 3, 6, 6}, DType::f32, Layout::channels_last);
  x.data<float>()[(2 * 6 + 5) * 3] = 7;  // row 2, column 5
  Request r = request_for(network, x, 0);
  r.confidence = class_logit(0);
  r.options.window = 2, r.options.stride = 2;
  const Map map = occlusion(r).maps[0];
  CHECK(map.grid == Grid{3, 3, 0.5, 0.5, 2, 2});
  for (std::size_t i = 0; i < 9; ++i) CHECK(map.values[i] == Approx(i == 5 ? 7 : 0).margin(1e-5));
  r.options.stride = 3;
  CHECK(fails_with([&] { occlusion(r); }, "a stride of at most the window 2, got 3"));
  r.options.window = 4, r.options.stride = 1;
  CHECK(fails_with([&] { occlusion(r); }, "both even or both odd"));
}

TEST_CASE("explain: Score-CAM weighs a channel by what the score is through it") {
  // Channel 0 is bright on the left, channel 1 on the right; the logit of class 0 is 50 x the mean of the input's channel 0.
  Tensor x = Tensor::zeros({1, 3, 2, 4}, DType::f32, Layout::channels_last);
  for (std::int64_t i = 0; i < 8; ++i) x.data<float>()[i * 3 + (i % 4 < 2 ? 0 : 1)] = 1;
  const ForwardFunction network = [](const Var& in) {
    return linear(reshape(global_avg_pool(tap("a", in)), {in.dim(0), 3}),
                  Var(Tensor::from(std::vector<float>{50, 0, 0, 0, 0, 0}, {2, 3})));
  };
  Request r = request_for(network, x, 0);
  r.confidence = class_logit(0);
  const Map map = score_cam(r).maps[0];
  for (std::size_t i = 0; i < 8; ++i) CHECK(map.values[i] == Approx(i % 4 < 2 ? 1 : 0).margin(1e-6));
  r.options.channels = 1;
  CHECK(score_cam(r).maps[0].values.size() == 8);
}

TEST_CASE("explain: gradients reach every layer asked for and leave parameters alone") {
  Var weight(Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}), true);
  weight.mark_parameter();
  const ForwardFunction network = [&](const Var& x) {
    const Var a = tap("a", scale(x, 2)), b = tap("b", scale(a, 3));
    return linear(reshape(global_avg_pool(b), {x.dim(0), 3}), weight);
  };
  const Tensor x = picture();
  const auto layers = layers_of(network, x.shape());
  const Gradients g = gradients_of(network, class_logit(0), x, layers, true);
  REQUIRE(g.gradients.size() == 2);
  for (std::size_t c = 0; c < 3; ++c) {
    const double w = static_cast<double>(c + 1) / 20;
    CHECK(g.gradients[1].values()[c * 20] == Approx(w));
    CHECK(g.gradients[0].values()[c * 20] == Approx(3 * w));
    CHECK(g.input.values()[c * 20] == Approx(6 * w));
  }
  CHECK_FALSE(weight.grad().defined());
  const ForwardFunction broken = [](const Var& in) { return scale(linear_net(in), std::nan("")); };
  CHECK(fails_with([&] { gradients_of(broken, class_logit(0), x, {}, true); }, "the network's score is not finite"));
  CHECK(fails_with([&] { scores_of(linear_net, class_logit(2), x); }, "expected a class of 0 to 1, got 2"));
}

TEST_CASE("explain: methods are found by name") {
  for (const Method& m : methods()) CHECK(&method(m.name) == &m);
  CHECK(fails_with([] { method("gradcam"); }, "did you mean 'grad_cam'?"));
  CHECK(fails_with([] { method("x"); }, "there are attention, rollout, grad_cam"));
}
