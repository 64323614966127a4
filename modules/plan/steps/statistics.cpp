#include "modules/plan/kernels/statistics.hpp"
#include "modules/core/threads.hpp"
#include "modules/plan/kernels/convert.hpp"
#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

GlobalParts parts_of(const Shape& x) { return {x[0], x[2] * x[3], x[1]}; }

class GlobalStep final : public Step {
 public:
  GlobalStep(Place x, Place mean, Place maximum, Place workspace)
      : parts_(parts_of(x.shape)),
        x_(std::move(x)),
        mean_(std::move(mean)),
        maximum_(std::move(maximum)),
        workspace_(std::move(workspace)) {}

  void run(Run& r) const override {
    const auto at = [&](const Place& p) { return p.kind == Place::Kind::absent ? nullptr : r.write(p); };
    dispatch_map(x_.type, [&](auto zero) {
      using T = decltype(zero);
      global_statistics(parts_, static_cast<const T*>(r.source(x_)), at(mean_), at(maximum_), r.write(workspace_));
    });
  }
  std::string how() const override { return "one pass"; }

 private:
  GlobalParts parts_;
  Place x_, mean_, maximum_, workspace_;
};

class ChannelStep final : public Step {
 public:
  ChannelStep(Chain before, std::vector<Place> positions, Place y, bool mean_first)
      : before_(std::move(before)), positions_(std::move(positions)), y_(std::move(y)), mean_first_(mean_first) {}

  void run(Run& r) const override {
    const Shape& x = positions_[0].shape;
    const std::int64_t channels = x[1];
    const Operands operands(r, positions_);
    float* y = r.write(y_);
    if (before_.empty()) {
      return dispatch_map(positions_[0].type, [&](auto zero) {
        const auto* from = static_cast<const decltype(zero)*>(operands[0]);
        parallel_for(x.elements() / channels, std::max<std::int64_t>(1, 16384 / channels),
                     [&](std::int64_t begin, std::int64_t end) {
                       channel_statistics(y + 2 * begin, from + begin * channels, end - begin, channels, mean_first_);
                     });
      });
    }
    parallel_for(before_.tiles(), 4, [&](std::int64_t begin, std::int64_t end) {
      Chain::Room tile;
      for (std::int64_t i = begin; i < end; ++i) {
        const Chain::Tile t = before_.tile(i);
        before_.run(i, tile.data(), operands[0], operands.data());
        channel_statistics(y + 2 * (t.first / channels), tile.data(), t.size / channels, channels, mean_first_);
      }
    });
  }
  std::string how() const override { return "one pass"; }

 private:
  Chain before_;
  std::vector<Place> positions_;
  Place y_;
  bool mean_first_;
};

class LineStep final : public Step {
 public:
  LineStep(LineKernel kernel, Place x, std::vector<Place> outputs, Place workspace)
      : kernel_(std::move(kernel)), x_(std::move(x)), outputs_(std::move(outputs)), workspace_(std::move(workspace)) {}

  void run(Run& r) const override {
    std::array<float*, LineKernel::kMost> out{};  // on the stack: nothing is allocated while a plan runs
    for (std::size_t i = 0; i < outputs_.size(); ++i) out[i] = r.write(outputs_[i]);
    dispatch_map(x_.type, [&](auto zero) {
      kernel_.run(static_cast<const decltype(zero)*>(r.source(x_)), out.data(), r.write(workspace_));
    });
  }
  std::string how() const override { return "one pass"; }

 private:
  LineKernel kernel_;
  Place x_;
  std::vector<Place> outputs_;
  Place workspace_;
};

}  // namespace

std::int64_t global_workspace(const Shape& x) { return parts_of(x).workspace(); }

std::unique_ptr<Step> global_statistics_step(Place x, Place mean, Place maximum, Place workspace) {
  return std::make_unique<GlobalStep>(std::move(x), std::move(mean), std::move(maximum), std::move(workspace));
}

std::unique_ptr<Step> channel_statistics_step(Chain before, std::vector<Place> positions, Place y, bool mean_first) {
  return std::make_unique<ChannelStep>(std::move(before), std::move(positions), std::move(y), mean_first);
}

std::unique_ptr<Step> line_statistics_step(LineKernel kernel, Place x, std::vector<Place> outputs, Place workspace) {
  return std::make_unique<LineStep>(std::move(kernel), std::move(x), std::move(outputs), std::move(workspace));
}

}  // namespace fovea::plan
