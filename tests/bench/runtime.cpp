// How plans are used: pictures a second with a lane for each against one lane over all processors, on a folder of photographs; what a
// plan of ResNet-50 holds; and by how much the process grows once the weights that it was made from are given back.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "modules/core/memory.hpp"
#include "modules/core/resident.hpp"
#include "modules/core/threads.hpp"
#include "tests/bench/bench.hpp"
#include "tests/bench/child.hpp"
#include "tests/bench/training.hpp"

namespace fovea::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kPhotographs = 192, kRounds = 3;
const Shape kInput{1, 3, 224, 224};

fs::path resnet50() {
  std::string classes = "a";
  for (int i = 1; i < 1000; ++i) classes += fmt::format(", c{}", i);
  const fs::path file = scratch_folder() / "resnet50.safetensors";
  Model::from_recipe("fovea: 1\nmodel: {backbone: {type: resnet50}, head: {type: classify, classes: [" + classes + "]}}\n")
      .save(file);
  return file;
}

// The first photographs of Flickr8k, as links; an empty path where the data are not here.
fs::path photographs() {
  const fs::path from = FOVEA_SOURCE_DIR "/../shared/data/flickr8k/images", folder = scratch_folder() / "flickr";
  if (!fs::is_directory(from)) return {};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(from)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (std::size_t i = 0; i < std::min<std::size_t>(files.size(), kPhotographs); ++i)
    fs::create_symlink(fs::canonical(files[i]), folder / files[i].filename());
  return folder;
}

// Seconds of a run over the folder.
double classified(const fs::path& folder, const std::string& model, const std::string& hint) {
  const fs::path out = scratch_folder() / "classified";
  fs::remove_all(out);
  std::istringstream lines(output_of({program("fovea").string(), "classify", folder.string(), "--model", model, "--hint", hint,
                                      "-o", out.string(), "--json", "--threads", std::to_string(cpu_budget())}));
  std::string line, last;
  while (std::getline(lines, line)) last = line;
  const auto summary = nlohmann::json::parse(last);
  check(summary.at("done") == kPhotographs, "bench: expected ", kPhotographs, " pictures done, got ", last);
  return summary.at("wall_s");
}

// Pictures a second with a lane for each over those of one lane that is as wide as the machine.
Spread gain(Report& report, const fs::path& folder, const std::string& model) {
  const Times t = interleaved(
      kRounds, {[&] { return classified(folder, model, "throughput"); }, [&] { return classified(folder, model, "latency"); }});
  const std::string name = fs::path(model).stem().string();
  report.note("runtime." + name + ".throughput.images_per_second", kPhotographs / t.median(0));
  report.note("runtime." + name + ".latency.images_per_second", kPhotographs / t.median(1));
  return t.over(1, 0);
}

void throughput(Report& report, const fs::path& large) {
  const std::string shipped = "photo-cbam", name = "runtime." + shipped + ".throughput/latency";
  const fs::path folder = photographs();
  if (folder.empty()) return report.skip(name, "no ../shared/data/flickr8k");
  if (cpu_budget() < 2) return report.skip(name, "one processor");
  report.at_least(name, gain(report, folder, shipped), 1.15);
  report.note("runtime.resnet50.throughput/latency", gain(report, folder, large.string()));
}

// Bytes of this process, without what the allocator keeps.
double resident() {
  memory::trim();
  return resident_memory_mb() * (1 << 20);
}

double largest_two(const plan::Plan& plan) {
  std::vector<std::int64_t> elements;
  for (const auto& step : plan.steps()) elements.push_back(step.output.elements());
  std::partial_sort(elements.begin(), elements.begin() + 2, elements.end(), std::greater<>());
  return static_cast<double>(elements[0] + elements[1]) * sizeof(float);
}

void memory_of_plans(Report& report, const fs::path& file) {
  const ThreadScope thread_scope(1);
  const Tensor x = random_map(kInput, DType::f32);
  // What the libraries allocate once is there before the first measurement.
  Model::from_recipe("fovea: 1\nmodel: {backbone: {type: resnet18}, head: {type: classify, classes: [a, b]}}\n").run(x);
  const double before = resident();
  const Model model = Model::load(file.string());
  double weights = 0;
  for (const auto& [name, value] : model.params()->values()) weights += static_cast<double>(value.bytes());
  model.release_weights();
  for (int i = 0; i < 2; ++i) model.run(x);
  const double grown = resident() - before;
  const plan::Plan plan = model.compile(kInput);
  const double holds = static_cast<double>(plan.memory().constants + plan.memory().arena);
  report.note("runtime.resnet50.weights_mb", weights / 1e6);
  report.note("runtime.resnet50.plan_mb", holds / 1e6);
  report.note("runtime.resnet50.grown_mb", grown / 1e6);
  report.at_most("runtime.resnet50.plan/(1.5_weights+activations)", holds / (1.5 * weights + largest_two(plan)), 1);
  report.at_most("runtime.resnet50.grown/plan", grown / holds, 1.1);
}

}  // namespace

void runtime(Report& report) {
  const fs::path model = resnet50();
  memory_of_plans(report, model);
  throughput(report, model);
}

}  // namespace fovea::bench
