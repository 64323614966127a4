#include "modules/model.hpp"

#include <cmath>
#include <cstdlib>

#include "modules/autograd/apply.hpp"
#include "modules/io/files.hpp"
#include "modules/io/safetensors.hpp"
#include "tests/support/bf16.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/rounding.hpp"

using namespace fovea;
using fovea::test::fails_with;
using fovea::test::max_difference;
using fovea::test::message_of;
using fovea::test::rounding_bounds;

namespace {

std::string recipe(const std::string& head) { return "fovea: 1\nmodel:\n  head: " + head + "\n"; }
const std::string kSmall = recipe("{type: a2n_light, scale: 2, width: 32, blocks: 2}");

Tensor picture(std::int64_t h, std::int64_t w, std::uint64_t seed = 1) {
  Tensor t = Tensor::empty({1, 3, h, w}, DType::f32, Layout::channels_last);
  Random(seed).fill_uniform(t, 0, 1);
  return t;
}

struct ZooAt {
  explicit ZooAt(const std::filesystem::path& folder) { ::setenv("FOVEA_ZOO", folder.c_str(), 1); }
  ~ZooAt() { ::unsetenv("FOVEA_ZOO"); }
};

}  // namespace

TEST_CASE("model: a wrong recipe fails at once, with its line and what was meant") {
  const auto refused = [](const std::string& yaml, const std::string& message) {
    INFO(yaml);
    return fails_with([&] { Model::from_recipe(yaml); }, message);
  };
  CHECK(refused("", "expected 'fovea: 1'"));
  CHECK(refused("model: {head: {type: a2n, scale: 2}}\n", "expected 'fovea: 1'"));
  CHECK(refused("fovea: 2\nmodel: {head: {type: a2n, scale: 2}}\n", "expected 'fovea: 1'"));
  CHECK(refused("fovea: 1\n", "expected a key 'model'"));
  CHECK(refused("fovea: 1\nmodel: {}\n", "expected a key 'head'"));
  CHECK(refused("fovea: 1\nmodel: 5\n", "expected a key 'head'"));
  CHECK(refused(recipe("{scale: 2}"), "recipe:3: expected a key 'type'"));
  CHECK(refused("fovea: 1\nmodle: {head: {type: a2n}}\n", "recipe:2: unknown key 'modle'; did you mean 'model'?"));
  CHECK(refused("fovea: 1\nmodel:\n  haed: {type: a2n}\n", "recipe:3: unknown key 'haed'; did you mean 'head'?"));
  CHECK(refused(recipe("{type: a2n_ligth, scale: 2}"), "did you mean 'a2n_light'?"));
  CHECK(refused(recipe("{type: a2n, scale: 5}"), "a scale of 2, 3 or 4"));
  CHECK(refused(recipe("{type: a2n, scale: two}"), "expected a number, got 'two'"));
  CHECK(refused(recipe("{type: a2n}"), "scale is missing"));
  CHECK(refused(recipe("{type: a2n, scale: 2, widht: 8}"), "did you mean 'width'?"));
  CHECK(refused(recipe("{type: a2n, scale: 2, widht: [8]}"), "did you mean 'width'?"));
  CHECK(refused(recipe("{type: a2n, scale: 2}") + "preprocess: {channels: 1}\n", "got 1 channels"));
  const std::string blocks = "\n  attention: [{at: '**.pre_add',\n    type: cbam, reductoin: 2}]\n";
  CHECK(message_of([&] {
          Model::from_recipe("fovea: 1\nmodel:\n  backbone: {type: resnet18}" + blocks +
                             "  head: {type: classify, classes: [a, b]}\n");
        }) == "recipe:4: unknown option 'reductoin'; did you mean 'reduction'?");
  CHECK(refused("fovea: 1\nmodel: [", "recipe:"));
}

TEST_CASE("model: the seed decides the weights") {
  const Tensor x = picture(6, 5);
  CHECK(Model::from_recipe(kSmall, 3).run(x).values() == Model::from_recipe(kSmall, 3).run(x).values());
  CHECK(Model::from_recipe(kSmall, 3).run(x).values() != Model::from_recipe(kSmall, 4).run(x).values());
}

