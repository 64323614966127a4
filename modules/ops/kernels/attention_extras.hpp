// Shapes, masks and biases of attention, for the tiled op and for the explicit weights.
#pragma once

#include <cmath>

#include "modules/ops/attention.hpp"
#include "modules/ops/kernels/attention_tiles.hpp"

namespace fovea::kernels {

inline double scale_of(const AttentionOptions& o, std::int64_t depth) {
  return o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(depth));
}

inline Shape with_four_axes(const Shape& s) {
  Shape four;
  for (int i = s.rank(); i < 4; ++i) four.push_back(1);
  for (const std::int64_t d : s) four.push_back(d);
  return four;
}

inline void check_extra(const Shape& s, const Shape& scores, std::string_view what) {
  const bool ranks = s.rank() >= 2 && s.rank() <= 4;
  const Shape four = ranks ? with_four_axes(s) : s;
  bool fits = ranks && four[0] > 0 && scores[0] % four[0] == 0;
  for (int i = 1; fits && i < 4; ++i) fits = four[i] == scores[i] || four[i] == 1;
  check(fits, "attention: expected a ", what, " that repeats to ", scores, ", got ", s);
}

inline Shape scores_shape(const Shape& q, const Shape& k) {
  check(q.rank() == 4 && k.rank() == 4, "attention: expected q and k of N x heads x L x d, got ", q, " and ", k);
  check(q[0] == k[0] && q[1] == k[1] && q[3] == k[3] && k[2] > 0 && q[3] > 0,
        "attention: expected q and k of one batch, heads and width, got ", q, " and ", k);
  return {q[0], q[1], q[2], k[2]};
}

inline Tensor extra_view(const Tensor& t, const Shape& scores, DType type) {
  if (!t.defined()) return t;
  const Tensor four = (t.dtype() == DType::boolean ? t : t.to(type)).reshape(with_four_axes(t.shape()));
  return four.expand({four.dim(0), scores[1], scores[2], scores[3]});
}

inline Extras extras_of(const Tensor& mask, const Tensor& bias, const Shape& scores, DType type, const AttentionOptions& o) {
  return {extra_view(mask, scores, type), extra_view(bias, scores, type), o.pattern.get(), o.causal, o.masked};
}

// A mask that wants a gradient is a bias.
inline void sort_extras(Var& mask, Var& bias) {
  if (!mask.defined() || !mask.requires_grad()) return;
  if (bias.defined()) mask = mask.detach();
  else std::swap(mask, bias);
}

}  // namespace fovea::kernels
