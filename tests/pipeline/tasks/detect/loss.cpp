// The loss of detectors: the outputs that say exactly what is there cost nearly nothing, gradients are those of the value, and what is ignored
// costs nothing.
#include "pipeline/tasks/detect/loss.hpp"

#include <cmath>

#include "modules/core/random.hpp"
#include "pipeline/tasks/detect/decode.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tensors.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::int64_t kClasses = 2, kSide = 64;

Batch batch_of(const std::vector<float>& boxes, const std::vector<std::int64_t>& labels) {
  const auto count = static_cast<std::int64_t>(labels.size());
  Batch b;
  b.inputs.add("image", Tensor::zeros({1, 3, kSide, kSide}, DType::f32, Layout::channels_last));
  b.targets.add("boxes", Tensor::from(boxes, {1, count, 4}));
  b.targets.add("labels", Tensor::from(labels, {1, count}));
  return b;
}

NamedVars outputs_of(const BoxCoding& coding, std::uint64_t seed, bool wants_gradient = false) {
  NamedVars all;
  for (const char* name : {"class.", "box."})
    for (const int stride : coding.strides) {
      const std::int64_t channels = coding.per_position() * (name[0] == 'c' ? kClasses : coding.box_channels());
      Tensor t = Tensor::empty({1, channels, kSide / stride, kSide / stride}, DType::f64, Layout::channels_last);
      Random(seed++).fill_normal(t, name[0] == 'c' ? -2 : 1, 0.4);
      all.add(name + std::to_string(stride), Var(t, wants_gradient));
    }
  return all;
}

const Batch& two_objects() {
  static const Batch batch = batch_of({6, 6, 40, 38, 30, 20, 61, 60}, {0, 1});
  return batch;
}

}  // namespace

TEST_CASE("detect loss: gradients are those of the value, with every coding") {
  // Targets follow the outputs but count as constants: hard targets of atss and anchors do not, which central differences need.
  for (const BoxCoding& coding : {BoxCoding{.strides = {8, 16}}, BoxCoding{.strides = {8, 16}, .bins = 6},
                                  BoxCoding{.strides = {8, 16}, .anchors = {{4, 4}, {3, 6}}}}) {
    DetectLossOptions options;
    options.quality = false;
    options.assign.kind = coding.anchors.empty() ? AssignOptions::Kind::atss : AssignOptions::Kind::max_iou;
    options.assign.top = 9;
    const NamedVars outputs = outputs_of(coding, 3, true);
    detect_loss(outputs, two_objects(), coding, kClasses, options).backward();
    Random random(5);
    for (const auto& [name, v] : outputs) {
      CAPTURE(name, coding.bins, coding.anchors.size());
      Tensor direction = Tensor::empty(v.shape(), DType::f64, Layout::channels_last);
      random.fill_normal(direction, 0, 1);
      double along = 0;
      // A level without an object has no boxes to learn.
      const auto g = v.grad().defined() ? v.grad().values() : std::vector<double>(direction.values().size(), 0.0);
      const auto d = direction.values();
      for (std::size_t i = 0; i < g.size(); ++i) along += g[i] * d[i];
      const auto moved = [&](double by) {
        NamedVars at;
        for (const auto& [other, w] : outputs) {
          Tensor t = w.value().clone();
          if (other == name)
            for (std::int64_t i = 0; i < t.size(); ++i) t.data<double>()[i] += by * direction.data<double>()[i];
          at.add(other, Var(t));
        }
        return detect_loss(at, two_objects(), coding, kClasses, options).value().item();
      };
      const double step = 1e-6;
      CHECK(along == Approx((moved(step) - moved(-step)) / (2 * step)).epsilon(1e-5).margin(1e-7));
    }
  }
}

TEST_CASE("detect loss: it falls along its gradient until the boxes are found") {
  const BoxCoding coding{.strides = {8, 16}};
  NamedVars outputs = outputs_of(coding, 9, true);
  double first = 0, last = 0;
  for (int step = 0; step < 800; ++step) {
    for (auto& [name, v] : outputs) v.zero_grad();
    const Var loss = detect_loss(outputs, two_objects(), coding, kClasses, {});
    loss.backward();
    (step == 0 ? first : last) = loss.value().item();
    for (auto& [name, v] : outputs) {
      Tensor t = v.value().clone();
      if (v.grad().defined())
        for (std::int64_t i = 0; i < t.size(); ++i)
          t.data<double>()[i] -= 3.0 * v.grad().contiguous(t.layout()).data<double>()[i];
      v.set_value(t);
    }
  }
  CHECK(last < 0.5 * first);
  NamedTensors said;
  for (const auto& [name, v] : outputs) said.add(name, v.value());
  const DetectGrid grid(coding, kClasses, kSide, kSide);
  const Detections found = suppress(candidates_of(said, grid, 0, {.confidence = 0.4}), {.iou = 0.5});
  REQUIRE(found.size() == 2);
  for (const Detection& d : found) CHECK(iou(d.box, d.label == 0 ? Box{6, 6, 40, 38} : Box{30, 20, 61, 60}) > 0.7);
}

TEST_CASE("detect loss: what is ignored is neither right nor wrong") {
  const BoxCoding coding{.strides = {8, 16}};
  const Batch empty = batch_of({0, 0, 0, 0}, {-1}), ignored = batch_of({0, 0, 64, 64}, {-2 - 1});
  NamedVars outputs = outputs_of(coding, 3);
  const double background = detect_loss(outputs, empty, coding, kClasses, {}).value().item();
  CHECK(background > 0);
  // Whatever class 1 says inside the region costs nothing.
  const double before = detect_loss(outputs, ignored, coding, kClasses, {}).value().item();
  for (auto& [name, v] : outputs)
    if (name.starts_with("class."))
      for (std::int64_t i = 0; i < v.value().size() / kClasses; ++i) {
        Tensor t = v.value();
        t.data<double>()[i * kClasses + 1] = 5;
      }
  CHECK(detect_loss(outputs, ignored, coding, kClasses, {}).value().item() == Approx(before));
  CHECK(detect_loss(outputs, empty, coding, kClasses, {}).value().item() > 10 * background);
}