TEST_CASE("model: saved and loaded in f32 it gives the same bits; in f16 the rounded weights; metadata travels") {
  const test::Folder folder;
  const Model model = Model::from_recipe(kSmall, 3);
  const Tensor x = picture(7, 9);
  model.save(folder / "m.safetensors", DType::f32, {{"licence", "Apache-2.0"}});
  const Model same = Model::load((folder / "m.safetensors").string());
  CHECK(same.run(x).values() == model.run(x).values());
  CHECK(same.recipe() == model.recipe());
  CHECK(same.name() == "m");
  CHECK(same.metadata().at("licence") == "Apache-2.0");
  CHECK(same.metadata().at("fovea.format") == "1");
  CHECK(same.info().outputs[0].shape({1, 3, 5, 7}) == Shape{1, 3, 10, 14});

  same.save(folder / "half.safetensors", DType::f16);
  const Model half = Model::load((folder / "half.safetensors").string());
  CHECK(half.metadata().at("licence") == "Apache-2.0");
  for (const auto& [name, value] : half.params()->values()) {
    CHECK(value.dtype() == DType::f32);
    CHECK(value.values() == model.params()->values().at(name).to(DType::f16).values());
  }
  CHECK(std::filesystem::file_size(folder / "half.safetensors") <
        0.6 * static_cast<double>(std::filesystem::file_size(folder / "m.safetensors")));
  CHECK(fails_with([&] { model.save(folder / "b.safetensors", DType::bf16); }, "expected f32 or f16"));
}

TEST_CASE("model: a name that is nowhere lists the zoo; a name in the zoo is found there") {
  const test::Folder folder;
  const ZooAt zoo(folder.path());
  CHECK(fails_with([] { Model::load("x9"); }, "the zoo has none"));
  for (const char* name : {"two", "one", "empty"}) std::filesystem::create_directories(folder / name);
  const Model model = Model::from_recipe(kSmall);
  model.save(folder / "one" / "model.safetensors");
  model.save(folder / "two" / "model.safetensors");
  CHECK(Model::zoo() == std::vector<std::string>{"one", "two"});
  CHECK(fails_with([] { Model::load("x9"); }, "'x9': no such file, and no model of the zoo is called so; the zoo has one, two"));
  CHECK(Model::load("two").name() == "two");
}

TEST_CASE("model: files that are no Fovea model, or not whole, are refused with the reason") {
  const test::Folder folder;
  const auto refused = [&](const TensorFile& file, const std::string& message) {
    write_safetensors(folder / "f.safetensors", file);
    return fails_with([&] { Model::load((folder / "f.safetensors").string()); }, message);
  };
  const Model model = Model::from_recipe(kSmall);
  model.save(folder / "good.safetensors");
  TensorFile good = read_safetensors(folder / "good.safetensors");
  CHECK(refused({{{"w", Tensor::zeros({2})}}, {}}, "not a Fovea model"));
  TensorFile other = good;
  other.metadata["fovea.format"] = "2";
  CHECK(refused(other, "not a Fovea model"));
  other = good;
  other.tensors.erase("conv_first.bias");
  CHECK(refused(other, "no value for conv_first.bias"));
  other = good;
  other.tensors["extra"] = Tensor::zeros({1});
  CHECK(refused(other, "nothing is called extra"));
  other = good;
  other.tensors["conv_first.bias"] = Tensor::zeros({31});
  CHECK(refused(other, "conv_first.bias: expected shape 32, got 31"));
  const auto bytes = read_file(folder / "good.safetensors");
  write_file_atomically(folder / "cut.safetensors", bytes.data(), bytes.size() / 2);
  CHECK(fails_with([&] { Model::load((folder / "cut.safetensors").string()); }, "cut.safetensors"));
  CHECK(fails_with([&] { Model::load(folder.path().string()); }, folder.path().filename().string()));
}

