// What the oneDNN wrapper keeps between calls: primitives by key and reordered weights by (tensor, version, layout).
#pragma once

#include <dnnl.hpp>
#include <functional>
#include <memory>
#include <string>

#include "modules/core/dnnl.hpp"

namespace fovea::dnn {

// A primitive and the memory layouts that it wants.
struct Primitive {
  dnnl::primitive run;
  dnnl::memory::desc weights;  // the layout of weights, or of their gradient
  dnnl::memory::desc scratchpad;
  std::string implementation;
  bool slow = false;         // a reference implementation, or one that computes wrong values: not to be used
  bool shares_sums = false;  // among threads: its result depends on how many there are
};

const dnnl::engine& engine();
dnnl::stream& stream();  // this thread's

// Bytes that name a primitive: append everything its creation depends on.
class Key {
 public:
  explicit Key(char kind);  // thread width is part of every key
  Key& operator<<(std::int64_t v);
  Key& operator<<(const Shape& s);
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

std::shared_ptr<const Primitive> cached_primitive(const Key& key, const std::function<Primitive()>& create);

// Memory together with what keeps it alive: another thread may drop or replace a cached copy while a primitive reads it.
struct HeldMemory {
  dnnl::memory memory;
  std::shared_ptr<Storage> owner;
};

// `weights` (described by `from`) in the layout `to`: the tensor's own memory where they agree, else a copy that is kept until
// the tensor's version changes. Hold the result until the primitive that reads it has run.
HeldMemory reordered_weights(const Tensor& weights, const dnnl::memory::desc& from, const dnnl::memory::desc& to);

// This thread's scratch memory, large enough for `desc`.
dnnl::memory scratchpad(const dnnl::memory::desc& desc);

// A memory layout as bytes that tell it from others.
std::string layout_key(const dnnl::memory::desc& desc);

dnnl::memory::data_type type_of(DType type);
dnnl::memory as_memory(const dnnl::memory::desc& desc, const Tensor& t);

}  // namespace fovea::dnn
