#include "tests/bench/onnx_runtime.hpp"

#include <sched.h>

#include <cstdlib>

#include "modules/core/error.hpp"
#include "tests/bench/bench.hpp"

namespace fovea::bench {
namespace {

namespace fs = std::filesystem;

// Programs that this thread starts meanwhile may use so many processors.
class Processors {
 public:
  explicit Processors(int count) {
    check(sched_getaffinity(0, sizeof before_, &before_) == 0, "bench: cannot read the processor affinity");
    cpu_set_t some;
    CPU_ZERO(&some);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < count; ++cpu)
      if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &some);
    check(sched_setaffinity(0, sizeof some, &some) == 0, "bench: cannot set the processor affinity");
  }
  ~Processors() { sched_setaffinity(0, sizeof before_, &before_); }
  Processors(const Processors&) = delete;

 private:
  cpu_set_t before_;
};

fs::path script(const char* name) {
  const fs::path file = fs::path(FOVEA_SOURCE_DIR "/../shared/bench") / name;
  check(fs::exists(file), "no ", name, " in ", file.parent_path().string());
  return file;
}

void run(const std::vector<std::string>& command, const char* missing) {
  try {
    output_of(command);
  } catch (const Error&) { fail(missing); }
}

}  // namespace

OnnxRuntime::OnnxRuntime() {
  const char* given = std::getenv("FOVEA_ORT");
  folder_ = given ? fs::path(given) : scratch_folder() / "onnx";
  script("ort_bench.js");
  run({"/usr/bin/env", "node", "--version"}, "Node.js is not installed (Debian's packages nodejs and npm)");
  if (!fs::exists(folder_ / "node_modules/onnxruntime-node"))
    run({"/usr/bin/env", "npm", "install", "--ignore-scripts", "--silent", "--prefix", folder_.string(), "onnxruntime-node"},
        "npm could not install onnxruntime-node: is npm there, and the network?");
  if (!fs::exists(model("a2n_512")))  // the last that the script writes
    run({"/usr/bin/python3", script("export_models.py").string(), (folder_ / "models").string()},
        "no exported networks: they need Debian's python3-torch, python3-torchvision and python3-onnx");
}

fs::path OnnxRuntime::model(const std::string& network) const { return folder_ / "models" / (network + ".onnx"); }

double OnnxRuntime::ms(const std::string& network, int threads) const {
  const Processors some(threads);
  const std::string text = output_of({"/usr/bin/env", "NODE_PATH=" + (folder_ / "node_modules").string(), "node",
                                      script("ort_bench.js").string(), std::to_string(threads), model(network).string()});
  double median = 0;
  check(std::sscanf(text.c_str(), "%*s %*s %lf", &median) == 1, "bench: ort_bench.js: expected a time, got '", text, "'");
  return median;
}

}  // namespace fovea::bench
