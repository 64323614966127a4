#include "modules/core/dnnl_cache.hpp"

namespace fovea::dnn {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

// One of the last two axes must be dense for the fast kernels.
bool fits(const Tensor& t) {
  const auto& s = t.strides();
  const int r = t.rank();
  return r >= 2 && (s[r - 1] == 1 || s[r - 2] == 1 || t.shape()[r - 1] == 1 || t.shape()[r - 2] == 1) && t.size() > 0;
}

// Strides of axes of size 1 say nothing, but oneDNN reads them: they become those of a dense tensor.
Desc desc_of(const Tensor& t) {
  Dims dims(t.shape().begin(), t.shape().end()), strides(t.strides().begin(), t.strides().end());
  std::int64_t largest = 1;
  for (int i = t.rank() - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    if (dims[at] == 1) strides[at] = largest;
    largest = std::max(largest, strides[at] * dims[at]);
  }
  return {dims, type_of(t.dtype()), strides};
}

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

}  // namespace

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
