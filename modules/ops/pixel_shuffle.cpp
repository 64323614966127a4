#include "modules/ops/pixel_shuffle.hpp"

namespace fovea {
namespace {

Shape shuffled(const Shape& x, std::int64_t r) {
  check(r > 0 && x.rank() == 4 && x[1] % (r * r) == 0, "pixel_shuffle: expected N x C x H x W with C a multiple of ", r * r,
        ", got ", x);
  return {x[0], x[1] / (r * r), x[2] * r, x[3] * r};
}

Shape unshuffled(const Shape& x, std::int64_t r) {
  check(r > 0 && x.rank() == 4 && x[2] % r == 0 && x[3] % r == 0,
        "pixel_unshuffle: expected height and width to be multiples of ", r, ", got ", x);
  return {x[0], x[1] * r * r, x[2] / r, x[3] / r};
}

// Both directions are one strided copy between a view of the map split into r x r phases and the other map's channels.
Tensor phases(const Tensor& large, std::int64_t r) {  // N, C, r, r, H, W as a view of N, C, rH, rW
  const Shape& s = large.shape();
  return large.reshape({s[0], s[1], s[2] / r, r, s[3] / r, r}).permute({0, 1, 3, 5, 2, 4});
}

Tensor shuffle(const Tensor& x, std::int64_t r) {
  Tensor y = Tensor::empty(shuffled(x.shape(), r), x.dtype(), Layout::channels_last);
  phases(y, r).copy_from(x.reshape({x.dim(0), y.dim(1), r, r, x.dim(2), x.dim(3)}));
  return y;
}

Tensor unshuffle(const Tensor& x, std::int64_t r) {
  Tensor y = Tensor::empty(unshuffled(x.shape(), r), x.dtype(), Layout::channels_last);
  y.reshape({x.dim(0), x.dim(1), r, r, y.dim(2), y.dim(3)}).copy_from(phases(x.contiguous(), r));
  return y;
}

// Each output covers `step` inputs.
Placement placements(double step) { return {{step, step}, {(step - 1) / 2, (step - 1) / 2}}; }

struct PixelShuffle {
  static constexpr std::string_view name = "pixel_shuffle";
  static constexpr Policy policy = Policy::pointwise;
  std::int64_t r;
  Shape input;
  Shapes infer(const Shapes& in) const { return {shuffled(in[0], r)}; }
  Placement placement(const Shapes&, const Shapes&) const { return placements(1.0 / static_cast<double>(r)); }
  Tensors forward(Context&, const Tensors& in) const { return {shuffle(in[0].contiguous(), r)}; }
  Lowering lower() const {
    const Shape& x = input;
    return role::Permute{{x[0], x[1] / (r * r), r, r, x[2], x[3]}, {0, 1, 4, 2, 5, 3}};
  }
  Tensors backward(Context&, const Tensors& grads) const { return {unshuffle(grads[0], r)}; }
};

struct PixelUnshuffle {
  static constexpr std::string_view name = "pixel_unshuffle";
  static constexpr Policy policy = Policy::pointwise;
  std::int64_t r;
  Shape input;
  Shapes infer(const Shapes& in) const { return {unshuffled(in[0], r)}; }
  Placement placement(const Shapes&, const Shapes&) const { return placements(static_cast<double>(r)); }
  Tensors forward(Context&, const Tensors& in) const { return {unshuffle(in[0], r)}; }
  Lowering lower() const {
    const Shape& x = input;
    return role::Permute{{x[0], x[1], x[2] / r, r, x[3] / r, r}, {0, 1, 3, 5, 2, 4}};
  }
  Tensors backward(Context&, const Tensors& grads) const { return {shuffle(grads[0].contiguous(), r)}; }
};

}  // namespace

Var pixel_shuffle(const Var& x, std::int64_t factor) { return apply(PixelShuffle{factor, x.shape()}, {x}); }
Var pixel_unshuffle(const Var& x, std::int64_t factor) { return apply(PixelUnshuffle{factor, x.shape()}, {x}); }

}  // namespace fovea
