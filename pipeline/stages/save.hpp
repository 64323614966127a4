// Encodes the output and writes it: the file is complete or absent.
#pragma once

#include <functional>

#include "pipeline/stage.hpp"

namespace fovea {

// Makes the folder of `file`, then runs `write`. What the machine refuses (disk full, read-only, no permission) becomes an
// EnvironmentError; what only this name suffers from (too long, a folder in its way) stays an Error.
void write_output(const std::filesystem::path& file, const std::function<void()>& write);

// A PNG of the frame's, told to it: u8 or u16, one channel or BGR.
void save_png(Frame& frame, const std::filesystem::path& file, const cv::Mat& pixels);

class SaveImage final : public Stage {
 public:
  explicit SaveImage(EncodeOptions options) : options_(options) {}
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kOutput).drops(kOutput); }
  void process(std::span<Frame> batch) override;

 private:
  EncodeOptions options_;
};

}  // namespace fovea
