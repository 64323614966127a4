// ONNX Runtime as a peer: found or installed, with the networks that it runs.
#pragma once

#include <filesystem>
#include <string>

namespace fovea::bench {

class OnnxRuntime {
 public:
  // In the folder that $FOVEA_ORT names, else in one beside the build: npm installs onnxruntime-node there and PyTorch exports the
  // networks the first time. Error says what is missing where that does not work.
  OnnxRuntime();

  // Median milliseconds of a run of one of export_models.py's networks, in a process of its own that has as many processors as threads.
  double ms(const std::string& network, int threads) const;

 private:
  std::filesystem::path model(const std::string& network) const;

  std::filesystem::path folder_;
};

}  // namespace fovea::bench
