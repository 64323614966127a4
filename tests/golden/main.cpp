// golden DIR: runs every golden tensor file of a folder and prints one line a file:
//   ok NAME error | FAIL NAME what | unknown NAME module
// Exit code 0 only when every line is ok. A file holds inputs, parameters, outputs, gradients and attention maps made by a public
// PyTorch implementation; the loss is the sum of output * loss_weight. error = max|a - ref| / max|ref|, the divisor 1 where
// max|ref| < 1e-6; its limit is max(2e-5, 10 x PyTorch's own f32 error, which the file states).
// Gradients jump where a ReLU is at zero or two values share a maximum, and which side a value within rounding of such a point falls on
// depends on the processor. Where a gradient differs, the network is also run on inputs that are moved by roundings: the file's gradients
// must then all be met at one of those points ("ok NAME error, inputs moved").
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/plan/plan.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

namespace fs = std::filesystem;

struct Worst {
  double error = 0;
  std::string name;
  void add(const std::string& tensor, const Tensor& value, const Tensor& reference) {
    check(value.defined(), tensor, ": nothing was computed");
    check(value.size() == reference.size(), tensor, ": expected shape ", reference.shape(), ", got ", value.shape());
    const auto a = value.values(), b = reference.values();
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double d = std::abs(a[i] - b[i]);
      difference = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(difference, d);
      size = std::max(size, std::abs(b[i]));
    }
    const double e = difference / (size < 1e-6 ? 1.0 : size);
    if (e >= error) error = e, name = tensor;
  }
};

std::map<std::string, Tensor> under(const TensorFile& file, const std::string& prefix) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, value] : file.tensors)
    if (name == prefix) out[""] = value;
    else if (name.rfind(prefix + "/", 0) == 0) out[name.substr(prefix.size() + 1)] = value;
  return out;
}

double limit_of(const TensorFile& file) {
  const auto it = file.metadata.find("fp32_rel_max_diff");
  return std::max(2e-5, 10 * (it == file.metadata.end() ? 0.0 : std::atof(it->second.c_str())));
}

Var loss_of(const std::map<std::string, Var>& outputs, const std::map<std::string, Tensor>& weights) {
  Var loss;
  for (const auto& [name, weight] : weights) {
    check(outputs.count(name), "loss_weight/", name, ": there is no such output");
    const Var product = outputs.at(name) * Var(weight);
    std::vector<int> axes;
    for (int a = 0; a < product.shape().rank(); ++a) axes.push_back(a);
    const Var term = axes.empty() ? product : sum(product, axes, false);
    loss = loss.defined() ? loss + term : term;
  }
  return loss;
}

std::vector<std::string> names_of(const std::map<std::string, Tensor>& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, value] : tensors) names.push_back(name);
  return names;
}

Case describe(const TensorFile& file, const std::string& name) {
  const auto value = [&](const char* key, const char* fallback) {
    const auto it = file.metadata.find(key);
    return it == file.metadata.end() ? std::string(fallback) : it->second;
  };
  return {.name = name,
          .module = value("module", "(none)"),
          .repo = value("repo", ""),
          .path = value("path", ""),
          .mode = value("mode", "eval"),
          .note = value("note", ""),
          .hyper = nlohmann::json::parse(value("hyper_parameters", "{}")),
          .inputs = names_of(under(file, "input")),
          .parameter = [&file](const std::string& parameter) {
            const auto it = file.tensors.find("param/" + parameter);
            return it == file.tensors.end() ? Shape{} : it->second.shape();
          }};
}

// The file's parameters under our names.
std::map<std::string, Tensor> renamed(std::map<std::string, Tensor> theirs, const Subject& subject) {
  if (!subject.rename) return theirs;
  std::map<std::string, Tensor> ours;
  for (auto& [name, value] : theirs)
    if (const std::string to = subject.rename(name); !to.empty()) ours[to] = value;
  return ours;
}

struct Run {
  std::map<std::string, Var> inputs;
  std::map<std::string, Tensor> outputs;
  std::vector<std::pair<std::string, Var>> taps;
};

std::vector<std::string> input_names(const TensorFile& file, const Subject& subject) {
  return subject.inputs.empty() ? names_of(under(file, "input")) : subject.inputs;
}
std::vector<std::string> output_names(const TensorFile& file, const Subject& subject) {
  return subject.outputs.empty() ? names_of(under(file, "output")) : subject.outputs;
}

constexpr int kMoves = 16;

// The value with each number moved by up to two roundings; `move` 0: as it is.
Tensor moved(const Tensor& value, int move) {
  if (move == 0 || value.dtype() != DType::f32) return value;
  Random random(static_cast<std::uint64_t>(move));
  Tensor out = value.clone();
  auto* p = out.data<float>();
  for (std::int64_t i = 0; i < out.size(); ++i) p[i] *= static_cast<float>(1 + (2 * random.uniform() - 1) / (1 << 22));
  return out;
}

