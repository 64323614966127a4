#include "pipeline/live/live_run.hpp"

#include <exception>
#include <functional>

namespace fovea {
namespace {

// The first thing that goes wrong is what is told.
class FirstError {
 public:
  void run(const std::function<void()>& work) {
    try {
      work();
    } catch (...) {
      if (!error_) error_ = std::current_exception();
    }
  }
  void raise() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

}  // namespace

std::vector<std::string> layers_of(const FrameAnalyzer& analyzer) {
  std::vector<std::string> layers = analyzer.maps();
  layers.insert(layers.begin(), kNoLayer);
  return layers;
}

void warm_up(const FrameAnalyzer& analyzer) { analyzer.look(cv::Mat::zeros(480, 640, CV_8UC3), analyzer.maps()); }

LiveRun::LiveRun(std::unique_ptr<LiveSource> source, FrameAnalyzer& analyzer, LiveSettings settings)
    : analyzer_(analyzer), settings_(std::move(settings)), mailbox_(std::move(source), statistics_) {}

LiveServerHooks LiveRun::hooks() {
  return {.settings = [this] { return settings_.get(); },
          .change = [this](const LiveSettings& next) { settings_.set(next); },
          .statistics = [this] { return to_json(statistics_.figures(), mailbox_.status()); }};
}

void LiveRun::run(const std::atomic<bool>& stop) {
  FirstError first;
  first.run([&] {
    while (const auto frame = mailbox_.take(stop)) {
      look_at(*frame);
      mailbox_.finished();
    }
  });
  mailbox_.stop();
  for (LiveView* view : views_) first.run([&] { view->finish(); });
  first.raise();
}

void LiveRun::look_at(const LiveFrame& frame) {
  const LiveSettings settings = settings_.get();
  const std::string map = settings.layer == kNoLayer ? "" : settings.layer;
  bool draw = false;
  for (LiveView* view : views_)
    if (view->wants_picture()) draw = true;
  // A map that nobody sees is not laid on the picture.
  std::any seen = analyzer_.look(frame.image, draw && !map.empty() ? std::vector{map} : std::vector<std::string>());
  const nlohmann::ordered_json answer = analyzer_.follow(std::move(seen), frame.image, frame.seconds, settings.threshold);
  const cv::Mat drawn = draw ? analyzer_.draw(frame.image, map, settings.opacity) : cv::Mat();
  for (LiveView* view : views_) view->show({frame, answer, drawn});
}

}  // namespace fovea
