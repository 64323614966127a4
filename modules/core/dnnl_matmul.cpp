#include "modules/core/dnnl_matmul.hpp"

#include <mutex>
#include <vector>

#include "modules/core/dnnl_cache.hpp"

namespace fovea::dnn {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

// One of the last two axes must be dense for the fast kernels.
bool fits(const Shape& shape, const Shape& s) {
  const int r = shape.rank();
  return r >= 2 && (s[r - 1] == 1 || s[r - 2] == 1 || shape[r - 1] == 1 || shape[r - 2] == 1) && shape.elements() > 0;
}
bool fits(const Tensor& t) { return fits(t.shape(), t.strides()); }

// Strides of axes of size 1 say nothing, but oneDNN reads them: they become those of a dense tensor.
Desc desc_of(const Shape& shape, const Shape& steps, dnnl::memory::data_type type) {
  Dims dims(shape.begin(), shape.end()), strides(steps.begin(), steps.end());
  std::int64_t largest = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    if (dims[at] == 1) strides[at] = largest;
    largest = std::max(largest, strides[at] * dims[at]);
  }
  return {dims, type, strides};
}
Desc desc_of(const Tensor& t) { return desc_of(t.shape(), t.strides(), type_of(t.dtype())); }

Primitive create(const Desc& a, const Desc& b, const Desc& bias, const Desc& c, bool has_bias) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc pd = has_bias ? dnnl::matmul::primitive_desc(engine(), a, b, bias, c, attr)
                                                   : dnnl::matmul::primitive_desc(engine(), a, b, c, attr);
#else
  const dnnl::matmul::desc desc = has_bias ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
  const dnnl::matmul::primitive_desc pd(desc, attr, engine());
#endif
  const std::string name = pd.impl_info_str();
  return {dnnl::matmul(pd), {}, pd.scratchpad_desc(), name, name.find("ref") != std::string::npos};
}

class Prepared final : public PreparedMatmul {
 public:
  Prepared(Primitive primitive, const std::array<Desc, 3>& descs) : primitive_(std::move(primitive)), descs_(descs) {}

  std::size_t scratchpad_bytes() const override { return primitive_.scratchpad.get_size(); }

  void run(const float* a, const float* b, float* c, void* scratchpad) const override {
    auto handles = take();
    const std::array<const void*, 4> at{a, b, c, scratchpad};
    for (std::size_t i = 0; i < at.size(); ++i) handles->memory[i].set_data_handle(const_cast<void*>(at[i]));
    const auto status =
        dnnl_primitive_execute(primitive_.run.get(), stream().get(), static_cast<int>(at.size()), handles->arguments);
    stream().wait();
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(handles));
    check(status == dnnl_success, "oneDNN: a prepared matrix product failed with status ", static_cast<int>(status));
  }

 private:
  // One runner's own handles.
  struct Handles {
    dnnl::memory memory[4];
    dnnl_exec_arg_t arguments[4];
  };
  std::unique_ptr<Handles> take() const {
    {
      std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        auto handles = std::move(free_.back());
        free_.pop_back();
        return handles;
      }
    }
    auto handles = std::make_unique<Handles>();
    const std::array<int, 4> names{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    for (std::size_t i = 0; i < names.size(); ++i) {
      handles->memory[i] = {i < 3 ? descs_[i] : primitive_.scratchpad, engine(), nullptr};
      handles->arguments[i] = {names[i], handles->memory[i].get()};
    }
    return handles;
  }

  Primitive primitive_;
  std::array<Desc, 3> descs_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Handles>> free_;
};

}  // namespace

std::shared_ptr<const PreparedMatmul> PreparedMatmul::make(const Operand& a, const Operand& b, const Operand& c) {
  const auto repeats = [](const Operand& o) {
    for (int i = 0; i < o.shape.rank(); ++i)
      if (o.shape[i] > 1 && o.strides[i] == 0) return true;
    return false;
  };
  for (const Operand* o : {&a, &b, &c})
    if (!fits(o->shape, o->strides) || repeats(*o)) return nullptr;
  const auto desc = [](const Operand& o) { return desc_of(o.shape, o.strides, dnnl::memory::data_type::f32); };
  try {
    Primitive made = create(desc(a), desc(b), {}, desc(c), false);
    if (made.slow) return nullptr;
    return std::make_shared<Prepared>(std::move(made), std::array<Desc, 3>{desc(a), desc(b), desc(c)});
  } catch (const dnnl::error&) { return nullptr; }
}

bool matmul(const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c) {
  auto computable = [](const Tensor& t) { return t.dtype() == DType::f32 || t.dtype() == DType::bf16; };
  if (!computable(a) || a.dtype() != b.dtype() || !computable(c) || !fits(a) || !fits(b) || !fits(c)) return false;
  const Desc da = desc_of(a), db = desc_of(b), dc = desc_of(c);
  const Desc dbias =
      bias.defined() ? desc_of(bias.reshape(
                           Shape(std::vector<std::int64_t>(static_cast<std::size_t>(c.rank()), 1)).with(c.rank() - 1, c.dim(-1))))
                     : Desc();
  Key key('m');
  key << a.shape() << a.strides() << b.shape() << b.strides() << c.shape() << c.strides() << static_cast<std::int64_t>(a.dtype())
      << static_cast<std::int64_t>(c.dtype()) << bias.defined();
  const auto found = cached_primitive(key, [&]() -> Primitive {
    try {
      return create(da, db, dbias, dc, bias.defined());
    } catch (const dnnl::error& e) { return {{}, {}, {}, std::string("none: ") + e.what(), true}; }
  });
  if (found->slow) return false;
  std::unordered_map<int, dnnl::memory> args{{DNNL_ARG_SRC, as_memory(da, a)},
                                             {DNNL_ARG_WEIGHTS, as_memory(db, b)},
                                             {DNNL_ARG_DST, as_memory(dc, c)},
                                             {DNNL_ARG_SCRATCHPAD, scratchpad(found->scratchpad)}};
  if (bias.defined()) args[DNNL_ARG_BIAS] = as_memory(dbias, bias);
  found->run.execute(stream(), args);
  stream().wait();
  return true;
}

}  // namespace fovea::dnn
