// Compiled plans at 224 x 224, batch 1: ResNet-50 against its own convolutions, direct ones bare in oneDNN (a plan takes Winograd's
// where that is faster, so the ratio may be below 1); attention in every block against none; kept maps against none.
#include <fmt/core.h>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "tests/bench/bare_forward.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

const Shape kInput{1, 3, 224, 224};

Model network(const std::string& block, const std::string& at = "backbone.layer*.*.pre_add") {
  const std::string plug = block.empty() ? "" : ", attention: [{at: \"" + at + "\", type: " + block + "}]";
  return Model::from_recipe("fovea: 1\nmodel: {backbone: {type: resnet50}" + plug +
                            ", head: {type: classify, classes: [a, b, c]}}\n");
}

// 0: the bare convolutions; i + 1: plan i.
std::vector<Run> runs(BareForward& bare, const std::vector<plan::Plan>& plans, const Tensor& x) {
  std::vector<Run> all{timed([&] { bare(); })};
  for (const plan::Plan& p : plans) all.push_back(timed([&] { p.run({x}); }));
  return all;
}

struct Against {
  std::string name, block, at;
  double limit;  // on the ratio to the network without attention
};

void measure(Report& report, int threads) {
  const ThreadScope thread_scope(threads);
  const std::string every = "backbone.layer*.*.pre_add", three = "backbone.layer[1-3].after_stage";
  const std::vector<Against> all{{"se", "se", every, 1.06},
                                 {"cbam", "cbam", every, 1.13},
                                 {"eca", "eca", every, 1.06},
                                 {"gct", "gct", every, 1.06},
                                 {"scse", "scse", every, 1.15},
                                 {"bam", "bam", three, 1.06},
                                 {"coordinate", "coordinate", every, 1.15},
                                 {"triplet", "triplet", every, 1.20}};
  const Model plain = network("");
  const Tensor x = random_map(kInput, DType::f32);
  BareForward bare(plain, kInput, DType::f32);
  std::vector<plan::Plan> plans{plain.compile(kInput)};
  for (const Against& a : all) plans.push_back(network(a.block, a.at).compile(kInput));
  plans.push_back(network("cbam").compile(kInput, {.keep = "**.spatial"}));
  const Times t = interleaved(15, runs(bare, plans, x));
  const auto name = [&](const std::string& what) { return fmt::format("plan.{}.{}t", what, threads); };
  report.note(name("resnet50.ms"), t.median(1) * 1e3);
  report.at_most(name("resnet50/direct_convolutions"), t.over(1, 0), 1.06);
  for (std::size_t i = 0; i < all.size(); ++i)
    report.at_most(name("resnet50_" + all[i].name + "/plain"), t.over(i + 2, 1), all[i].limit);
  report.at_most(name("resnet50_cbam_kept/cbam"), t.over(plans.size(), 3), 1.03);
  const auto m = plans[0].memory();
  report.note(name("resnet50.arena_mb"), static_cast<double>(m.arena) / 1e6);
  report.note(name("resnet50.without_sharing_mb"), static_cast<double>(m.without_sharing) / 1e6);
}

// bf16 against its own convolutions and against f32. The limit is for processors with AMX, where `auto` takes bf16.
void measure_bf16(Report& report, int threads) {
  const ThreadScope thread_scope(threads);
  const Tensor x = random_map(kInput, DType::f32);
  const Model plain = network("");
  BareForward bare(plain, kInput, DType::bf16);
  std::vector<plan::Plan> plans;
  for (const Model& model : {plain, network("cbam")})
    for (const DType precision : {DType::bf16, DType::f32}) plans.push_back(model.compile(kInput, {.precision = precision}));
  const Times t = interleaved(15, runs(bare, plans, x));
  const auto name = [&](const std::string& what) { return fmt::format("plan.{}.{}t", what, threads); };
  report.note(name("resnet50_bf16.ms"), t.median(1) * 1e3);
  if (parse_precision("auto") == DType::bf16) report.at_most(name("resnet50_bf16/direct_convolutions"), t.over(1, 0), 1.35);
  else report.note(name("resnet50_bf16/direct_convolutions"), t.over(1, 0));
  report.note(name("resnet50_bf16/f32"), t.over(1, 2));
  report.note(name("resnet50_cbam_bf16/f32"), t.over(3, 4));
  report.note(name("resnet50_cbam_bf16/plain_bf16"), t.over(3, 1));
}

bool has_bf16(Report& report) {
  try {
    parse_precision("bf16");
    return true;
  } catch (const Error& e) {
    report.skip("plan.resnet50_bf16", e.what());
    return false;
  }
}

}  // namespace

void plan(Report& report) {
  const bool bf16 = has_bf16(report);
  for (const int threads : {1, 2}) {
    if (threads > cpu_budget()) report.skip(fmt::format("plan.{}t", threads), "one processor");
    else {
      measure(report, threads);
      if (bf16) measure_bf16(report, threads);
    }
  }
}

}  // namespace fovea::bench
