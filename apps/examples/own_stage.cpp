// A stage of one's own in a pipeline: what the detector found is blurred before the picture is saved, as faces and number plates would be.
// usage: own_stage MODEL OUT PICTURE...
#include <cstdio>
#include <opencv2/imgproc.hpp>

#include "datasets/boxes/detections.hpp"
#include "pipeline/runner.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"
#include "pipeline/tasks/detect/stages.hpp"

using namespace fovea;

struct BlurFound final : Stage {
  std::string_view name() const override { return "blur"; }
  Contract contract() const override { return Contract().needs(kImage).needs(kDetected).gives(kOutput).drops(kImage); }
  void process(std::span<Frame> frames) override {
    for (Frame& frame : frames) {
      Image image = frame.results.take(kImage);
      for (const Detection& d : frame.results.get(kDetected).detections) {
        cv::Mat found = image.pixels(to_pixels(d.box) & cv::Rect({}, image.pixels.size()));
        if (!found.empty()) cv::blur(found, found, {31, 31});
      }
      frame.results.put(kOutput, std::move(image));
    }
  }
};

int main(int argc, char** argv) try {
  check(argc > 3, "usage: own_stage MODEL OUT PICTURE...");
  std::vector<StageSpec> stages;
  stages.push_back({std::make_unique<LoadImage>()});
  stages.push_back(
      {std::make_unique<DetectObjects>(std::make_shared<Detector>(Model::load(argv[1])), std::set<std::int64_t>(), 0)});
  stages.push_back({std::make_unique<BlurFound>()});
  stages.push_back({std::make_unique<SaveImage>(EncodeOptions())});
  int next = 3, failed = 0;
  const auto source = [&]() -> std::optional<Frame> {
    if (next == argc) return std::nullopt;
    Frame frame;
    frame.source = argv[next++];
    frame.input = frame.source;
    frame.output = std::filesystem::path(argv[2]) / frame.input.filename();
    return frame;
  };
  Runner(std::move(stages))
      .run(source, [&](Frame& frame) {  // a wrong order of stages is an Error here, a bad picture only its own
        if (frame.error) std::fprintf(stderr, "%s: %s\n", frame.source.c_str(), frame.error->reason.c_str()), ++failed;
      });
  return failed > 0 ? 3 : 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
