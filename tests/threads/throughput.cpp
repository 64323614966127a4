// Throughput mode: a lane of one thread for each picture, over one set of weights. Also run under the thread sanitizer.
#include "modules/core/threads.hpp"
#include "pipeline/runner.hpp"
#include "pipeline/tasks/upscale/stages.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/images.hpp"

using namespace fovea;

namespace {

constexpr std::size_t kPictures = 10;

// Two sizes, and a third that is cut into tiles, which share the whole picture's statistics.
Image picture(std::size_t i) {
  Image image;
  image.pixels = test::noise(20 + static_cast<int>(i % 3) * 30, 24, CV_8UC3, i + 1);
  return image;
}

class Make final : public Stage {
 public:
  std::string_view name() const override { return "make"; }
  Contract contract() const override { return Contract().gives(kImage); }
  void process(std::span<Frame> batch) override {
    for (Frame& frame : batch) frame.results.put(kImage, picture(frame.index));
  }
};

// What came out, by the frame's number.
class Collect final : public Stage {
 public:
  explicit Collect(std::vector<cv::Mat>& out) : out_(out) {}
  std::string_view name() const override { return "collect"; }
  Contract contract() const override { return Contract().needs(kOutput); }
  void process(std::span<Frame> batch) override {
    for (Frame& frame : batch) out_[frame.index] = frame.results.get(kOutput).pixels;
  }

 private:
  std::vector<cv::Mat>& out_;
};

}  // namespace

TEST_CASE("threads: a lane for each picture gives the pixels of one alone") {
  const Model model = Model::from_recipe("fovea: 1\nmodel: {head: {type: a2n_light, scale: 2, width: 8, blocks: 2}}\n", 3);
  const UpscaleOptions options{.tile = 60};
  std::vector<cv::Mat> got(kPictures);
  const Jobs jobs = plan_jobs(3, kPictures, Hint::throughput);
  std::vector<StageSpec> steps;
  steps.push_back({std::make_unique<Make>(), jobs.load, 1});
  steps.push_back({std::make_unique<SuperResolve>(upscale_backend(model), options), jobs.process, jobs.threads});
  steps.push_back({std::make_unique<Collect>(got), jobs.save, 1});
  Runner runner(std::move(steps));
  std::size_t next = 0, failed = 0;
  runner.run(
      [&]() -> std::optional<Frame> {
        if (next == kPictures) return std::nullopt;
        Frame frame;
        frame.index = next++;
        return frame;
      },
      [&](Frame& frame) { failed += frame.error ? 1 : 0; });
  CHECK(failed == 0);
  const ThreadScope thread_scope(1);
  for (std::size_t i = 0; i < kPictures; ++i) {
    const cv::Mat want = upscale_image(model, picture(i), options).image.pixels;
    REQUIRE(got[i].size() == want.size());
    CHECK(cv::norm(got[i], want, cv::NORM_INF) == 0);
  }
}
