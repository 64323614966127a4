#include "modules/core/dnnl_matmul.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

#include "modules/core/dnnl_cache.hpp"
#include "modules/core/threads.hpp"

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
// Of a value for each column of c.
Desc bias_desc(const Tensor& bias, const Tensor& c) {
  const Shape ones(std::vector<std::int64_t>(static_cast<std::size_t>(c.rank()), 1));
  return desc_of(bias.reshape(ones.with(c.rank() - 1, c.dim(-1))));
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
  return {dnnl::matmul(pd), {}, pd.scratchpad_desc(), name, name.find("ref") != std::string::npos, name.starts_with("gemm")};
}

// oneDNN's gemm, which processors without AVX-512 get, shares the sums over the inner axis among threads where a product is small.
// Such a product is run in pieces that its shape alone decides, each on one thread: along one axis of the result, the last piece shorter.
class Pieces {
 public:
  Pieces(const Shape& c, std::int64_t inner) {
    for (int i = 0; i < c.rank(); ++i)
      if (c[i] > c[axis_]) axis_ = i;
    constexpr std::int64_t kMultiplyAdds = 1 << 18, kMost = 16;
    const std::int64_t each = std::max<std::int64_t>(1, c.elements() / c[axis_] * inner);
    size_ = std::max((kMultiplyAdds + each - 1) / each, (c[axis_] + kMost - 1) / kMost);
    length_ = c[axis_];
  }
  std::int64_t count() const { return (length_ + size_ - 1) / size_; }
  int axis() const { return axis_; }
  std::int64_t begin(std::int64_t piece) const { return piece * size_; }
  std::int64_t end(std::int64_t piece) const { return std::min(length_, begin(piece) + size_); }
  // Whether a (of the left) or b runs along the axis; else all of it belongs to each piece.
  bool cuts_left(const Shape& a) const { return axis_ != a.rank() - 1 && a[axis_] > 1; }
  bool cuts_right(const Shape& b) const { return axis_ != b.rank() - 2 && b[axis_] > 1; }

 private:
  int axis_ = 0;
  std::int64_t size_ = 1, length_ = 1;
};

