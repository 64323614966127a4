// Tiles over a real network: what its global statistics and its kernels leave between tiled and untiled.
#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "modules/core/memory.hpp"
#include "pipeline/tasks/upscale/upscale_image.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;

namespace {

// A random network whose branch weights hang on the picture as strongly as any training could make them: without shared
// statistics its tiles differ from the whole by most of a level.
Model sensitive_model(const std::string& head) {
  Model model = Model::from_recipe("fovea: 1\nmodel:\n  head: {" + head + "}\n", 1);
  for (const ParamStore::Entry& entry : model.params()->entries()) {
    if (entry.name.find(".ADM.") == std::string::npos) continue;
    Tensor value = entry.value.value().clone();
    for (std::int64_t i = 0; i < value.size(); ++i) value.data<float>()[i] *= 30;
    Var parameter = entry.value;
    parameter.set_value(value);
  }
  return model;
}

// 16 bit, so that parts of an 8-bit level can be seen.
Image deep(const std::filesystem::path& file) {
  Image image = read_image(file);
  image.pixels.convertTo(image.pixels, CV_16U, 257);
  return image;
}

Image pattern(int width, int height) {
  Image image{cv::Mat(height, width, CV_16UC3), false, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      image.pixels.at<cv::Vec3w>(y, x) =
          cv::Vec3w(static_cast<ushort>((x * x * 37 + y * 911) % 65536), static_cast<ushort>(x * 450),
                    static_cast<ushort>((x / 8 + y / 8) % 2 * 65535));
  return image;
}

double levels(const cv::Mat& a, const cv::Mat& b) { return cv::norm(a.reshape(1), b.reshape(1), cv::NORM_INF) / 257; }

}  // namespace

TEST_CASE("tiles of photographs differ from the whole by less than a level") {
  FOVEA_NEEDS_SHARED(photos, "data/sr/eval/Set14/x2/LR");
  const UpscaleBackend backend = upscale_backend(sensitive_model("type: a2n_light, scale: 2, width: 32, blocks: 2"));
  int seen = 0;
  for (const char* name : {"img_003_SRF_2_LR.png", "img_009_SRF_2_LR.png", "img_014_SRF_2_LR.png"}) {
    if (!std::filesystem::exists(photos / name)) continue;
    const Image photo = deep(photos / name);
    const Upscaled whole = upscale_image(backend, photo, {.tile = 0, .maps = true});
    const Upscaled tiled = upscale_image(backend, photo, {.tile = 64, .maps = true});
    CAPTURE(name);
    CHECK(levels(whole.image.pixels, tiled.image.pixels) < 0.5);
    REQUIRE(whole.maps.size() == 2);
    for (std::size_t i = 0; i < whole.maps.size(); ++i) {
      CHECK(whole.maps[i].heat.size() == whole.image.pixels.size());
      CHECK(cv::norm(whole.maps[i].heat, tiled.maps[i].heat, cv::NORM_INF) < 1.0 / 255);
    }
    ++seen;
  }
  CHECK(seen > 0);
}

TEST_CASE("without global statistics tiles equal the whole up to the rounding of kernels") {
  // With its branch weights given from outside, every value depends on inputs within the radius only. What is left is the order
  // in which a kernel adds up, which may follow the width of a map: a few units in the last place of f32, far below 1/65535.
  for (const char* head : {"type: a2n_light, scale: 2, width: 32, blocks: 2", "type: a2n_light, scale: 3, width: 32, blocks: 1",
                           "type: a2n, scale: 4, width: 8, tail_width: 8, blocks: 1"}) {
    const Model model = sensitive_model(head);
    UpscaleBackend backend = upscale_backend(model);
    std::map<std::string, Tensor> feeds;
    for (int i = 0; i < 2; ++i)
      feeds["AAB_trunk." + std::to_string(i) + ".weights"] = Tensor::from<float>(std::vector<float>{0.7f, 0.3f}, {1, 2});
    backend.facts.statistics.clear();
    backend.run = [&](const Tensor& x, Model::RunOptions options) {
      options.feeds = feeds;
      return model.run(x, options);
    };
    const Image image = pattern(101, 67);
    const cv::Mat whole = upscale_image(backend, image, {.tile = 0}).image.pixels;
    CAPTURE(head);
    for (int tile : {9, 32}) CHECK(levels(whole, upscale_image(backend, image, {.tile = tile}).image.pixels) <= 1.0 / 257);
    // The radius is no larger than it must be to hold: with a quarter of it, seams would show.
    backend.facts.radius /= 4;
    CHECK(levels(whole, upscale_image(backend, image, {.tile = 9}).image.pixels) > 1.0 / 257);
  }
}

TEST_CASE("thin and tiny images run whole and in tiles") {
  const UpscaleBackend backend = upscale_backend(sensitive_model("type: a2n_light, scale: 3, width: 32, blocks: 1"));
  for (auto [width, height] : {std::pair{1, 1}, {1, 70}, {90, 2}, {3, 3}})
    for (int tile : {-1, 0, 16}) {
      const Upscaled up = upscale_image(backend, pattern(width, height), {.tile = tile, .self_ensemble = true, .maps = true});
      CHECK(up.image.pixels.size() == cv::Size(3 * width, 3 * height));
      CHECK(up.maps.at(0).heat.size() == cv::Size(3 * width, 3 * height));
    }
}

TEST_CASE("the estimate of working memory covers what a run takes") {
  for (const char* head : {"type: a2n_light, scale: 2, width: 32, blocks: 2", "type: a2n_light, scale: 4, width: 32, blocks: 2",
                           "type: a2n, scale: 2, blocks: 1", "type: a2n, scale: 3, blocks: 1"}) {
    const UpscaleBackend backend = upscale_backend(sensitive_model(head));
    constexpr std::size_t kSide = 128;
    const Tensor x = Tensor::full({1, 3, kSide, kSide}, 0.5, DType::f32, Layout::channels_last);
    Model::RunOptions options;
    for (const std::string& keep : {std::string(), backend.facts.maps}) {
      options.keep = keep;
      const std::size_t before = memory::stats().in_use;
      memory::reset_peak();
      const Model::Result result = backend.run(x, options);
      const std::size_t taken = (memory::stats().peak - before) / (kSide * kSide);
      CAPTURE(head, keep);
      CHECK(taken <= backend.bytes_per_pixel + (keep.empty() ? 0 : backend.map_bytes_per_pixel));
      CHECK(3 * taken >= backend.bytes_per_pixel);
    }
  }
}

TEST_CASE("a photograph with alpha everywhere opaque is the photograph") {
  const UpscaleBackend backend = upscale_backend(sensitive_model("type: a2n_light, scale: 2, width: 32, blocks: 1"));
  const Image plain = pattern(61, 40);
  Image opaque = plain;
  cv::cvtColor(plain.pixels, opaque.pixels, cv::COLOR_BGR2BGRA);
  for (int tile : {0, 24}) {
    cv::Mat expected = upscale_image(backend, plain, {.tile = tile}).image.pixels;
    cv::cvtColor(expected, expected, cv::COLOR_BGR2BGRA);
    CHECK(levels(expected, upscale_image(backend, opaque, {.tile = tile}).image.pixels) == 0);
  }
}

TEST_CASE("photographs of the web run whole where the network has statistics of the whole") {
  UpscaleBackend backend = upscale_backend(Model::from_recipe("fovea: 1\nmodel:\n  head: {type: a2n, scale: 2}\n"));
  int runs = 0;
  backend.run = [&](const Tensor& x, const Model::RunOptions&) {
    ++runs;
    return Model::Result{Tensor::zeros({1, 3, 2 * x.dim(2), 2 * x.dim(3)}, DType::f32, Layout::channels_last), {}, {}};
  };
  upscale_image(backend, pattern(512, 340), {});
  CHECK(runs == 1);
  upscale_image(backend, pattern(900, 600), {});
  CHECK(runs > 2);  // those that do not fit: samples for the statistics, then tiles
}
