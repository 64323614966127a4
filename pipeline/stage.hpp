// A stage of a pipeline and its contract, which is checked when the pipeline is built.
#pragma once

#include <exception>
#include <span>
#include <string_view>
#include <vector>

#include "pipeline/errors.hpp"
#include "pipeline/frame.hpp"

namespace fovea {

// Contract().needs(kImage).gives(kUpscaled).drops(kImage)
class Contract {
 public:
  template <class T>
  Contract& needs(Key<T> key) {
    needs_.push_back(key.name);
    return *this;
  }
  template <class T>
  Contract& gives(Key<T> key) {
    gives_.push_back(key.name);
    return *this;
  }
  // Frees what no later stage may ask for.
  template <class T>
  Contract& drops(Key<T> key) {
    drops_.push_back(key.name);
    return *this;
  }
  const std::vector<std::string_view>& needed() const { return needs_; }
  const std::vector<std::string_view>& given() const { return gives_; }
  const std::vector<std::string_view>& dropped() const { return drops_; }

 private:
  std::vector<std::string_view> needs_, gives_, drops_;
};

class Stage {
 public:
  virtual ~Stage() = default;
  virtual std::string_view name() const = 0;  // must outlive the pipeline's frames: a literal
  virtual Contract contract() const = 0;
  // Several threads call it at once, each with frames of its own: one at a time, or all that go through the stages together where
  // takes_groups() says so. An exception quarantines the whole span.
  virtual void process(std::span<Frame> frames) = 0;
  virtual bool takes_groups() const { return false; }
};

// What a stage threw, as a frame has it.
FrameError failure_of(const Stage& stage, const std::exception& e);

}  // namespace fovea
