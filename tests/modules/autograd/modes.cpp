#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/global_pool.hpp"
#include "modules/ops/unary.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

using namespace fovea;
using fovea::test::fails_with;
using V = std::vector<double>;

TEST_CASE("taps: kept by name, replaced by feeds") {
  const Var x(Tensor::full({2}, 3), true);
  auto network = [&] {
    const PathScope where("body.0");
    const Var gate = tap("gate", sigmoid(x));
    return tap("out", x * gate);
  };
  CHECK(network().value().values()[0] == Approx(3 * 0.9525741));
  {
    const TapScope scope("**.gate");
    network();
    REQUIRE(scope.kept.size() == 1);
    CHECK(scope.kept[0].first == "body.0.gate");
    CHECK(scope.kept[0].second.requires_grad());
  }
  {
    const TapScope scope("**", {{"body.0.gate", Tensor::full({2}, 0.5, DType::f64)}});
    CHECK(network().value().values() == V{1.5, 1.5});
    CHECK(scope.kept.size() == 2);
    CHECK(scope.kept[0].second.dtype() == DType::f32);
    {
      const TapScope inner("");
      network();
      CHECK(inner.kept.empty());
    }
    network();
    CHECK(scope.kept.size() == 4);
  }
  const TapScope wrong("", {{"body.0.gate", Tensor::zeros({3})}});
  CHECK(fails_with(network, "a fed tap wants shape 2, got 3"));
}

TEST_CASE("trace: shapes, constants, costs") {
  Var w(Tensor::full({8, 4, 3, 3}, 1), true);
  w.mark_parameter();
  const Trace graph = trace({{2, 4, 10, 12}}, [&](const Vars& in) {
    const PathScope where("stem");
    return Vars{global_avg_pool(relu(conv2d(in[0], w, {}, {})))};
  });
  REQUIRE(graph.nodes.size() == 3);
  CHECK(graph.nodes[0].path == "stem");
  CHECK(graph.nodes[0].op->name() == "conv2d");
  CHECK(graph.nodes[0].inputs[2] == -1);  // no bias
  CHECK(graph.values[static_cast<std::size_t>(graph.outputs[0])].shape == Shape{2, 8, 1, 1});
  CHECK(graph.values[static_cast<std::size_t>(graph.nodes[0].inputs[1])].constant.shares_storage(w.value()));
  CHECK(graph.multiply_adds() == 2LL * 8 * 8 * 10 * 4 * 9);
}

TEST_CASE("trace: one constant is one value; reading a value is an error that names the module") {
  const Var c(Tensor::full({3}, 2));
  const Trace graph = trace({{3}}, [&](const Vars& in) { return Vars{in[0] * c + c}; });
  CHECK(graph.values.size() == 4);
  CHECK(fails_with(
      [] {
        trace({{3}}, [](const Vars& in) {
          const PathScope where("decoder.step");
          return Vars{scale(in[0], in[0].value().values()[0])};
        });
      },
      "decoder.step: a value was read while tracing"));
  const Var still_eager = scale(c, 2);  // the mode ended with the trace, by an error too
  CHECK(still_eager.value().values() == V{4, 4, 4});
}
