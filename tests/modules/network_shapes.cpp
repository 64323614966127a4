// What a recipe may build is counted before memory is taken: no number in a recipe or a model file takes gigabytes or minutes.
#include "modules/network_shapes.hpp"

#include <chrono>

#include "modules/core/budget.hpp"
#include "modules/core/memory.hpp"
#include "modules/core/whole.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/model.hpp"
#include "modules/nn/catalogue.hpp"
#include "modules/nn/registry.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

namespace fovea {
namespace {

using test::fails_with;
using test::Folder;
using test::message_of;

std::string recipe(const std::string& model, const std::string& more = "") { return "fovea: 1\nmodel: " + model + "\n" + more; }
std::string classifier(const std::string& backbone) {
  return recipe("{backbone: {" + backbone + "}, head: {type: classify, classes: 2}}");
}

// Runs f, and says what it took: bytes of the allocator at the most, and seconds.
struct Cost {
  std::size_t bytes;
  double seconds;
};
template <class F>
Cost cost_of(const F& f) {
  memory::reset_peak();
  const std::size_t before = memory::stats().in_use;
  const auto start = std::chrono::steady_clock::now();
  f();
  return {memory::stats().peak - before, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

struct Limit {
  explicit Limit(std::uint64_t bytes) { set_memory_limit(bytes); }
  ~Limit() { set_memory_limit(0); }
};

constexpr std::size_t kLittle = std::size_t{32} << 20;

const char* const kGreedy[] = {
    "type: resnet18, layers: [2147483647], widths: [64]",
    "type: resnet18, layers: [1], widths: [12000]",
    "type: resnet18, layers: [4096, 4096, 4096, 4096], widths: [8, 8, 8, 8]",
    "type: resnet18, layers: [1], widths: [2147483647]",
    "type: resnet50, width_factor: 1e300",
    "type: resnet50, groups: 65536",
    "type: vgg16, layers: [2147483647]",
    "type: vgg16, layers: [65536, 65536]",
    "type: vit_tiny, size: 16384",
    "type: vit_base, size: 16384",
    "type: vit_tiny, depth: 2147483647",
    "type: vit_tiny, mlp_ratio: 1e18",
    "type: vit_tiny, patch: 1, size: 4096",
    "type: swin_tiny, size: 16384",
    "type: swin_tiny, window: 65536",
    "type: swin_tiny, window: 1024, size: 4096",
    "type: swin_tiny, mlp_ratio: 1e300",
    "type: mobilenet_v2, width: 1e9",
    "type: mobilenet_v3_large, width: 1e9",
};

}  // namespace

TEST_CASE("budget: a recipe's numbers take neither memory nor time before they are refused") {
  for (const char* greedy : kGreedy) {
    INFO(greedy);
    std::string message;
    const Cost cost = cost_of([&] { message = message_of([&] { Model::from_recipe(classifier(greedy)); }); });
    CHECK(message != "");
    CHECK(cost.bytes < kLittle);
    CHECK(cost.seconds < 10);
  }
}

TEST_CASE("budget: heads, slots and pictures are counted, too") {
  const std::string tiny = "{type: resnet18, layers: [1], widths: [8]}";
  for (const std::string& greedy :
       {recipe("{head: {type: a2n, scale: 2, blocks: 100000}}"), recipe("{head: {type: a2n, scale: 2, width: 65536}}"),
        recipe("{head: {type: a2n_light, scale: 2, blocks: 2147483647}}"),
        recipe("{head: {type: a2n, scale: 2, blocks: 4000, width: 4}}"),
        recipe("{backbone: " + tiny + ", head: {type: classify, classes: 100000, hidden: [65536]}}"),
        recipe("{backbone: " + tiny + ", head: {type: segment, classes: 2, kernel: 65535}}"),
        recipe("{backbone: " + tiny +
               ", attention: [{at: '**.pre_add', type: se, reduction: 1e-300}], head: {type: classify, classes: 2}}"),
        recipe("{backbone: " + tiny +
               ", attention: [{at: '**.pre_add', type: linformer, length: 16777216, k: 65536, heads: 1}], head: {type: classify, "
               "classes: 2}}"),
        recipe("{backbone: " + tiny + ", head: {type: classify, classes: 2}}", "preprocess: {size: 16384}\n"),
        recipe("{backbone: {type: attention_unet}, head: {type: segment, classes: 2}}",
               "preprocess: {size: [16384, 16384]}\n")}) {
    INFO(greedy);
    std::string message;
    const Cost cost = cost_of([&] { message = message_of([&] { Model::from_recipe(greedy); }); });
    CHECK(message != "");
    CHECK(cost.bytes < kLittle);
    CHECK(cost.seconds < 10);
  }
}

TEST_CASE("budget: the limit is said, and raised") {
  const std::string small = classifier("type: resnet18, layers: [1, 1], widths: [32, 64]");
  {
    const Limit limit(100'000);
    CHECK(fails_with([&] { Model::from_recipe(small); }, "the parameters up to backbone."));
    CHECK(fails_with([&] { Model::from_recipe(small); }, "100 kB are allowed; --max-memory SIZE"));
    CHECK_THROWS_AS(Model::from_recipe(small), OverBudget);
  }
  {
    const Limit limit(2'000'000);  // enough for the parameters, not for a picture's values beside them
    CHECK(fails_with([&] { Model::from_recipe(small + "preprocess: {size: 224}\n"); },
                     "parameters, and the values of a run on 1x3x224x224: "));
  }
  CHECK(Model::from_recipe(small).params()->count() > 50'000);
  const Limit limit(std::uint64_t{64} << 30);
  CHECK(Model::from_recipe(small).params()->count() > 50'000);
}

TEST_CASE("budget: a run on a picture of anybody's size is counted before it takes memory") {
  const Model model = Model::from_recipe(recipe("{head: {type: a2n_light, scale: 2, width: 8, blocks: 1}}"));
  const Limit limit(1'000'000);
  const Cost cost = cost_of([&] { CHECK_THROWS_AS(model.compile({1, 3, 20000, 20000}), OverBudget); });
  CHECK(cost.bytes < kLittle);
  CHECK(model.compile({1, 3, 16, 16}).memory().arena < 1'000'000);
}

TEST_CASE("budget: what is counted is what is built") {
  for (const char* backbone : {"type: resnet18, layers: [1, 1], widths: [8, 16]", "type: mobilenet_v2, width: 0.25"}) {
    const Yaml yaml = Yaml::parse("{backbone: {" + std::string(backbone) + "}, head: {type: classify, classes: 3}}", "r");
    const NetworkShapes shapes(yaml, 3);
    const Model model = Model::from_recipe(classifier(backbone));
    CHECK(shapes.network().slots().offers().size() == model.slots().size());
  }
  // A gated map exists beside its input.
  const auto store = ParamStore::of_shapes();
  const auto block = Registry::global().make("gct", Scope(store) / "b", 8);
  const Trace t = trace({{1, 8, 100, 100}}, [&](const Vars& in) { return (*block)(in); });
  CHECK(peak_bytes(t) >= 2 * 8 * 100 * 100 * sizeof(float));
}

TEST_CASE("budget: a model file's parameters are compared with its header before the network takes memory") {
  const Folder folder;
  TensorFile file;
  file.metadata = {{"fovea.format", "1"}, {"fovea.recipe", classifier("type: resnet18, layers: [1], widths: [4000]")}};
  file.tensors["backbone.conv1.weight"] = Tensor::zeros({4, 3, 7, 7});
  write_safetensors(folder / "m.safetensors", file);
  const Cost cost = cost_of([&] {
    CHECK(fails_with([&] { Model::load((folder / "m.safetensors").string()); },
                     "m.safetensors: backbone.conv1.weight: expected shape 4000x3x7x7, got 4x3x7x7"));
  });
  CHECK(cost.bytes < kLittle);
}

// Every whole or floating option of every entry, one at a time, at values that nobody would choose.
TEST_CASE("budget: no option of any block crashes, hangs or takes memory") {
  const Registry& registry = Registry::global();
  for (const std::string& name : registry.names()) {
    const Registry::Entry& entry = registry.at(name);
    const Described described = describe(entry, 8, 8);
    for (const Args::Described& option : described.options) {
      if (option.fallback.empty() || option.fallback.find_first_not_of("0123456789.-e[], ") != std::string::npos) continue;
      for (const char* value : {"2147483647", "65536", "4096", "0", "-1", "-2147483648", "1e300", "1e-300", "-1e300"}) {
        INFO(name << ": " << option.name << ": " << value);
        std::map<std::string, std::string> values{{option.name, value}};
        if (entry.kind == Kind::head && option.name != "classes") values["classes"] = "10";
        if (entry.kind == Kind::network && option.name != "scale") values["scale"] = "2";
        Args args(name, values);
        args.bound({-1, 65536});
        const Cost cost = cost_of([&] {
          const ShapeBudget budget(kUsualMemoryLimit);
          const auto store = ParamStore::of_shapes();
          const Feature map{"map", entry.kind == Kind::backbone || entry.kind == Kind::network ? 3 : 8, 1};
          try {
            const auto block = entry.make(Scope(store) / name, Features(&map, 1), args);
            const Shape input{1, map.channels, 32, 32}, tokens{1, 64, map.channels};
            trace({entry.kind == Kind::tokens ? tokens : input}, [&](const Vars& in) { return (*block)(in); });
          } catch (const Error&) {}
        });
        CHECK(cost.bytes < std::size_t{600} << 20);
        CHECK(cost.seconds < 10);
      }
    }
  }
}

TEST_CASE("whole: what does not fit is an error, what fits is cut towards zero") {
  CHECK(whole(3.99, "x") == 3);
  CHECK(whole(-3.99, "x") == -3);
  CHECK(whole<int>(2147483647.0, "x") == 2147483647);
  CHECK(whole<int>(-2147483648.0, "x") == -2147483647 - 1);
  for (const double bad : {2147483648.0, -2147483649.0, 1e300, -1e300, 0.0 / 0.0, 1.0 / 0.0})
    CHECK(fails_with([&] { whole<int>(bad, "mlp_ratio"); }, "mlp_ratio: expected a number from "));
  CHECK(fails_with([&] { whole(1e19, "x"); }, "x: expected a number from "));
  CHECK(fails_with([&] { whole<unsigned char>(-1, "x"); }, "x: expected a number from 0 to 255, got -1"));
}

}  // namespace fovea
