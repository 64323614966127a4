#include "modules/explain/score.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"

namespace fovea::explain {
namespace {

Var column(const Var& logits, std::int64_t index) {
  check(logits.shape().rank() == 2, "explain: expected logits N x classes, got ", logits.shape());
  check(index >= 0 && index < logits.dim(1), "explain: expected a class of 0 to ", logits.dim(1) - 1, ", got ", index);
  return sum(slice(logits, 1, index, index + 1), {1}, false);
}

void check_finite(const std::vector<double>& scores) {
  for (const double s : scores)
    check(std::isfinite(s), "explain: the network's score is not finite (", s,
          "): its weights are damaged or its values overflow");
}

Var scored(const Score& score, const Named<Var>& outputs, std::int64_t samples) {
  Var s = score(outputs);
  check(s.shape() == Shape{samples}, "explain: expected one score a sample, got ", s.shape());
  check_finite(s.value().values());
  return s;
}

}  // namespace

Score class_logit(std::int64_t index) {
  return [index](const Var& output) { return column(output, index); };
}

Score class_probability(std::int64_t index) {
  return [index](const Var& output) { return column(softmax(output, -1), index); };
}

std::vector<double> scores_of(const ForwardFunction& network, const Score& score, const Tensor& x) {
  NoGrad no_grad;
  Named<Var> outputs;
  for (const auto& [name, value] : network.values(x).outputs) outputs.add(name, Var(value));
  return scored(score, outputs, x.dim(0)).value().values();
}

std::int64_t top_class(const Tensor& logits) {
  const auto v = logits.values();
  for (const double l : v)
    check(std::isfinite(l), "explain: the network's output is not finite: its weights are damaged or its values overflow");
  return std::max_element(v.begin(), v.end()) - v.begin();
}

std::vector<double> scores_of_changed(const ForwardFunction& network, const Score& score, const Tensor& x, std::int64_t count,
                                      std::int64_t batch, const std::function<void(std::int64_t, float*)>& change) {
  check(x.rank() == 4 && x.dim(0) == 1, "explain: expected one sample 1 x C x H x W, got ", x.shape());
  const Tensor dense = x.to(DType::f32).contiguous(Layout::channels_last);
  std::vector<double> all;
  for (std::int64_t first = 0; first < count; first += batch) {
    const std::int64_t n = std::min(batch, count - first);
    Tensor many = Tensor::empty({n, x.dim(1), x.dim(2), x.dim(3)}, DType::f32, Layout::channels_last);
    for (std::int64_t i = 0; i < n; ++i) {
      float* copy = many.data<float>() + i * dense.size();
      std::memcpy(copy, dense.raw(), dense.bytes());
      change(first + i, copy);
    }
    const auto some = scores_of(network, score, many);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

Gradients gradients_of(const ForwardFunction& network, const Score& score, const Tensor& x, const std::vector<Layer>& layers,
                       bool input) {
  const FrozenParameters frozen;
  TapScope taps(glob_of(layers), {}, true);
  const Var leaf(x, true);  // so that a layer is on the tape wherever its tap stands
  const Var s = scored(score, network(leaf), x.dim(0));
  Gradients g;
  for (const double one : s.value().values()) g.score += one;
  check(s.requires_grad(), "explain: the score depends on none of the layers asked for");
  s.backward(Tensor::full(s.shape(), 1.0, s.dtype()));
  if (input) g.input = leaf.grad().defined() ? leaf.grad() : Tensor::zeros(x.shape(), x.dtype(), x.layout());
  for (const Layer& l : layers) {
    const Var& v = find_kept(taps.kept, l.name);
    g.values.push_back(v.value());
    g.gradients.push_back(v.grad().defined() ? v.grad() : Tensor::zeros(v.shape(), v.dtype()));
  }
  return g;
}

}  // namespace fovea::explain
