#include "tests/bench/onnx_runtime.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "modules/core/error.hpp"
#include "tests/bench/bench.hpp"

namespace fovea::bench {
namespace {

namespace fs = std::filesystem;

fs::path export_script() {
  const fs::path file = FOVEA_SOURCE_DIR "/../shared/bench/export_models.py";
  check(fs::exists(file), "no ", file.filename().string(), " in ", file.parent_path().string());
  return file;
}

// Of the package that lies in the folder; empty where none does.
std::string version_in(const fs::path& folder) {
  std::ifstream in(folder / "node_modules/onnxruntime-node/package.json");
  const auto package = nlohmann::json::parse(in, nullptr, false);
  return package.is_object() ? package.value("version", "") : "";
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
  const fs::path exporter = export_script();
  run({"/usr/bin/env", "node", "--version"}, "Node.js is not installed (Debian's packages nodejs and npm)");
  version_ = version_in(folder_);
  if (version_.empty() || (!given && version_ != kVersion)) {
    run({"/usr/bin/env", "npm", "install", "--ignore-scripts", "--silent", "--prefix", folder_.string(),
         std::string("onnxruntime-node@") + kVersion},
        "npm could not install onnxruntime-node: is npm there, and the network?");
    version_ = version_in(folder_);
  }
  if (!fs::exists(model("a2n_512")))  // the last that the script writes
    run({"/usr/bin/python3", exporter.string(), (folder_ / "models").string()},
        "no exported networks: they need Debian's python3-torch, python3-torchvision and python3-onnx");
}

fs::path OnnxRuntime::model(const std::string& network) const { return folder_ / "models" / (network + ".onnx"); }

OnnxRuntime::Session OnnxRuntime::session(const std::string& network, int threads) const {
  Session session({"/usr/bin/env", "NODE_PATH=" + (folder_ / "node_modules").string(), "node",
                   FOVEA_SOURCE_DIR "/tests/bench/ort_bench.js", std::to_string(threads), model(network).string()});
  const std::string version = session.process_.read_line();
  check(version == version_, "bench: expected ONNX Runtime ", version_, ", got ", version);
  return session;
}

double OnnxRuntime::Session::run() { return std::stod(process_.ask("run")) / 1e3; }

}  // namespace fovea::bench
