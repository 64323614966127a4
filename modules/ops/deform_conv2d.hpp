// Deformable convolution, Dai et al. 2017, arXiv:1703.06211, and its modulated form, Zhu et al. 2019, arXiv:1811.11168:
//   y(p) = sum_k w_k m_k(p) x(p + p_k + offset_k(p)) + bias, x read bilinearly between its pixels.
// x: N x I x H x W. weight: O x I/groups x kh x kw. bias: O, may be undefined. With K = kh kw taps in row-major order and G
// deformable groups of channels, (g, k) reads channel 2 (g K + k) of `offset` as rows, the next one as columns, and channel
// g K + k of `mask`. offset: N x 2GK x OH x OW; mask: N x GK x OH x OW, may be undefined for 1. Offsets are in pixels.
// A sample whose offset is not a number is not a number.
#pragma once

#include <array>

#include "modules/autograd/var.hpp"

namespace fovea {

// What a sample near or beyond the edge reads.
//   zero   pixels outside are 0, so the image fades out over one pixel (torchvision, mmcv, the modulated form)
//   clamp  nothing unless 0 <= y < H and 0 <= x < W; beyond the last pixel's centre that pixel (the first Caffe and MXNet kernels)
enum class DeformBorder : std::uint8_t { zero, clamp };

struct DeformOptions {
  std::array<std::int64_t, 2> stride{1, 1}, pad{0, 0}, dilation{1, 1};  // rows, columns
  std::int64_t groups = 1, deform_groups = 1;
  DeformBorder border = DeformBorder::zero;
};

Var deform_conv2d(const Var& x, const Var& offset, const Var& mask, const Var& weight, const Var& bias,
                  const DeformOptions& options);

}  // namespace fovea
