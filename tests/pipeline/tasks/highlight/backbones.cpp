// Backbones that were made for one label a pixel learn regions, too: MAResU-Net and U-Nets with any block in their slots, on one channel and on slices as
// channels.
#include <cmath>
#include <fstream>
#include <numeric>

#include "datasets/scans/nifti_write.hpp"
#include "modules/nn/optim.hpp"
#include "modules/nn/training.hpp"
#include "pipeline/tasks/highlight/loss.hpp"
#include "pipeline/train_run.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/small_networks.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kHead = "{type: highlight, classes: [bright]}";
const std::vector<Small> kRegions{
    {"unet", "widths: [16, 16]", 8, 8, kHead},
    {"attention_unet", "widths: [16, 16]", 8, 8, kHead},
    {"maresunet", "layers: [1, 1, 1, 1], widths: [16, 16, 16, 16], final_width: 8", 32, 32, kHead},
};

std::string region_recipe(const Small& s, const std::string& rules, const std::string& preprocess) {
  return recipe(s, rules) + "preprocess: {resize: none, mean: 0.5, std: 0.25, " + preprocess + "}\n";
}

// What is above the mean of the first channel.
Batch batch_for(const Tensor& x) {
  const Tensor first = x.slice(1, 0, 1).contiguous(Layout::channels_last);
  Tensor mask = Tensor::like(first);
  for (std::int64_t i = 0; i < mask.size(); ++i) mask.data<float>()[i] = first.data<float>()[i] > 0 ? 1.0f : 0.0f;
  return {{{"image", x}}, {{"mask", mask}}};
}

void train_twice(const Model& model, const Small& s) {
  const Batch batch = batch_for(pictures({2, model.channels(), s.height, s.width}, 5));
  Optimizer optimizer(model.params(), {.lr = 1e-2});
  const Tensor before = model.run(batch.input());
  CHECK(before.shape() == Shape{2, 1, s.height, s.width});
  Random random(1);
  for (int step = 0; step < 2; ++step) {
    const Training training(random);
    const Var loss = highlight_loss(model.outputs(Var(batch.input())), batch, {});
    CHECK(std::isfinite(loss.value().item()));
    loss.backward();
    optimizer.step(optimizer.lr());
    model.params()->zero_grad();
  }
  const std::vector<double> after = model.run(batch.input()).values();
  CHECK(std::all_of(after.begin(), after.end(), [](double v) { return std::isfinite(v); }));
  CHECK(after != before.values());
}

// Slots in front of the first convolution hold the picture, whose single channel has no heads and no squeeze.
std::vector<std::string> inner_slots(const Small& s) {
  std::vector<std::string> inner;
  for (const auto& [kind, paths] : slot_paths(Model::from_recipe(recipe(s, ""))))
    for (const std::string& path : paths)
      if (path.find("pre_") == std::string::npos) inner.push_back(path);
  return inner;
}

void write_data(const fs::path& folder, bool volumes) {
  for (int i = 0; i < 3; ++i) {
    cv::Mat picture(40, 44, CV_8UC1, cv::Scalar(40)), mask = cv::Mat::zeros(40, 44, CV_8U);
    picture(cv::Rect(5 + 4 * i, 8, 12, 9)).setTo(200), mask(cv::Rect(5 + 4 * i, 8, 12, 9)).setTo(1);
    const std::string name = std::to_string(i);
    if (!volumes) {
      write_png(folder / "images" / (name + ".png"), picture);
      write_png(folder / "masks/bright" / (name + ".png"), mask);
      continue;
    }
    for (const auto& [at, slice] : {std::pair{"images", picture}, {"masks/bright", mask}}) {
      fs::create_directories(folder / at);
      NiftiWriter writer(folder / at / (name + ".nii.gz"), {44, 40, 3, {}, {}, {}}, CV_8U);
      for (int z = 0; z < 3; ++z) writer.add(slice);
      writer.finish();
    }
  }
}

}  // namespace

TEST_CASE("highlight: U-Nets and MAResU-Net learn with any block in their slots", "[pipeline]") {
  for (const Small& s : kRegions) {
    const std::vector<std::string> slots = inner_slots(s);
    REQUIRE_FALSE(slots.empty());
    std::size_t turn = 0;  // the blocks take turns at the slots, and at the channels
    for (const std::string& block : blocks()) {
      const std::string& at = slots[turn % slots.size()];
      const char* preprocess = turn++ % 2 == 0 ? "channels: 1" : "channels: 3, neighbours: true";
      INFO(s.backbone << " " << at << " " << block << " " << preprocess);
      train_twice(Model::from_recipe(region_recipe(s, rule(at, block, false), preprocess), 3), s);
    }
  }
}

TEST_CASE("highlight: U-Net and MAResU-Net are trained from a recipe, on pictures and on slices as channels", "[pipeline]") {
  const Folder folder;
  write_data(folder / "pictures", false);
  write_data(folder / "volumes", true);
  for (const Small& s : kRegions)
    for (const auto& [data, preprocess] : {std::pair{"pictures", "channels: 1"},
                                           {"volumes", "channels: 1, range: percentiles"},
                                           {"volumes", "channels: 3, neighbours: true, range: percentiles"}}) {
      INFO(s.backbone << " " << data << " " << preprocess);
      const std::string text = region_recipe(s, "", preprocess) + "train: {task: highlight, data: " + data +
                               ", validate: {every: 3}, crop: 32, batch: 2, steps: 2, log_every: 1, validate_every: 2, "
                               "optimizer: {type: adam, lr: 0.01}}\n";
      std::atomic<bool> stop{false};
      static int count = 0;
      const fs::path run = folder / ("run" + std::to_string(count++));
      REQUIRE(train(Yaml::parse(text, "recipe"), {folder.path(), run}, stop));
      CHECK(Model::load((run / "best.safetensors").string()).info().task == "highlight");
    }
}
