#include "modules/text_decoder_steps.hpp"

#include <algorithm>

#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"
#include "modules/plan/cache.hpp"

namespace fovea {
namespace {

// Rows of a tensor that is dense in row-major order, in the order of `from`.
Tensor rows_of(const Tensor& t, const std::vector<std::int64_t>& from) {
  Shape shape = t.shape();
  const std::int64_t each = t.size() / shape[0];
  shape[0] = static_cast<std::int64_t>(from.size());
  Tensor out = Tensor::empty(shape);
  for (std::size_t i = 0; i < from.size(); ++i)
    std::copy_n(t.data<float>() + from[i] * each, each, out.data<float>() + static_cast<std::int64_t>(i) * each);
  return out;
}

}  // namespace

struct TextDecoderSteps::Plans {
  plan::Cache cache;
};

TextDecoderSteps::TextDecoderSteps(Model model)
    : model_(std::move(model)), head_(dynamic_cast<const TextDecoderHead*>(&model_.head())), plans_(std::make_shared<Plans>()) {
  check(head_ != nullptr, model_.name(), " writes no text: it is for the task '", model_.info().task, "'");
}

void TextDecoderSteps::Sentences::keep(const std::vector<std::int64_t>& from) {
  check(static_cast<std::int64_t>(from.size()) == rows_, "text decoder: expected ", rows_, " rows to go on from, got ",
        from.size());
  for (const std::int64_t row : from) check(row >= 0 && row < rows_, "text decoder: expected a row below ", rows_, ", got ", row);
  for (Tensor& t : state_) t = rows_of(t, from);
}

TextDecoderSteps::Sentences TextDecoderSteps::start(const Tensor& places, std::int64_t each) const {
  check(each >= 1, "text decoder: expected at least one sentence for each picture, got ", each);
  const NoGrad no_grad;
  const ThreadScope thread_scope;
  Sentences s;
  s.rows_ = places.dim(0) * each;
  std::vector<std::int64_t> from;
  for (std::int64_t i = 0; i < s.rows_; ++i) from.push_back(i / each);
  for (const Var& v : head_->begin(Var(places.to(DType::f32))))
    (s.fixed_.size() < head_->fixed() ? s.fixed_ : s.state_).push_back(rows_of(v.value().contiguous(Layout::row_major), from));
  return s;
}

TextDecoderSteps::Step TextDecoderSteps::next(Sentences& s, const std::vector<std::int64_t>& words) const {
  check(static_cast<std::int64_t>(words.size()) == s.rows_, "text decoder: expected a word for each of ", s.rows_,
        " sentences, got ", words.size());
  const NoGrad no_grad;
  Tensors in = head_->heard(words, s.said_);
  in.insert(in.end(), s.fixed_.begin(), s.fixed_.end());
  in.insert(in.end(), s.state_.begin(), s.state_.end());
  Shapes shapes;
  for (const Tensor& t : in) shapes.push_back(t.shape());
  plan::Cache::Key key;
  key.input = s.fixed_.front().shape(), key.threads = threads();
  const plan::Plan plan = plans_->cache.get(key, [&] {
    return plan::compile([this](const Vars& x) { return head_->step(x); }, shapes, {.shared = plans_->cache.shared()});
  });
  Tensors out = plan.run(in).outputs;
  for (std::size_t i = 0; i < s.state_.size(); ++i) s.state_[i] = out[i + 2].contiguous(Layout::row_major);
  ++s.said_;
  return {out[0], out[1]};
}

}  // namespace fovea
