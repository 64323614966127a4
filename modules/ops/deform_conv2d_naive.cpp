#include "modules/ops/deform_conv2d_naive.hpp"

#include <vector>

#include "modules/core/threads.hpp"

namespace fovea::naive {
namespace {

using kernels::DeformSample;

template <class T>
std::vector<DeformSample<T>> samples_of(const DeformInputs& in, std::int64_t positions) {
  std::vector<DeformSample<T>> samples(static_cast<std::size_t>(positions * in.geometry.samples()));
  kernels::deform_samples(in.geometry, in.offset.data<T>(), in.mask.defined() ? in.mask.data<T>() : nullptr, 0, positions,
                          samples.data());
  return samples;
}

// What place p, tap k reads from channel c.
template <class T>
struct Reader {
  const DeformInputs& in;
  const std::vector<DeformSample<T>>& samples;
  std::int64_t channels = in.geometry.channels, taps = in.geometry.taps();

  std::size_t index(std::int64_t p, std::int64_t c, std::int64_t k) const {
    const std::int64_t group = c / (channels / in.geometry.o.deform_groups);
    return static_cast<std::size_t>(p * in.geometry.samples() + group * taps + k);
  }
  T blend(const DeformSample<T>& s, const T (&by)[4], std::int64_t c) const {
    if (s.corner[0] < 0) return 0;
    T sum = 0;
    for (int i = 0; i < 4; ++i) sum += by[i] * in.x.data<T>()[s.corner[i] * channels + c];
    return sum;
  }
};

template <class T>
void forward(const DeformInputs& in, Tensor& y) {
  const std::int64_t out = y.dim(1), positions = y.size() / out, per_group = in.weight.dim(1), taps = in.geometry.taps();
  const auto samples = samples_of<T>(in, positions);
  const Reader<T> reader{in, samples};
  parallel_for(positions, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      for (std::int64_t oc = 0; oc < out; ++oc) {
        const std::int64_t first = oc / (out / in.geometry.o.groups) * per_group;
        T sum = 0;
        for (std::int64_t ic = 0; ic < per_group; ++ic)
          for (std::int64_t k = 0; k < taps; ++k) {
            const auto& s = samples[reader.index(p, first + ic, k)];
            sum += in.weight.data<T>()[(oc * per_group + ic) * taps + k] * s.mask * reader.blend(s, s.weight, first + ic);
          }
        y.data<T>()[p * out + oc] = sum;
      }
  });
}

// One sample's share: `g` is the gradient of what it read, before the mask.
template <class T>
void spread(const Reader<T>& reader, std::size_t at, std::int64_t c, T g, DeformGradients& out) {
  const auto& s = reader.samples[at];
  if (out.mask.defined()) out.mask.data<T>()[at] += g * reader.blend(s, s.weight, c);
  if (s.corner[0] < 0) return;
  if (out.offset.defined()) {
    out.offset.data<T>()[2 * at] += g * s.mask * reader.blend(s, s.dy, c);
    out.offset.data<T>()[2 * at + 1] += g * s.mask * reader.blend(s, s.dx, c);
  }
  if (!out.x.defined()) return;
  for (int i = 0; i < 4; ++i) out.x.data<T>()[s.corner[i] * reader.channels + c] += g * s.mask * s.weight[i];
}

template <class T>
void backward(const DeformInputs& in, const Tensor& gy, DeformGradients& grads) {
  const std::int64_t out = gy.dim(1), positions = gy.size() / out, per_group = in.weight.dim(1), taps = in.geometry.taps();
  const std::int64_t out_per_group = out / in.geometry.o.groups;
  const auto samples = samples_of<T>(in, positions);
  const Reader<T> reader{in, samples};
  for (std::int64_t p = 0; p < positions; ++p)
    for (std::int64_t c = 0; c < reader.channels; ++c)
      for (std::int64_t k = 0; k < taps; ++k) {
        const std::size_t at = reader.index(p, c, k);
        const T read = samples[at].mask * reader.blend(samples[at], samples[at].weight, c);
        T g = 0;
        for (std::int64_t oc = c / per_group * out_per_group, i = 0; i < out_per_group; ++i, ++oc) {
          const std::int64_t w = (oc * per_group + c % per_group) * taps + k;
          g += in.weight.data<T>()[w] * gy.data<T>()[p * out + oc];
          if (grads.weight.defined()) grads.weight.data<T>()[w] += read * gy.data<T>()[p * out + oc];
        }
        spread(reader, at, c, g, grads);
      }
}

}  // namespace

void deform_forward(const DeformInputs& in, Tensor& y) {
  in.x.dtype() == DType::f64 ? forward<double>(in, y) : forward<float>(in, y);
}

void deform_backward(const DeformInputs& in, const Tensor& gy, DeformGradients& out) {
  in.x.dtype() == DType::f64 ? backward<double>(in, gy, out) : backward<float>(in, gy, out);
}

}  // namespace fovea::naive
