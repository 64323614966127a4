#include "pipeline/stages/stream.hpp"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <memory>
#include <utility>

#include "datasets/video/reader.hpp"
#include "modules/core/threads.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/interrupt.hpp"
#include "pipeline/sinks/ledger_json.hpp"
#include "pipeline/stages/stream_writer.hpp"

namespace fovea {
namespace {

// One video on its way through.
class StreamRun {
 public:
  StreamRun(Frame& frame, FrameAnalyzer& analyzer, const StreamOutputs& outputs)
      : frame_(frame),
        analyzer_(analyzer),
        outputs_(outputs),
        reader_(frame.address.empty() ? frame.input.string() : frame.address, {.stop = &Interrupt::flag()}),
        writer_(frame, outputs, reader_.facts()) {}

  void run() {
    const int width = threads();
    if (width == 1) {
      while (auto picture = next()) follow(*picture, look(*picture));
    } else {
      run_side_by_side(width);
    }
    if (Interrupt::requested() && frame_.address.empty()) throw EnvironmentError("interrupted");
    for (const std::string& note : reader_.notes()) frame_.notes.push_back(note);
    const nlohmann::ordered_json all = summary();
    writer_.finish(frame_, all, whole_);
    frame_.results.put(kStreamSummary, all);
  }

 private:
  struct Item {
    VideoFrame picture;
    std::any seen;
  };

  // Reading and writing on the threads that the networks leave: a picture more than those that are looked at waits on either side.
  void run_side_by_side(int width) {
    auto chain = tbb::make_filter<void, std::shared_ptr<Item>>(tbb::filter_mode::serial_in_order,
                                                               [&](tbb::flow_control& flow) -> std::shared_ptr<Item> {
                                                                 auto picture = next();
                                                                 if (!picture) return flow.stop(), nullptr;
                                                                 return std::make_shared<Item>(Item{std::move(*picture), {}});
                                                               });
    chain &= tbb::make_filter<std::shared_ptr<Item>, std::shared_ptr<Item>>(tbb::filter_mode::parallel,
                                                                            [&](std::shared_ptr<Item> item) {
                                                                              const ThreadScope one(1);
                                                                              item->seen = look(item->picture);
                                                                              return item;
                                                                            });
    const auto all = chain & tbb::make_filter<std::shared_ptr<Item>, void>(tbb::filter_mode::serial_in_order,
                                                                           [&](const std::shared_ptr<Item>& item) {
                                                                             const ThreadScope one(1);
                                                                             follow(item->picture, std::move(item->seen));
                                                                           });
    tbb::task_arena arena(width);
    arena.execute([&] { tbb::parallel_pipeline(static_cast<std::size_t>(width) + 2, all); });
  }

  std::optional<VideoFrame> next() {
    if (Interrupt::requested()) return whole_ = false, std::nullopt;
    auto picture = reader_.next();
    if (!picture) return std::nullopt;
    if (!first_) first_ = picture->seconds;
    if (outputs_.limit > 0 && picture->seconds - *first_ >= outputs_.limit) return whole_ = false, std::nullopt;
    last_ = picture->seconds;
    if (const double length = outputs_.limit > 0 ? outputs_.limit : reader_.facts().seconds; length > 0 && frame_.advance)
      frame_.advance(std::min(1.0, (last_ - *first_) / length));
    return picture;
  }

  std::any look(const VideoFrame& picture) const { return analyzer_.look(picture.image, outputs_.maps); }

  void follow(const VideoFrame& picture, std::any seen) {
    auto answer = analyzer_.follow(std::move(seen), picture.image, picture.seconds, analyzer_.threshold());
    writer_.write(picture, std::move(answer), analyzer_);
  }

  nlohmann::ordered_json summary() const {
    const VideoFacts& f = reader_.facts();
    nlohmann::ordered_json all;
    put_name(all, "file", frame_.source);
    all["video"] = {{"width", f.size.width},      {"height", f.size.height},
                    {"frames", writer_.frames()}, {"seconds", first_ ? last_ - *first_ : 0.0},
                    {"rotation", f.rotation},     {"frame_rate", f.frame_rate},
                    {"codec", f.codec},           {"container", f.container},
                    {"audio", f.has_audio}};
    all.update(analyzer_.summary());
    return all;
  }

  Frame& frame_;
  FrameAnalyzer& analyzer_;
  const StreamOutputs& outputs_;
  VideoReader reader_;
  StreamWriter writer_;
  std::optional<double> first_;  // seconds of the first picture, and of the last one
  double last_ = 0;
  bool whole_ = true;
};

}  // namespace

void AnalyzeStreams::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    if (!frame.stream) {
      inner_->process(std::span(&frame, 1));
      continue;
    }
    const auto analyzer = make_();
    StreamRun(frame, *analyzer, outputs_).run();
    frame.complete = outputs_.files;
  }
}

}  // namespace fovea
