#include "modules/plan/step.hpp"

namespace fovea::plan {

Run::Run(std::size_t arena_bytes, std::size_t held, std::vector<std::unique_ptr<dnn::PreparedConv::Call>> calls)
    : arena_(std::make_unique<Storage>(arena_bytes)), held_(held), calls_(std::move(calls)) {}

void Run::begin(const Tensors& inputs, std::shared_ptr<const Tensors> constants) {
  inputs_.clear();
  for (const Tensor& t : inputs)
    inputs_.push_back(t.to(DType::f32).contiguous(t.rank() == 4 ? Layout::channels_last : Layout::row_major));
  constants_ = std::move(constants);
}

void Run::end() {
  inputs_.clear();
  temporaries_.clear();
  for (Tensor& t : held_) t = {};
}

const void* Run::source(const Place& p) {
  switch (p.kind) {
    case Place::Kind::absent: return nullptr;
    case Place::Kind::arena: return target(p);
    case Place::Kind::input: return inputs_[p.at].data<float>() + p.offset;
    case Place::Kind::constant: return (*constants_)[p.at].raw();
    case Place::Kind::held: break;
  }
  temporaries_.push_back(held_[p.at].to(DType::f32).contiguous(p.layout()));
  return temporaries_.back().raw();
}

Tensor Run::tensor(const Place& p) const {
  switch (p.kind) {
    case Place::Kind::absent: return {};
    case Place::Kind::arena: return Tensor::over(target(p), p.shape, p.type, p.layout());
    case Place::Kind::input:  // perhaps a part of it or under another shape
      return Tensor::over(const_cast<float*>(inputs_[p.at].data<float>()) + p.offset, p.shape, DType::f32, p.layout());
    case Place::Kind::constant: return (*constants_)[p.at];
    case Place::Kind::held: return held_[p.at];
  }
  return {};
}

}  // namespace fovea::plan
