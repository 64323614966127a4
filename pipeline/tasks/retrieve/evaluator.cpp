#include "pipeline/tasks/retrieve/evaluator.hpp"

#include <fmt/format.h>

#include "pipeline/tasks/retrieve/measure.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

class RetrieveEvaluator final : public Evaluator {
 public:
  std::string data_text() const override {
    return "pictures with captions: a folder as Flickr8k's, or a .json file as COCO's or Karpathy's";
  }
  void add_options(OptionList& o) override {
    o.word("--split", split_, "Part of the data to measure on, as dev (default: all)");
    o.hide_default();
    o.word("--images", images_, "Folder of the pictures (default: beside the captions)");
    o.hide_default();
    o.integer("--batch", batch_, 1, 1024, "Pictures at once");
  }
  bool runs_only() const override { return false; }  // sentences are read by the parameters themselves
  void open(const Model& model, const std::vector<fs::path>& data, DType precision) override {
    model_ = model;
    precision_ = precision;
    const Captioned all = read_all(data, {split_, images_});
    data_.emplace(all.pictures, PhotoOptions{.memory = 0, .shorter_side = 0});
    left_out_ = all.left_out;
    left_out_.insert(left_out_.end(), data_->photos.bad().begin(), data_->photos.bad().end());
    if (data_->photos.size() == 0) fail("no picture can be read; the first reason: ", data_->photos.bad().front().reason);
    matching_.emplace(model, *data_, precision);
  }
  std::string title() const override {
    return fmt::format("{}: {} parameters, {}; {} pictures with {} captions", model_.name(), model_.params()->count(),
                       name_of(precision_), data_->photos.size(), data_->owners().size());
  }
  std::int64_t batches() const override { return Matching::batches(model_, *data_, batch_); }
  void add(std::int64_t batch) override { matching_->add(batch, batch_); }
  double score() const override { return matching_->metrics().recall_sum(); }
  std::string table() const override { return matching_->metrics().table(); }
  nlohmann::ordered_json json() const override {
    nlohmann::ordered_json all{{"left_out", left_out_.size()}};
    all.update(matching_->metrics().json());
    return all;
  }
  std::vector<BadFile> left_out() const override { return left_out_; }

 private:
  Model model_;
  DType precision_ = DType::f32;
  std::string split_, images_;
  int batch_ = 16;
  std::optional<CaptionedPhotos> data_;
  std::optional<Matching> matching_;
  std::vector<BadFile> left_out_;
};

}  // namespace

std::unique_ptr<Evaluator> retrieve_evaluator() { return std::make_unique<RetrieveEvaluator>(); }

}  // namespace fovea
