// ONNX Runtime as a peer: found or installed, with the networks that it runs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tests/bench/child.hpp"

namespace fovea::bench {

class OnnxRuntime {
 public:
  // The version that the figures of the README are of, and that is installed.
  static constexpr const char* kVersion = "1.30.0";

  // In the folder that $FOVEA_ORT names, of whatever version, else in one beside the build: npm installs kVersion of onnxruntime-node
  // there and PyTorch exports the networks the first time. Error says what is missing where that does not work.
  OnnxRuntime();

  const std::string& version() const { return version_; }

  // A process that has one of export_models.py's networks loaded, on the processors of this thread.
  class Session {
   public:
    double run();  // seconds that one took

   private:
    friend class OnnxRuntime;
    explicit Session(const std::vector<std::string>& command) : process_(command) {}
    Child process_;
  };
  Session session(const std::string& network, int threads) const;

 private:
  std::filesystem::path model(const std::string& network) const;

  std::filesystem::path folder_;
  std::string version_;
};

}  // namespace fovea::bench