Run run_block(const TensorFile& file, const Subject& subject, bool train, int move) {
  Run run;
  for (const auto& [name, value] : under(file, "input")) run.inputs[name] = Var(moved(value, move), is_floating(value.dtype()));
  Vars in;
  for (const std::string& name : input_names(file, subject)) {
    check(run.inputs.count(name), "the file has no input '", name, "'");
    in.push_back(run.inputs.at(name));
  }
  Random random(0);
  std::unique_ptr<Training> training = train ? std::make_unique<Training>(random) : nullptr;
  TapScope taps("**");
  const Vars out = (*subject.block)(in);
  const std::vector<std::string> names = output_names(file, subject);
  check(out.size() == names.size(), "expected ", names.size(), " outputs, got ", out.size());
  std::map<std::string, Var> outputs;
  for (std::size_t i = 0; i < names.size(); ++i) outputs[names[i]] = out[i];
  if (const auto weights = under(file, "loss_weight"); !weights.empty()) loss_of(outputs, weights).backward();
  for (const auto& [name, v] : outputs) run.outputs[name] = v.value();
  run.taps = taps.kept;
  return run;
}

const Tensor& tap_of(const Run& run, const Subject& subject, const std::string& name) {
  const std::string glob = subject.taps.count(name) ? subject.taps.at(name) : name;
  for (const auto& [path, v] : run.taps)
    if (glob_match(glob, path)) return v.value();
  fail("attn/", name, ": no tap is called ", glob);
}

bool in_training(const TensorFile& file) { return file.metadata.count("mode") && file.metadata.at("mode") == "train"; }

// The same through a compiled plan, which is for networks in use on f32. False for other files.
bool run_planned(const TensorFile& file, const Subject& subject, Run& run) {
  Tensors in;
  Shapes shapes;
  for (const std::string& name : input_names(file, subject)) {
    in.push_back(under(file, "input").at(name));
    shapes.push_back(in.back().shape());
    if (in.back().dtype() != DType::f32) return false;
  }
  if (in_training(file)) return false;
  auto result = plan::compile([&](const Vars& x) { return (*subject.block)(x); }, shapes, {.keep = "**"}).run(in);
  const auto names = output_names(file, subject);
  for (std::size_t i = 0; i < names.size(); ++i) run.outputs[names[i]] = result.outputs.at(i);
  for (auto& t : result.taps) run.taps.emplace_back(t.name, Var(t.value));
  return true;
}

// Every tensor that the file has a reference for: the worst of them.
Worst compare(const TensorFile& file, const Subject& subject, ParamStore& params, int move) {
  const Run run = run_block(file, subject, in_training(file), move);
  Worst worst;
  for (const auto& [name, reference] : under(file, "output")) {
    check(run.outputs.count(name), "output/", name, ": not computed");
    worst.add("output/" + name, run.outputs.at(name), reference);
  }
  for (const auto& [name, reference] : under(file, "grad/input"))
    worst.add("grad/input/" + name, run.inputs.at(name).grad(), reference);
  for (const auto& [name, reference] : renamed(under(file, "grad/param"), subject)) {
    check(params.find(name), "grad/param/", name, ": no such parameter");
    worst.add("grad/param/" + name, params.find(name)->value.grad(), reference);
  }
  for (const auto& [name, reference] : renamed(under(file, "param_after"), subject)) {
    check(params.find(name), "param_after/", name, ": no such buffer");
    worst.add("param_after/" + name, params.find(name)->value.value(), reference);
  }
  for (const auto& [name, reference] : under(file, "attn")) worst.add("attn/" + name, tap_of(run, subject, name), reference);
  Run planned;
  if (!run_planned(file, subject, planned)) return worst;
  for (const auto& [name, reference] : under(file, "output")) worst.add("plan/" + name, planned.outputs.at(name), reference);
  for (const auto& [name, reference] : under(file, "attn"))
    worst.add("plan/attn/" + name, tap_of(planned, subject, name), reference);
  return worst;
}

Worst measure(const TensorFile& file, const Case& described, const Make& make, int move) {
  auto store = std::make_shared<ParamStore>();
  const Subject subject = make(described, Scope(store));
  store->load(renamed(under(file, "param"), subject));
  return compare(file, subject, *store, move);
}

// 0 ok, 1 otherwise.
int run(const fs::path& path) {
  const std::string name = path.stem().string();
  try {
    const TensorFile file = read_safetensors(path);
    const Case described = describe(file, name);
    const Make* make = adapters().find(described);
    if (!make) {
      std::cout << "unknown " << name << " " << described.module << "\n";
      return 1;
    }
    const double limit = limit_of(file);
    const Worst worst = measure(file, described, *make, 0);
    if (worst.error <= limit) return std::cout << fmt::format("ok {} {:.2e}\n", name, worst.error), 0;
    for (int move = 1; move <= kMoves && worst.name.starts_with("grad/"); ++move)
      if (const Worst there = measure(file, described, *make, move); there.error <= limit)
        return std::cout << fmt::format("ok {} {:.2e}, inputs moved\n", name, there.error), 0;
    std::cout << fmt::format("FAIL {} {}: error {:.2e}, limit {:.2e}\n", name, worst.name, worst.error, limit);
    return 1;
  } catch (const std::exception& e) {
    std::cout << "FAIL " << name << " " << e.what() << "\n";
    return 1;
  }
}

}  // namespace
}  // namespace fovea::golden

int main(int argc, char** argv) {
  fovea::plan::set_tuning(false);
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::cerr << "usage: golden DIR (a folder of golden .safetensors files)\n";
    return 64;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  fovea::ThreadScope thread_scope;
  int failed = files.empty() ? 1 : 0;
  for (const auto& file : files) failed |= fovea::golden::run(file);
  return failed;
}
