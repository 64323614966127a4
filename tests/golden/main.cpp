// golden DIR: runs every golden tensor file of a folder and prints one line a file:
//   ok NAME error | FAIL NAME what | unknown NAME module
// Exit code 0 only when every line is ok. A file holds inputs, parameters, outputs, gradients and attention maps made by a public
// PyTorch implementation; the loss is the sum of output * loss_weight. error = max|a - ref| / max|ref|, the divisor 1 where
// max|ref| < 1e-6; its limit is max(2e-5, 10 x PyTorch's own f32 error, which the file states).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
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

Var loss_of(const Vars& outputs, const std::map<std::string, Tensor>& weights) {
  check(outputs.size() == weights.size(), "expected ", weights.size(), " outputs, got ", outputs.size());
  Var loss;
  std::size_t i = 0;
  for (const auto& [name, weight] : weights) {
    const Var product = outputs[i++] * Var(weight);
    std::vector<int> axes;
    for (int a = 0; a < product.shape().rank(); ++a) axes.push_back(a);
    const Var term = sum(product, axes, false);
    loss = loss.defined() ? loss + term : term;
  }
  return loss;
}

// Whether anything at all was compared, and the worst of it.
Worst compare(const TensorFile& file, const Block& block, ParamStore& params) {
  std::map<std::string, Var> inputs;
  for (const auto& [name, value] : under(file, "input")) inputs[name] = Var(value, is_floating(value.dtype()));
  Vars in;
  for (const auto& [name, v] : inputs) in.push_back(v);
  TapScope taps("**");
  const Vars outputs = block(in);
  loss_of(outputs, under(file, "loss_weight")).backward();

  Worst worst;
  std::size_t i = 0;
  for (const auto& [name, reference] : under(file, "output")) worst.add("output/" + name, outputs.at(i++).value(), reference);
  for (const auto& [name, reference] : under(file, "grad/input"))
    worst.add("grad/input/" + name, inputs.at(name).grad(), reference);
  for (const auto& [name, reference] : under(file, "grad/param")) {
    check(params.find(name), "grad/param/", name, ": no such parameter");
    worst.add("grad/param/" + name, params.find(name)->value.grad(), reference);
  }
  for (const auto& [name, reference] : under(file, "param_after")) {
    check(params.find(name), "param_after/", name, ": no such buffer");
    worst.add("param_after/" + name, params.find(name)->value.value(), reference);
  }
  for (const auto& [name, reference] : under(file, "attn")) {
    const auto tap = std::find_if(taps.kept.begin(), taps.kept.end(), [&](const auto& t) { return t.first == name; });
    check(tap != taps.kept.end(), "attn/", name, ": no tap is called so");
    worst.add("attn/" + name, tap->second.value(), reference);
  }
  return worst;
}

// 0 ok, 1 otherwise.
int run(const fs::path& path) {
  const std::string name = path.stem().string();
  try {
    const TensorFile file = read_safetensors(path);
    const std::string module = file.metadata.count("module") ? file.metadata.at("module") : "(none)";
    auto store = std::make_shared<ParamStore>();
    const auto hyper =
        nlohmann::json::parse(file.metadata.count("hyper_parameters") ? file.metadata.at("hyper_parameters") : "{}");
    const auto block = make(module, hyper, Scope(store));
    if (!block) {
      std::cout << "unknown " << name << " " << module << "\n";
      return 1;
    }
    store->load(under(file, "param"));
    const Worst worst = compare(file, *block, *store);
    const bool ok = worst.error <= limit_of(file);
    std::cout << (ok ? fmt::format("ok {} {:.2e}\n", name, worst.error)
                     : fmt::format("FAIL {} {}: error {:.2e}, limit {:.2e}\n", name, worst.name, worst.error, limit_of(file)));
    return ok ? 0 : 1;
  } catch (const std::exception& e) {
    std::cout << "FAIL " << name << " " << e.what() << "\n";
    return 1;
  }
}

}  // namespace
}  // namespace fovea::golden

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::cerr << "usage: golden DIR (a folder of golden .safetensors files)\n";
    return 64;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  fovea::Lane lane;
  int failed = files.empty() ? 1 : 0;
  for (const auto& file : files) failed |= fovea::golden::run(file);
  return failed;
}
