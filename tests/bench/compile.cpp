// How long ResNet-50 takes to compile for a picture of 224 x 224, in processes that have done nothing else: nothing is warm but what is
// kept on disk.
#include <fmt/core.h>

#include "modules/core/threads.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/child.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {

double compile_seconds(int threads) {
  const ThreadScope thread_scope(threads);
  const Model model =
      Model::from_recipe("fovea: 1\nmodel: {backbone: {type: resnet50}, head: {type: classify, classes: 1000}}\n");
  const Tensor x = random_map({1, 3, 224, 224}, DType::f32);
  return seconds([&] { model.compile(x.shape()).run({x}); });
}

void compile(Report& report) {
  for (const int threads : {1, 2}) {
    const std::string name = fmt::format("compile.resnet50_and_first_run_s.{}t", threads);
    if (threads > cpu_budget()) {
      report.skip(name, "one processor");
      continue;
    }
    std::vector<double> times;
    for (int round = -1; round < 5; ++round) {  // the first may have to measure which kernels are fast
      const double t = std::stod(output_of({program("fovea_bench").string(), "--compile", std::to_string(threads)}));
      if (round >= 0) times.push_back(t);
    }
    report.at_most(name, median(times), 0.5);
  }
}

}  // namespace fovea::bench