// Kernels that are called from this thread use one thread while this is alive.
class OneThread {
 public:
  OneThread() : before_(threads()) { set_threads(1); }
  ~OneThread() { set_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

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

using Operand = PreparedMatmul::Operand;

std::shared_ptr<const Prepared> prepare(const Operand& a, const Operand& b, const Operand& c, bool* shares_sums = nullptr) {
  const auto desc = [](const Operand& o) { return desc_of(o.shape, o.strides, dnnl::memory::data_type::f32); };
  try {
    Primitive made = create(desc(a), desc(b), {}, desc(c), false);
    if (made.slow) return nullptr;
    if (shares_sums) *shares_sums = made.shares_sums;
    return std::make_shared<Prepared>(std::move(made), std::array<Desc, 3>{desc(a), desc(b), desc(c)});
  } catch (const dnnl::error&) { return nullptr; }
}

// A product in pieces (see Pieces): all of one size, and the last, which may be shorter.
class PreparedPieces final : public PreparedMatmul {
 public:
  PreparedPieces(const Pieces& pieces, const Operand& a, const Operand& b, const Operand& c)
      : pieces_(pieces),
        step_a_(step(a, pieces.cuts_left(a.shape))),
        step_b_(step(b, pieces.cuts_right(b.shape))),
        step_c_(step(c, true)) {
    const OneThread one;
    const auto made = [&](std::int64_t piece) {
      const std::int64_t n = pieces_.end(piece) - pieces_.begin(piece);
      const auto part = [&](const Operand& o, std::int64_t step) {
        return step ? Operand{o.shape.with(pieces_.axis(), n), o.strides} : o;
      };
      return prepare(part(a, step_a_), part(b, step_b_), part(c, step_c_));
    };
    first_ = made(0), last_ = made(pieces_.count() - 1);
  }
  bool usable() const { return first_ && last_; }

  std::size_t scratchpad_bytes() const override { return static_cast<std::size_t>(pieces_.count()) * each(); }
  void run(const float* a, const float* b, float* c, void* scratchpad) const override {
    parallel_blocks(pieces_.count(), [&](std::int64_t i) {
      const OneThread one;
      const std::int64_t at = pieces_.begin(i);
      const Prepared& piece = i + 1 < pieces_.count() ? *first_ : *last_;
      piece.run(a + at * step_a_, b + at * step_b_, c + at * step_c_,
                static_cast<char*>(scratchpad) + static_cast<std::size_t>(i) * each());
    });
  }

 private:
  std::int64_t step(const Operand& o, bool cut) const { return cut ? o.strides[pieces_.axis()] : 0; }
  std::size_t each() const { return (std::max(first_->scratchpad_bytes(), last_->scratchpad_bytes()) + 63) / 64 * 64; }

  Pieces pieces_;
  std::int64_t step_a_, step_b_, step_c_;
  std::shared_ptr<const Prepared> first_, last_;
};

std::shared_ptr<const Primitive> primitive_of(const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& c) {
  Key key('m');
  key << a.shape() << a.strides() << b.shape() << b.strides() << c.shape() << c.strides() << static_cast<std::int64_t>(a.dtype())
      << static_cast<std::int64_t>(c.dtype()) << bias.defined();
  return cached_primitive(key, [&]() -> Primitive {
    try {
      return create(desc_of(a), desc_of(b), bias.defined() ? bias_desc(bias, c) : Desc(), desc_of(c), bias.defined());
    } catch (const dnnl::error& e) { return {{}, {}, {}, std::string("none: ") + e.what(), true}; }
  });
}

void execute(const Primitive& primitive, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c) {
  std::unordered_map<int, dnnl::memory> args{{DNNL_ARG_SRC, as_memory(desc_of(a), a)},
                                             {DNNL_ARG_WEIGHTS, as_memory(desc_of(b), b)},
                                             {DNNL_ARG_DST, as_memory(desc_of(c), c)},
                                             {DNNL_ARG_SCRATCHPAD, scratchpad(primitive.scratchpad)}};
  if (bias.defined()) args[DNNL_ARG_BIAS] = as_memory(bias_desc(bias, c), bias);
  primitive.run.execute(stream(), args);
  stream().wait();
}

bool run_pieces(const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c) {
  const Pieces pieces(c.shape(), a.dim(-1));
  const auto piece = [&](std::int64_t i, bool run) {
    const OneThread one;
    const auto part = [&](const Tensor& t, bool cut) { return cut ? t.slice(pieces.axis(), pieces.begin(i), pieces.end(i)) : t; };
    const Tensor left = part(a, pieces.cuts_left(a.shape())), right = part(b, pieces.cuts_right(b.shape()));
    const Tensor added = bias.defined() && pieces.axis() == c.rank() - 1 ? bias.slice(0, pieces.begin(i), pieces.end(i)) : bias;
    Tensor out = part(c, true);
    const auto found = primitive_of(left, right, added, out);
    if (!found->slow && run) execute(*found, left, right, added, out);
    return !found->slow;
  };
  if (!piece(0, false) || !piece(pieces.count() - 1, false)) return false;
  parallel_blocks(pieces.count(), [&](std::int64_t i) { piece(i, true); });
  return true;
}

}  // namespace

std::shared_ptr<const PreparedMatmul> PreparedMatmul::make(const Operand& a, const Operand& b, const Operand& c) {
  const auto repeats = [](const Operand& o) {
    for (int i = 0; i < o.shape.rank(); ++i)
      if (o.shape[i] > 1 && o.strides[i] == 0) return true;
    return false;
  };
  for (const Operand* o : {&a, &b, &c})
    if (!fits(o->shape, o->strides) || repeats(*o)) return nullptr;
  bool shares_sums = false;
  auto whole = prepare(a, b, c, &shares_sums);
  if (!whole || !shares_sums) return whole;
  auto pieces = std::make_shared<const PreparedPieces>(Pieces(c.shape, a.shape[a.shape.rank() - 1]), a, b, c);
  if (!pieces->usable()) return nullptr;
  return pieces;
}

bool matmul(const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c) {
  auto computable = [](const Tensor& t) { return t.dtype() == DType::f32 || t.dtype() == DType::bf16; };
  if (!computable(a) || a.dtype() != b.dtype() || !computable(c) || !fits(a) || !fits(b) || !fits(c)) return false;
  const auto whole = primitive_of(a, b, bias, c);
  if (whole->slow) return false;
  if (whole->shares_sums) return run_pieces(a, b, bias, c);
  execute(*whole, a, b, bias, c);
  return true;
}

}  // namespace fovea::dnn
