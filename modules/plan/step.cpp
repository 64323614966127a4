#include "modules/plan/step.hpp"

namespace fovea::plan {

Run::Run(std::size_t arena_bytes, std::size_t eager_slots, std::vector<std::unique_ptr<dnn::PreparedConv::Call>> calls)
    : arena_bytes_(arena_bytes), eager_(eager_slots), calls_(std::move(calls)) {}

void Run::begin(const Tensors& inputs, std::shared_ptr<const Tensors> constants) {
  constants_ = std::move(constants);  // first: those of the last run are given up even where there is no memory for this one
  arena_ = std::make_unique<Storage>(arena_bytes_);
  inputs_.clear();
  for (const Tensor& t : inputs)
    inputs_.push_back(t.to(DType::f32).contiguous(t.rank() == 4 ? Layout::channels_last : Layout::row_major));
}

void Run::end() {
  arena_.reset();
  inputs_.clear();
  temporaries_.clear();
  for (Tensor& t : eager_) t = {};
}

const void* Run::source(const BufferRef& b) {
  switch (b.kind) {
    case BufferRef::Kind::absent: return nullptr;
    case BufferRef::Kind::arena: return target(b);
    case BufferRef::Kind::input: return inputs_[b.at].data<float>() + b.offset;
    case BufferRef::Kind::constant: return (*constants_)[b.at].raw();
    case BufferRef::Kind::eager: break;
  }
  temporaries_.push_back(eager_[b.at].to(DType::f32).contiguous(b.layout()));
  return temporaries_.back().raw();
}

Tensor Run::tensor(const BufferRef& b) const {
  switch (b.kind) {
    case BufferRef::Kind::absent: return {};
    case BufferRef::Kind::arena: return Tensor::over(target(b), b.shape, b.type, b.layout());
    case BufferRef::Kind::input:  // maybe a part of it, or under another shape
      return Tensor::over(const_cast<float*>(inputs_[b.at].data<float>()) + b.offset, b.shape, DType::f32, b.layout());
    case BufferRef::Kind::constant: return (*constants_)[b.at];
    case BufferRef::Kind::eager: return eager_[b.at];
  }
  return {};
}

}  // namespace fovea::plan