TEST_CASE("model: taps are kept by glob, and fed values take their place") {
  const Model model = Model::from_recipe(kSmall, 3);
  const Tensor x = picture(6, 7);
  const auto all = model.run(x, {.keep = "**"});
  REQUIRE(all.taps.size() == 4);
  CHECK(all.taps[0].name == "AAB_trunk.0.weights");
  CHECK(all.taps[0].value.shape() == Shape{1, 2});
  CHECK(all.taps[1].name == "AAB_trunk.0.attention.gate");
  CHECK(all.taps[1].value.shape() == Shape{1, 32, 6, 7});
  CHECK(all.output.values() == model.run(x).values());
  CHECK(model.run(x, {.keep = "**.gate"}).taps.size() == 2);
  CHECK(model.run(x, {.keep = "nothing.*"}).taps.empty());

  const Tensor feed = Tensor::from(std::vector<float>{1, 0}, {1, 2});
  const auto fed = model.run(x, {.keep = "**.weights", .feeds = {{"AAB_trunk.0.weights", feed}}});
  CHECK(fed.output.values() != all.output.values());
  CHECK(fed.taps.at(0).value.values() == feed.values());
  const auto same =
      model.run(x, {.feeds = {{"AAB_trunk.0.weights", all.taps[0].value}, {"AAB_trunk.1.weights", all.taps[2].value}}});
  // With its own statistics given: another plan of the same function, rounding apart, of sums of 32 channels x 9 positions.
  Tensors parameters;
  for (const auto& e : model.params()->entries()) parameters.push_back(e.value.value());
  const double bound = rounding_bounds(parameters, 32 * 9, [&] { return Tensors{model.run(x)}; })[0];
  CHECK(max_difference(same.output, all.output) <= bound);
}

TEST_CASE("model: in f16 a parameter with values that f16 does not hold stays f32, is named, and the file loads") {
  const test::Folder folder;
  const Model model = Model::from_recipe(
      "fovea: 1\nmodel: {backbone: {type: resnet18, layers: [1], widths: [8]}, head: {type: classify, classes: 2}}\n");
  const std::string variance = "backbone.bn1.running_var", weight = "backbone.conv1.weight";
  Var(model.params()->find(variance)->value).set_value(Tensor::full({8}, 146335));
  const float large = -65504;  // the last that fits
  Var(model.params()->find(weight)->value).set_value(Tensor::full({8, 3, 7, 7}, large));
  CHECK(model.save(folder / "h.safetensors", DType::f16) == std::vector<std::string>{variance});
  const TensorFile file = read_safetensors(folder / "h.safetensors");
  CHECK(file.tensors.at(variance).dtype() == DType::f32);
  CHECK(file.tensors.at(weight).dtype() == DType::f16);
  const Model again = Model::load((folder / "h.safetensors").string());
  CHECK(again.params()->find(variance)->value.value().values() == std::vector<double>(8, 146335));
  CHECK(again.params()->find(weight)->value.value().values().front() == -65504);
  CHECK(model.save(folder / "f.safetensors").empty());
}

TEST_CASE("model: bf16 stays close to f32") {
  if (!test::has_bf16()) return;
  const Model model = Model::from_recipe(kSmall, 3);
  const Tensor x = picture(40, 33);
  const Tensor fine = model.run(x), coarse = model.run(x, {.precision = DType::bf16}).output;
  CHECK(coarse.dtype() == DType::f32);
  // Some 12 roundings of 2^-9 lie on each way through the network; they are independent, so they add up like a walk, and the
  // largest of 8000 values stands 4 deviations out: 4 x sqrt(12) x 2^-9 of the largest value.
  double size = 0;
  for (const double v : fine.values()) size = std::max(size, std::abs(v));
  const double difference = test::max_difference(coarse, fine);
  CHECK(difference < 4 * std::sqrt(12.0) * 0x1p-9 * size);
  CHECK(difference > 0);  // it did compute in bf16
  // Feeds are inputs in bf16, too.
  Model::RunOptions fed{.precision = DType::bf16};
  for (const auto& tap : model.run(x, {.keep = "**.weights"}).taps) fed.feeds[tap.name] = tap.value;
  CHECK(fed.feeds.size() == 2);
  CHECK(test::max_difference(model.run(x, fed).output, fine) < 4 * std::sqrt(12.0) * 0x1p-9 * size);
}

TEST_CASE("model: multiply-adds are those of its convolutions") {
  // Per pixel of 32 channels, x2: first 3x32x9; a block 32x32 x (1x1 twice, k2, and 3x3 four times); trunk 32x32x9; tail 32x12x9.
  const Model model = Model::from_recipe(recipe("{type: a2n_light, scale: 2, width: 32, blocks: 2}"));
  const std::int64_t convolutions = 3 * 32 * 9 + 2 * 32 * 32 * (3 + 4 * 9) + 32 * 32 * 9 + 32 * 12 * 9;
  const std::int64_t counted = model.multiply_adds({1, 3, 16, 16});
  CHECK(counted >= convolutions * 256);
  CHECK(static_cast<double>(counted) <= 1.01 * static_cast<double>(convolutions * 256));  // the mixing weights' two matrices
  CHECK(static_cast<double>(model.multiply_adds({1, 3, 32, 32})) == Approx(4.0 * static_cast<double>(counted)).epsilon(0.01));
}

