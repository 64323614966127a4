// Stages for tests of runs over files that need no codec and no network: bytes doubled.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "modules/io/files.hpp"
#include "pipeline/runner.hpp"
#include "pipeline/stages/save.hpp"

namespace fovea::test {

inline constexpr Key<std::string> kBytes{"bytes"};

class LoadBytes final : public Stage {
 public:
  std::string_view name() const override { return "load"; }
  Contract contract() const override { return Contract().gives(kBytes); }
  void process(std::span<Frame> batch) override {
    for (Frame& frame : batch) {
      const auto bytes = read_file(frame.input);
      check(!bytes.empty(), "the file is empty");
      frame.results.put(kBytes, std::string(bytes.begin(), bytes.end()));
    }
  }
};

// Doubles, after calling `hook` with the frame.
class DoubleBytes final : public Stage {
 public:
  explicit DoubleBytes(std::function<void(Frame&)> hook) : hook_(std::move(hook)) {}
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kBytes).gives(kBytes); }
  void process(std::span<Frame> batch) override {
    for (Frame& frame : batch) {
      if (hook_) hook_(frame);
      const std::string bytes = frame.results.take(kBytes);
      frame.results.put(kBytes, bytes + bytes);
    }
  }

 private:
  std::function<void(Frame&)> hook_;
};

class SaveBytes final : public Stage {
 public:
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kBytes).drops(kBytes); }
  void process(std::span<Frame> batch) override {
    for (Frame& frame : batch) {
      const std::string bytes = frame.results.take(kBytes);
      write_output(frame.output, [&] { write_file_atomically(frame.output, bytes.data(), bytes.size()); });
    }
  }
};

inline std::vector<StageSpec> doubling(std::function<void(Frame&)> hook = {}, int lanes = 2) {
  std::vector<StageSpec> steps;
  steps.push_back({std::make_unique<LoadBytes>(), 1, 1});
  steps.push_back({std::make_unique<DoubleBytes>(std::move(hook)), lanes, 1});
  steps.push_back({std::make_unique<SaveBytes>(), 1, 1});
  return steps;
}

}  // namespace fovea::test
