// Distillation: what the loss is against hand computation, that a student learns, that projections stay out of the saved model.
#include "modules/train/distill.hpp"

#include <cmath>

#include "modules/io/safetensors.hpp"
#include "modules/nn/optim.hpp"
#include "modules/nn/training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using fovea::test::fails_with;
using fovea::test::Folder;
using fovea::test::random_tensor;

namespace {

std::string recipe(int width, const std::string& classes = "[a, b, c]") {
  return "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1], widths: [" + std::to_string(width) +
         "], stem: cifar}\n  head: {type: classify, classes: " + classes + "}\n";
}

struct Pair {
  Folder folder;
  Model teacher = Model::from_recipe(recipe(8), 1), student = Model::from_recipe(recipe(6), 2);
  Pair() { teacher.save(folder.path() / "teacher.safetensors"); }
  Distillation make(const std::string& more) const {
    return {Yaml::parse("{model: teacher.safetensors" + more + "}", "recipe"), student, folder.path()};
  }
};

Batch pictures() { return {{{"image", random_tensor({4, 3, 8, 8}, 7).to(DType::f32)}}, {}}; }

std::vector<double> probabilities(const std::vector<double>& logits, std::size_t row, double temperature) {
  std::vector<double> p(3);
  double sum = 0;
  for (std::size_t i = 0; i < 3; ++i) sum += p[i] = std::exp(logits[row * 3 + i] / temperature);
  for (double& v : p) v /= sum;
  return p;
}

}  // namespace

TEST_CASE("distill: the loss is the divergence of the class probabilities, times the temperature squared") {
  const Pair pair;
  const double temperature = 2;
  const auto outcome = pair.make(", temperature: 2, logits: 0.5")(pair.student, pictures());
  const auto theirs = pair.teacher.run(pictures().input()).values(), mine = outcome.outputs.at("logits").value().values();
  double expected = 0;
  for (std::size_t n = 0; n < 4; ++n) {
    const auto p = probabilities(theirs, n, temperature), q = probabilities(mine, n, temperature);
    for (std::size_t i = 0; i < 3; ++i) expected += p[i] * std::log(p[i] / q[i]);
  }
  CHECK(outcome.loss.value().item() == Approx(0.5 * temperature * temperature * expected / 4).epsilon(1e-4));
}

TEST_CASE("distill: the teacher stands still while the student learns from maps of another width") {
  const Pair pair;
  const Distillation distill = pair.make(", features: [{teacher: backbone.layer1, student: backbone.layer1, weight: 2}]");
  Optimizer optimizer(pair.student.params(), {.lr = 0.02});
  const auto before = distill.teacher().run(pictures().input()).values();
  Random random(1);
  double first = 0, last = 0;
  for (int i = 0; i < 60; ++i) {
    const Training training(random);
    pair.student.params()->zero_grad();
    const Var loss = distill(pair.student, pictures()).loss;
    loss.backward();
    optimizer.step(0.02);
    (i == 0 ? first : last) = loss.value().item();
  }
  CHECK(last < 0.3 * first);
  CHECK(distill.teacher().run(pictures().input()).values() == before);
  const Folder out;
  pair.student.save(out.path() / "student.safetensors");
  for (const auto& [name, value] : read_safetensors(out.path() / "student.safetensors").tensors)
    CHECK(name.rfind("distill.", 0) != 0);
  Model::load((out.path() / "student.safetensors").string());
}

TEST_CASE("distill: features, classes and weights that do not fit are refused") {
  const Pair pair;
  const auto with = [&](const std::string& more) { return [&pair, more] { pair.make(more); }; };
  CHECK(
      fails_with(with(", features: [{teacher: backbone.layer2, student: backbone.layer1}]"), "has no feature 'backbone.layer2'"));
  CHECK(
      fails_with(with(", features: [{teacher: backbone.layer1, student: backbone.layer1, weight: 0}]"), "expected more than 0"));
  CHECK(fails_with(with(", logits: 0"), "nothing to learn"));
  CHECK(fails_with(with(", tempratur: 3"), "did you mean 'temperature'?"));
  const Model other = Model::from_recipe(recipe(6, "[a, b]"), 1);
  CHECK(fails_with([&] { Distillation(Yaml::parse("{model: teacher.safetensors}", "recipe"), other, pair.folder.path()); },
                   "its 3 classes are not the 2 of this recipe"));
}

TEST_CASE("distill: with forcing, what lies behind a matched map learns from the teacher's, not from the student's own") {
  const std::string two =
      "fovea: 1\nmodel:\n  backbone: {type: resnet, layers: [1, 1], widths: [8, 8], stem: cifar}\n"
      "  head: {type: classify, classes: [a, b, c]}\n";
  const Folder folder;
  const Model teacher = Model::from_recipe(two, 1), student = Model::from_recipe(two, 1);
  teacher.save(folder.path() / "teacher.safetensors");
  for (const auto& e : student.params()->entries())  // the student differs from the teacher in front of the first match alone
    if (e.name == "backbone.layer1.0.conv1.weight") Var(e.value).set_value(random_tensor(e.value.shape(), 3).to(DType::f32));
  student.params()->freeze("**");  // norms then use their fixed statistics, as the teacher's do
  const auto loss = [&](const std::string& features, double forcing, const std::string& more = "") {
    const Distillation distill(
        Yaml::parse("{model: teacher.safetensors, features: [" + features + "], forcing: " + std::to_string(forcing) + more + "}",
                    "recipe"),
        student, folder.path());
    Random random(5);
    const Training training(random);
    return distill(student, pictures()).loss.value().item();
  };
  const std::string first = "{teacher: backbone.layer1, student: backbone.layer1}",
                    both = first + ", {teacher: backbone.layer2, student: backbone.layer2}";
  const double alone = loss(first, 0, ", logits: 0");
  CHECK(alone > 0.01);
  CHECK(loss(both, 1) == Approx(alone).epsilon(1e-5));  // nothing is wrong behind the first map
  CHECK(loss(both, 0) > 1.01 * alone);
  const double some = loss(both, 0.5);  // of four pictures, some are led
  CHECK((some > alone && some < loss(both, 0)));
}

TEST_CASE("distill: forcing is a share, and needs maps of one width") {
  const Pair pair;
  const std::string match = ", features: [{teacher: backbone.layer1, student: backbone.layer1}]";
  CHECK(fails_with([&] { pair.make(match + ", forcing: 1.5"); }, "expected forcing from 0 to 1, got 1.5"));
  CHECK(fails_with([&] { pair.make(match + ", forcing: 0.5"); },
                   "forcing needs maps of one width; backbone.layer1 is not as wide"));
}

TEST_CASE("distill: any tapped map can be matched, not the last of each stride alone") {
  const std::string net =
      "fovea: 1\nmodel: {backbone: {type: mobilenet_v2, width: 0.25}, head: {type: classify, classes: [a, b, c]}}\n";
  const Folder folder;
  const Model teacher = Model::from_recipe(net, 1), student = Model::from_recipe(net, 2);
  teacher.save(folder.path() / "teacher.safetensors");
  const Distillation distill(
      Yaml::parse("{model: teacher.safetensors, features: [{teacher: backbone.features.2, student: backbone.features.2}]}",
                  "recipe"),
      student, folder.path());
  CHECK(distill(student, {{{"image", random_tensor({2, 3, 32, 32}, 7).to(DType::f32)}}, {}}).loss.value().item() > 0);
}