namespace {

const char* kClassifier = R"(fovea: 1
model:
  backbone: {type: resnet, layers: [1, 1], widths: [8, 16], stem: cifar}
  head: {type: classify, classes: [cat, dog, bird]}
)";

}  // namespace

TEST_CASE("model: it says what it is for, what it gives, and how pictures are made ready for it") {
  const Model classifier = Model::from_recipe(kClassifier);
  CHECK(classifier.info().task == "classify");
  REQUIRE(classifier.info().outputs.size() == 1);
  CHECK(classifier.info().outputs[0].name == "logits");
  CHECK(classifier.info().outputs[0].shape({4, 3, 20, 30}) == Shape{4, 3});
  CHECK(classifier.preprocess().height == 224);
  const Model upscaler = Model::from_recipe(recipe("{type: a2n_light, scale: 2, width: 8, blocks: 1}"));
  CHECK(upscaler.info().task == "upscale");
  CHECK(upscaler.classes().empty());
  CHECK(upscaler.preprocess().resize == Preprocess::Resize::none);
  const auto result = upscaler.run(picture(6, 9));
  CHECK(result.values() == upscaler.run(picture(6, 9), Model::RunOptions{}).outputs.at("image").values());
  CHECK(fails_with([&] { upscaler.run(picture(6, 9), Model::RunOptions{}).outputs.at("logits"); },
                   "there is no 'logits'; there is image"));
}

TEST_CASE("model: backbone and head, with names, features and slots") {
  const Model model = Model::from_recipe(kClassifier);
  CHECK(model.classes() == std::vector<std::string>{"cat", "dog", "bird"});
  CHECK(model.run(Tensor::zeros({2, 3, 12, 10})).shape() == Shape{2, 3});
  REQUIRE(model.features().size() == 3);
  CHECK(model.features()[2].name == "layer2");
  CHECK(model.features()[2].channels == 16);
  CHECK(model.features()[2].stride == 2);
  CHECK(model.params()->find("backbone.layer2.0.downsample.0.weight"));
  CHECK(model.params()->find("head.fc.bias"));
  const auto offered = [&](const std::string& path) {
    return std::any_of(model.slots().begin(), model.slots().end(), [&](const auto& o) { return o.path == path; });
  };
  for (const char* path : {"backbone.after_stem", "backbone.layer1.0.conv1", "backbone.layer1.0.pre_conv2",
                           "backbone.layer2.0.pre_add", "backbone.layer2.0.post_conv1", "backbone.layer2.after_stage"})
    CHECK(offered(path));
}

TEST_CASE("model: parts in the wrong place and features that are not there") {
  const auto with = [](const std::string& backbone, const std::string& head) {
    return [=] { Model::from_recipe("fovea: 1\nmodel:\n  backbone: " + backbone + "\n  head: " + head + "\n"); };
  };
  const std::string classify = "{type: classify, classes: [a, b]}";
  CHECK(fails_with(with("{type: classify, classes: [a, b]}", classify), "recipe:3: 'classify' is a head; expected a backbone"));
  CHECK(
      fails_with(with("{type: resnet18, features: [layer7]}", classify), "features: there is no 'layer7'; did you mean 'layer"));
  CHECK(fails_with(with("{type: resnet18, layers: [2, 2]}", classify),
                   "layers and widths must have one number a stage, got 2 and 4"));
  CHECK(fails_with(with("{type: resnet18}", "{type: classify, classes: [alone]}"), "expected at least two, got 1"));
  for (const char* head : {"{type: classify, classes: }", "{type: classify, classes: [a, '']}", "{type: segment, classes: }"})
    CHECK(fails_with(with("{type: resnet18}", head), "classes: expected names"));
  CHECK(fails_with(with("{type: resnet_18}", classify), "did you mean 'resnet18'?"));
}
