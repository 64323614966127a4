#include "modules/core/dnnl_prepared.hpp"

#include "modules/core/dnnl_conv.hpp"
#include "modules/core/room.hpp"

namespace fovea::dnn {
namespace {

using Desc = dnnl::memory::desc;

// A memory object whose address changes from run to run. Setting it may write (oneDNN zeroes padding), so it is set only when it changes.
struct Argument {
  int name = 0;
  dnnl::memory memory;
  const void* at = nullptr;

  void set(const void* pointer) {
    if (pointer == at) return;
    memory.set_data_handle(const_cast<void*>(pointer));
    at = pointer;
  }
};

class Prepared final : public PreparedConv {
 public:
  Prepared(const ConvProblem& p, std::shared_ptr<const Primitive> primitive) : problem_(p), primitive_(std::move(primitive)) {}

  std::size_t scratchpad_bytes() const override { return primitive_->scratchpad.get_size(); }
  const std::string& implementation() const override { return primitive_->implementation; }

  Tensor reorder(const Tensor& w) const override {
    Tensor copy = Tensor::empty({static_cast<std::int64_t>(primitive_->weights.get_size())}, DType::u8);
    dnnl::memory from = as_memory(problem_.user_weights(), w), to(primitive_->weights, engine(), copy.raw());
    memory::check_room();
    dnnl::reorder(from, to).execute(stream(), from, to);
    stream().wait();
    return copy;
  }

  std::string weight_layout() const override { return layout_key(problem_.user_weights()) + layout_key(primitive_->weights); }

  std::unique_ptr<Call> call() const override { return std::make_unique<Handles>(problem_, primitive_); }

 private:
  class Handles final : public Call {
   public:
    Handles(const ConvProblem& p, std::shared_ptr<const Primitive> primitive) : primitive_(std::move(primitive)) {
      const auto make = [](int name, const Desc& desc) { return Argument{name, {desc, engine(), nullptr}, nullptr}; };
      x_ = make(DNNL_ARG_SRC, p.source()), y_ = make(DNNL_ARG_DST, p.target());
      w_ = make(DNNL_ARG_WEIGHTS, primitive_->weights), scratchpad_ = make(DNNL_ARG_SCRATCHPAD, primitive_->scratchpad);
      used_ = {&x_, &y_, &w_, &scratchpad_};
      if (p.bias) used_.push_back(&(bias_ = make(DNNL_ARG_BIAS, p.bias_desc())));
      if (p.residual == ConvSpec::Residual::read)
        used_.push_back(&(residual_ = make(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, p.target())));
      for (const Argument* a : used_) arguments_.push_back({a->name, a->memory.get()});
    }

    void run(const Pointers& p) override {
      x_.set(p.x), y_.set(p.y), w_.set(p.w), scratchpad_.set(p.scratchpad);
      if (bias_.name) bias_.set(p.bias);
      if (residual_.name) residual_.set(p.residual);
      const auto status =
          dnnl_primitive_execute(primitive_->run.get(), stream().get(), static_cast<int>(arguments_.size()), arguments_.data());
      check(status == dnnl_success, "oneDNN: a prepared convolution failed with status ", static_cast<int>(status));
      stream().wait();
    }

   private:
    std::shared_ptr<const Primitive> primitive_;
    Argument x_, y_, w_, scratchpad_, bias_, residual_;
    std::vector<Argument*> used_;
    std::vector<dnnl_exec_arg_t> arguments_;
  };

  ConvProblem problem_;
  std::shared_ptr<const Primitive> primitive_;
};

}  // namespace

std::shared_ptr<const PreparedConv> PreparedConv::make(const ConvSpec& s) {
  const ConvProblem problem{s.conv, s.x, s.w, s.y, type_of(s.from), type_of(s.to), s.bias, s.residual, s.after};
  auto primitive = find_convolution('f', problem);
  if (primitive->slow) return nullptr;
  return std::make_shared<Prepared>(problem, std::move(primitive));
}

}  // namespace fovea::dnn
