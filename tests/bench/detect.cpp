// The detector `photos` on one picture of 320 x 320 through its plan, against its own convolutions, direct ones bare in oneDNN (as plan.cpp does it), and
// what boxes take behind the network: decoding and suppression in a crowd.
#include <fmt/core.h>

#include "modules/core/threads.hpp"
#include "pipeline/tasks/detect/decode.hpp"
#include "pipeline/tasks/detect/detector.hpp"
#include "tests/bench/bare_forward.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

const Shape kInput{1, 3, 320, 320};
constexpr int kSure = 300;  // predictions of the crowd that reach the least score

// What the plan said, but that some predictions of every level are sure.
NamedTensors crowd(const Model& model, const plan::Plan::Result& said) {
  NamedTensors outputs;
  Random random(7);
  const std::size_t count = said.outputs.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& name = model.info().outputs[i].name;
    Tensor map = said.outputs[i].clone();
    for (int n = 0; name.starts_with("class.") && n < 2 * kSure / static_cast<int>(count); ++n)
      map.data<float>()[random.below(map.size())] = 2;
    outputs.add(name, map);
  }
  return outputs;
}

void measure(Report& report, const Model& model, int threads) {
  const ThreadScope thread_scope(threads);
  const Tensor x = random_map(kInput, DType::f32);
  BareForward bare(model, kInput, DType::f32);
  const plan::Plan plan = model.compile(kInput);
  const NamedTensors outputs = crowd(model, plan.run({x}));
  const Geometry geometry = geometry_of({320, 320}, model.preprocess());
  const BoxCoding coding = detect_head(model).coding();
  const DecodeOptions options;
  const auto classes = static_cast<std::int64_t>(model.classes().size());
  check(!decode(outputs, coding, classes, geometry, options).empty(), "bench: expected boxes");
  const Times t = interleaved(31, {timed([&] { bare(); }), timed([&] { plan.run({x}); }),
                                   timed([&] { decode(outputs, coding, classes, geometry, options); })});
  const auto name = [&](const std::string& what) { return fmt::format("detect.{}.{}t", what, threads); };
  report.note(name("plan.ms"), t.median(1) * 1e3);
  report.note(name("direct_convolutions.ms"), t.median(0) * 1e3);
  report.note(name("boxes.ms"), t.median(2) * 1e3);
  report.at_most(name("plan/direct_convolutions"), t.over(1, 0), 0.95);
  report.at_most(name("boxes/plan"), t.over(2, 1), 0.02);
}

}  // namespace

void detect(Report& report) {
  const Model model = Model::load("photos");
  for (const int threads : {1, 2}) {
    if (threads > cpu_budget()) report.skip(fmt::format("detect.{}t", threads), "one processor");
    else measure(report, model, threads);
  }
}

}  // namespace fovea::bench
