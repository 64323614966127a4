#include "modules/plan/algorithm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "modules/core/threads.hpp"
#include "modules/plan/convolution.hpp"
#include "modules/plan/tuning.hpp"

namespace fovea::plan {
namespace {

constexpr std::int64_t kFewest = 16;  // channels and outputs: with fewer the matrix products are mostly padding
// Winograd must be faster by this much to be worth its memory, 1.8 to 4 times the weights.
constexpr double kHandicap = 1.15;

// Takes a weight out of the caches, as the other layers of a network do between two runs.
void evict([[maybe_unused]] const Tensor& t) {
#if defined(__x86_64__)
  const char* from = static_cast<const char*>(t.raw());
  for (std::size_t i = 0; i < t.bytes(); i += 64) _mm_clflush(from + i);
  _mm_mfence();
#endif
}

struct Memory {
  Tensor x, y, residual, bias;
  explicit Memory(const dnn::ConvSpec& s)
      : x(Tensor::full(s.x, 0.5)),
        y(Tensor::full(s.y, 0.5)),
        residual(Tensor::full(s.y, 0.5)),
        bias(Tensor::full({s.w[0]}, 0.5)) {}
};

Trial direct(const dnn::ConvSpec& spec, Memory m) {
  const auto made = dnn::PreparedConv::make(spec);
  const std::shared_ptr<dnn::PreparedConv::Call> call = made->call();
  const Tensor weights = made->reorder(Tensor::full(spec.w, 0.01));
  Tensor scratchpad = Tensor::empty({static_cast<std::int64_t>(made->scratchpad_bytes())}, DType::u8);
  const dnn::PreparedConv::Pointers at{.x = m.x.raw(),
                                       .w = weights.raw(),
                                       .bias = m.bias.raw(),
                                       .residual = m.residual.raw(),
                                       .y = m.y.raw(),
                                       .scratchpad = scratchpad.raw()};
  return {[weights] { evict(weights); }, [call, at, m, weights, scratchpad] { call->run(at); }};
}

Trial winograd(Winograd::Side side, const dnn::ConvSpec& spec, const std::optional<role::Pointwise>& after, Memory m) {
  const Winograd made(spec.conv, spec.x, spec.y, side);
  const Tensor weights = made.transform(Tensor::full(spec.w, 0.01));
  Tensor workspace = Tensor::empty({made.workspace(threads())});
  const Winograd::Arguments at{.x = m.x.data<float>(),
                               .weights = weights.data<float>(),
                               .bias = m.bias.data<float>(),
                               .residual = spec.residual == dnn::ConvSpec::Residual::none ? nullptr : m.residual.data<float>(),
                               .y = m.y.data<float>(),
                               .workspace = workspace.data<float>(),
                               .after = after};
  return {[weights] { evict(weights); }, [made, at, m, weights, workspace] { made.run(at); }};
}

std::string key_of(const dnn::ConvSpec& s, bool after) {
  const auto list = [](const Shape& shape) { return fmt::format("{}", fmt::join(shape.begin(), shape.end(), "x")); };
  return fmt::format("convolution f32 {} to {} by {}, pads {} {}, residual {}, activation {}, {} threads", list(s.x), list(s.y),
                     list(s.w), s.conv.pad_begin[0], s.conv.pad_begin[1], s.residual != dnn::ConvSpec::Residual::none, after,
                     threads());
}

// Replaces a large map by a square whose side is the nearest power of sqrt(2), so that a folder of pictures of all sizes does not cost a
// measurement for each of them.
dnn::ConvSpec representative(dnn::ConvSpec s) {
  constexpr double kExact = 64;
  const double side = std::sqrt(static_cast<double>(s.x[2] * s.x[3]));
  if (side <= kExact) return s;
  const std::int64_t rounded = std::lround(std::exp2(std::round(2 * std::log2(side)) / 2));
  for (const int axis : {2, 3}) s.y[axis] += rounded - s.x[axis], s.x[axis] = rounded;
  return s;
}

const std::array<std::pair<const char*, Algorithm>, 4> kNames{{{"direct", Algorithm::direct},
                                                               {"winograd 2x2", Algorithm::winograd2x2},
                                                               {"winograd 2x4", Algorithm::winograd2x4},
                                                               {"winograd 4x4", Algorithm::winograd4x4}}};

Algorithm measured(const dnn::ConvSpec& spec, const std::optional<role::Pointwise>& after) {
  std::optional<Memory> memory;  // allocated only to measure
  const auto shared = [&]() -> const Memory& { return memory ? *memory : memory.emplace(spec); };
  std::vector<Candidate> candidates;
  for (const auto& [name, algorithm] : kNames) {
    if (const auto side = winograd_side(algorithm))
      candidates.push_back({name, [&, side] { return winograd(*side, spec, after, shared()); }, kHandicap});
    else candidates.push_back({name, [&] { return direct(spec, shared()); }});
  }
  const std::string choice = fastest(key_of(spec, after.has_value()), candidates);
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& n) { return n.first == choice; })->second;
}

// Whether there are few weights for the number of output tiles: where there are many, the time goes into loading them, and transformed ones
// take up to four times the memory.
bool few_weights(const dnn::ConvSpec& s) {
  const std::int64_t tiles = s.y[0] * ((s.y[2] + 3) / 4) * ((s.y[3] + 3) / 4);
  return tiles >= 4 && s.w[0] * s.w[1] <= tiles * 8192;
}

// The usual choice without a measurement: 4x4 was the fastest on all processors with AVX-512.
Algorithm usual() { return Winograd::registers() == Winograd::Registers::many ? Algorithm::winograd4x4 : Algorithm::direct; }

}  // namespace

std::optional<Winograd::Side> winograd_side(Algorithm a) {
  switch (a) {
    case Algorithm::winograd2x2: return Winograd::Side{2, 2};
    case Algorithm::winograd2x4: return Winograd::Side{2, 4};
    case Algorithm::winograd4x4: return Winograd::Side{4, 4};
    default: return std::nullopt;
  }
}

Algorithm algorithm_for(const Graph& g, const Node& n, const Convolve& c, bool tune) {
  const Shape &x = g.shape(n.inputs[0]), &w = g.shape(n.inputs[1]);
  if (c.single_output) return Algorithm::single_output;
  if (g.value(n.inputs[0]).type != DType::f32 || g.value(n.outputs[0]).type != DType::f32) return Algorithm::direct;
  if (gemv_of(g, n, c)) return Algorithm::gemv;
  if (c.linear) return Algorithm::direct;
  if (!Winograd::fits(c.options, w) || x[1] < kFewest || w[0] < kFewest) return Algorithm::direct;
  const dnn::ConvSpec spec = fused_convolution(g, n, c, false);
  if (!few_weights(spec)) return Algorithm::direct;
  // Where oneDNN does not fuse residual and activation, a further step runs them; the measurement leaves that out, in favour of direct.
  const bool whole = dnn::PreparedConv::make(spec) != nullptr;
  return tune ? measured(representative(whole ? spec : bare_convolution(g, n, c)), c.after) : usual();
}

}  // namespace fovea::plan
