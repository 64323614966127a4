#include "modules/plan/nodes/copy.hpp"

#include "modules/plan/emit.hpp"
#include "modules/plan/kernels/strided_copy.hpp"
#include "modules/plan/lower.hpp"

namespace fovea::plan {
namespace {

class StridedCopyStep final : public Step {
 public:
  StridedCopyStep(std::vector<Copy::Piece> pieces, std::vector<BufferRef> inputs, BufferRef y)
      : pieces_(std::move(pieces)), inputs_(std::move(inputs)), y_(std::move(y)) {}

  void run(Run& r) const override {
    float* y = r.write(y_);
    for (const Copy::Piece& p : pieces_) strided_copy(p.copy, r.read(inputs_[p.input]), y);
  }
  std::string how() const override { return "strided copy"; }

 private:
  std::vector<Copy::Piece> pieces_;
  std::vector<BufferRef> inputs_;
  BufferRef y_;
};

// Whether the node that made the part wrote it into y.
bool in_place(const StridedCopy& c, const BufferRef& x, const BufferRef& y) {
  const auto bytes = [](std::int64_t elements) { return static_cast<std::size_t>(elements) * sizeof(float); };
  return c.contiguous() && x.kind == BufferRef::Kind::arena && x.at + bytes(c.from) == y.at + bytes(c.to);
}

}  // namespace

bool Copy::lower(Lowerer& l, Node& n, const role::Concat& r) { return l.views.lower(n, r); }

std::unique_ptr<Step> Copy::emit(const Node& n, Emitter& e) const {
  std::vector<BufferRef> in;
  for (const Id id : n.inputs) in.push_back(e.operand(id));
  const BufferRef y = e.at(n.outputs[0]);
  std::vector<Piece> left;
  for (const Piece& p : pieces)
    if (!in_place(p.copy, in[p.input], y)) left.push_back(p);
  if (left.empty()) return nullptr;
  return std::make_unique<StridedCopyStep>(std::move(left), std::move(in), y);
}

}  // namespace fovea::plan
