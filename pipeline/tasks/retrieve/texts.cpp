#include "pipeline/tasks/retrieve/texts.hpp"

#include <algorithm>
#include <numeric>

#include "datasets/text/recipe.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace {

constexpr std::size_t kBlock = 64;  // sentences at once

}  // namespace

const RetrieveHead& retrieve_head(const Model& model) {
  const auto* head = dynamic_cast<const RetrieveHead*>(&model.head());
  check(head != nullptr, model.name(), " does not find pictures by sentences: it is for the task '", model.info().task, "'");
  return *head;
}

std::unique_ptr<TextEncoder> text_encoder(const Model& model) {
  const std::int64_t tokens = retrieve_head(model).options().tokens;
  auto encoder = text_encoder_of(model.recipe());
  check(encoder != nullptr, model.name(), ": its recipe has no text encoder (the key 'text', which training writes)");
  check(encoder->size() == tokens, model.name(), ": its text encoder has ", encoder->size(), " tokens, its network ", tokens);
  return encoder;
}

std::vector<std::int64_t> tokens_of(const TextEncoder& encoder, const std::string& text) {
  std::vector<std::int64_t> tokens = encoder.encode(text);
  if (tokens.size() > kMostTextTokens) tokens.resize(kMostTextTokens);
  tokens.insert(tokens.begin(), TextEncoder::kStart);
  tokens.push_back(TextEncoder::kEnd);
  return tokens;
}

TextBatch text_batch(const std::vector<std::vector<std::int64_t>>& texts) {
  check(!texts.empty(), "texts: expected at least one");
  TextBatch batch;
  for (const auto& t : texts) batch.lengths.push_back(static_cast<std::int64_t>(t.size()));
  const std::int64_t most = *std::max_element(batch.lengths.begin(), batch.lengths.end());
  batch.tokens = Tensor::full({static_cast<std::int64_t>(texts.size()), most}, TextEncoder::kPad, DType::s64);
  auto* row = batch.tokens.data<std::int64_t>();
  for (const auto& t : texts) std::copy(t.begin(), t.end(), row), row += most;
  return batch;
}

EncodedTexts encode_texts(const Model& model, const TextEncoder& encoder, const std::vector<std::string>& texts) {
  const NoGrad no_grad;
  const ThreadScope thread_scope;
  std::vector<std::vector<std::int64_t>> tokens;
  for (const std::string& text : texts) tokens.push_back(tokens_of(encoder, text));
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return tokens[a].size() < tokens[b].size(); });
  EncodedTexts all;
  all.count = texts.size();
  for (std::size_t begin = 0; begin < order.size(); begin += kBlock) {
    EncodedTexts::Block block;
    block.places.assign(order.begin() + static_cast<std::ptrdiff_t>(begin),
                        order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), begin + kBlock)));
    std::vector<std::vector<std::int64_t>> some;
    for (const std::size_t i : block.places) some.push_back(tokens[i]);
    const TextBatch batch = text_batch(some);
    block.values = retrieve_head(model).texts(Var(batch.tokens), batch.lengths).value().to(DType::f32);
    block.lengths = batch.lengths;
    all.blocks.push_back(std::move(block));
  }
  return all;
}

std::vector<float> similarities(const RetrieveHead& head, const Tensor& pictures, const EncodedTexts& texts) {
  const NoGrad no_grad;
  const ThreadScope thread_scope;
  const auto count = static_cast<std::size_t>(pictures.dim(0));
  std::vector<float> all(count * texts.count);
  for (const EncodedTexts::Block& block : texts.blocks) {
    const Tensor some = head.similarities(Var(pictures), Var(block.values), block.lengths).value().contiguous(Layout::row_major);
    const float* from = some.data<float>();
    for (std::size_t p = 0; p < count; ++p)
      for (const std::size_t place : block.places) all[p * texts.count + place] = *from++;
  }
  return all;
}

}  // namespace fovea
