#include "modules/nn/norms.hpp"

#include <algorithm>

#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

namespace fovea {
namespace {

Var random_map(Random& random) {
  Tensor t = Tensor::empty({4, 3, 5, 6});
  random.fill_normal(t, 2, 3);
  return Var(t.contiguous(Layout::channels_last));
}

}  // namespace

TEST_CASE("batch norm uses the batch while training and the running statistics after") {
  Random random(1);
  auto store = std::make_shared<ParamStore>();
  const BatchNorm2d norm(Scope(store, "bn"), 3);
  const Var x = random_map(random);
  CHECK(norm(x).value().values() != norm(random_map(random)).value().values());
  const auto untouched = norm.running_mean.value().values();
  CHECK(untouched == std::vector<double>{0, 0, 0});
  {
    Training training(random);
    const Tensor y = norm(x).value();
    double sum = 0;
    for (double v : y.values()) sum += v;
    CHECK(sum / static_cast<double>(y.size()) == Approx(0).margin(1e-6));
  }
  CHECK(norm.running_mean.value().values()[0] == Approx(0.1 * 2).epsilon(0.5));
  CHECK(norm.batches.value().item() == 1);
}

TEST_CASE("a frozen batch norm keeps its statistics while training") {
  Random random(1);
  auto store = std::make_shared<ParamStore>();
  const BatchNorm2d norm(Scope(store, "bn"), 3);
  store->freeze("bn.**");
  Training training(random);
  norm(random_map(random));
  CHECK(norm.running_mean.value().values() == std::vector<double>{0, 0, 0});
}

TEST_CASE("dropout draws only while training, from the training's random numbers") {
  Random random(5);
  const Dropout dropout(0.5);
  const Var x(Tensor::full({1000}, 1));
  CHECK(dropout(x).value().values() == x.value().values());
  Training training(random);
  const auto state = random.state();
  const auto first = dropout(x).value().values();
  CHECK(std::count(first.begin(), first.end(), 0.0) == Approx(500).margin(80));
  random.restore(state);
  CHECK(dropout(x).value().values() == first);
  CHECK_THROWS_AS(Dropout(1.0), Error);
}

TEST_CASE("layer and group norm carry PyTorch's names") {
  auto store = std::make_shared<ParamStore>();
  const LayerNorm layer(Scope(store, "ln"), 6);
  const GroupNorm group(Scope(store, "gn"), 1, 3);
  CHECK(store->find("ln.weight"));
  CHECK(store->find("gn.bias"));
  Random random(2);
  const Var x = random_map(random);
  const auto row = layer(x).value().slice(0, 0, 1).slice(1, 0, 1).slice(2, 0, 1).values();
  double sum = 0;
  for (double v : row) sum += v;
  CHECK(sum == Approx(0).margin(1e-5));
  CHECK(group(x).shape() == x.shape());
  CHECK(test::fails_with([&] { group(Var(Tensor::full({1, 4, 2, 2}, 1))); }, "gn"));
}

}  // namespace fovea
