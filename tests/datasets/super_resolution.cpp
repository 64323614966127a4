#include "datasets/super_resolution.hpp"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "datasets/resize.hpp"
#include "modules/io/files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using fovea::test::fails_with;
namespace fs = std::filesystem;

namespace {

// Noise, softened, so that it resembles a photograph.
cv::Mat scene(int width, int height, std::uint64_t seed) {
  cv::Mat m = test::noise(width, height, CV_8UC3, seed);
  cv::GaussianBlur(m, m, cv::Size(5, 5), 1.2);
  return m;
}

void write_png(const fs::path& file, const cv::Mat& image) {
  fs::create_directories(file.parent_path());
  REQUIRE(cv::imwrite(file.string(), image));
}

cv::Mat sample(const Tensor& batch, std::int64_t index) { return to_image(batch.slice(0, index, index + 1)); }

int largest_difference(const cv::Mat& a, const cv::Mat& b) {
  REQUIRE(a.size() == b.size());
  cv::Mat d;
  cv::absdiff(a, b, d);
  double most = 0;
  cv::minMaxLoc(d.reshape(1), nullptr, &most);
  return static_cast<int>(most);
}

}  // namespace

TEST_CASE("patches: batch k depends on the seed and k alone, in any order") {
  const test::Folder folder;
  write_png(folder / "a.png", scene(60, 50, 1));
  write_png(folder / "b.png", scene(45, 70, 2));
  const auto pairs = load_pairs({folder.path()}, 2, 12);
  REQUIRE(pairs.size() == 2);
  const PatchSource one(pairs, {.scale = 2, .patch = 12, .batch = 4, .seed = 5}),
      two(pairs, {.scale = 2, .patch = 12, .batch = 4, .seed = 5});
  const PatchSource other(pairs, {.scale = 2, .patch = 12, .batch = 4, .seed = 6});
  const Batch seventh = one.batch(7), first = one.batch(0);
  CHECK(first.input().shape() == Shape{4, 3, 12, 12});
  CHECK(first.target().shape() == Shape{4, 3, 24, 24});
  CHECK(two.batch(0).input().values() == first.input().values());
  CHECK(two.batch(7).target().values() == seventh.target().values());
  CHECK(first.input().values() != seventh.input().values());
  CHECK(other.batch(0).input().values() != first.input().values());
  for (const double v : first.target().values()) CHECK((v >= 0 && v <= 1));
}

TEST_CASE("patches come in the network's own range and order of colours, input and target alike") {
  const test::Folder folder;
  write_png(folder / "a.png", scene(60, 50, 1));
  PatchSource::Options options{.scale = 2, .patch = 12, .batch = 2, .seed = 5};
  const Batch usual = PatchSource(load_pairs({folder.path()}, 2, 12), options).batch(3);
  options.preprocess.mean = {0.5, 0.25, 0};
  options.preprocess.stddev = {1.0 / 255, 1, 2};
  options.preprocess.colour = Preprocess::Colour::bgr;
  const Batch own = PatchSource(load_pairs({folder.path()}, 2, 12), options).batch(3);
  for (const auto& [a, b] : {std::pair{usual.input(), own.input()}, std::pair{usual.target(), own.target()}})
    for (std::int64_t c = 0; c < 3; ++c) {
      const auto i = static_cast<std::size_t>(c);
      const auto rgb = a.slice(1, 2 - c, 3 - c).values(), network = b.slice(1, c, c + 1).values();
      REQUIRE(rgb.size() == network.size());
      for (std::size_t k = 0; k < rgb.size(); ++k)
        CHECK(network[k] == Approx((rgb[k] - options.preprocess.mean[i]) / options.preprocess.stddev[i]).margin(1e-4));
    }
}

TEST_CASE("patches: the low patch is the high one made smaller, at every scale and orientation") {
  const test::Folder folder;
  write_png(folder / "a.png", scene(97, 83, 3));
  for (const int scale : {2, 3, 4}) {
    INFO("x" << scale);
    const PatchSource source(load_pairs({folder.path()}, scale, 14), {.scale = scale, .patch = 14, .batch = 16, .seed = 1});
    for (std::int64_t k = 0; k < 4; ++k) {
      const Batch b = source.batch(k);
      for (std::int64_t i = 0; i < 16; ++i) {
        // The kernel is four low-resolution pixels wide: two from the edge of the patch nothing outside it counts.
        const cv::Mat made = imresize(sample(b.target(), i), cv::Size(14, 14), Edge::repeat), low = sample(b.input(), i);
        const cv::Rect inside(2, 2, 10, 10);
        CHECK(largest_difference(made(inside), low(inside)) <= 1);  // 8-bit rounding of a flipped sum
      }
    }
  }
}

TEST_CASE("patches: images are found below folders, in order; those too small are left out and counted") {
  const test::Folder folder;
  write_png(folder / "z" / "first.png", scene(41, 31, 1));
  write_png(folder / "deep" / "er" / "b.png", scene(40, 30, 2));
  write_png(folder / "deep" / "tiny.png", scene(12, 100, 3));
  write_file_atomically(folder / "notes.txt", "text", 4);
  PairsLeftOut left_out;
  const auto pairs = load_pairs({folder / "z", folder / "deep"}, 2, 10, &left_out);
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].name == "first");
  CHECK(pairs[1].name == "b");
  CHECK((left_out.too_small == 1 && left_out.bad.empty()));
  CHECK(pairs[0].high.size() == cv::Size(40, 30));  // cut to a multiple of the scale
  CHECK(pairs[0].low.size() == cv::Size(20, 15));
  const auto wanted = load_pairs({folder / "z", folder / "deep"}, 2, 10, &left_out, Glob("{b.*,none}", Glob::Kind::files));
  CHECK((wanted.size() == 1 && wanted[0].name == "first"));
  CHECK(fails_with([&] { load_pairs({folder / "z"}, 2, 16); }, "no image of at least 32x32"));
  CHECK(fails_with([&] { load_pairs({folder / "none"}, 2, 16); }, "none: expected a folder"));
  CHECK(fails_with([&] { PatchSource({}, {}); }, "no images"));
  CHECK(fails_with([&] { PatchSource(pairs, {.scale = 2, .patch = 16}); }, "first is smaller than a patch of 16"));
  write_file_atomically(folder / "z" / "bad.png", "text", 4);
  CHECK(load_pairs({folder / "z"}, 2, 10, &left_out).size() == 1);  // one bad file ends no training
  REQUIRE(left_out.bad.size() == 1);
  CHECK(left_out.bad[0].reason.find("bad.png: not an image") != std::string::npos);
  fs::remove(folder / "z" / "first.png");
  CHECK(fails_with([&] { load_pairs({folder / "z"}, 2, 10); }, "1 left out, the first: "));
}

TEST_CASE("images become tensors and come back exactly; colours are RGB, 0 to 1") {
  const cv::Mat image = test::noise(13, 7, CV_8UC3);
  const Tensor t = to_tensor(image);
  CHECK(t.shape() == Shape{1, 3, 7, 13});
  CHECK(largest_difference(to_image(t), image) == 0);
  const auto first = image.at<cv::Vec3b>(0, 0);
  for (int c = 0; c < 3; ++c) CHECK(t.values()[static_cast<std::size_t>(c * 91)] == Approx(first[2 - c] / 255.0));
  CHECK(largest_difference(to_image(t.contiguous(Layout::row_major)), image) == 0);

  const cv::Mat grey = test::noise(5, 4, CV_8UC1);
  const cv::Mat back = to_image(to_tensor(grey));
  CHECK(back.channels() == 3);
  CHECK(back.at<cv::Vec3b>(2, 3)[1] == grey.at<std::uint8_t>(2, 3));

  const Tensor wild = Tensor::from(std::vector<float>{-1, 2, 0.5F}, {1, 3, 1, 1});
  CHECK(to_image(wild).at<cv::Vec3b>(0, 0) == cv::Vec3b(128, 255, 0));  // clamped, rounded
  CHECK(fails_with([] { to_tensor(cv::Mat(2, 2, CV_8UC4)); }, "1 or 3 channels"));
  CHECK(fails_with([] { to_tensor(cv::Mat(2, 2, CV_16UC3)); }, "8 bit"));
  CHECK(fails_with([] { to_image(Tensor::zeros({2, 3, 4, 4})); }, "1 x 3 x H x W"));
}

TEST_CASE("validation sets: prepared pairs, or photographs alone") {
  const test::Folder folder;
  const cv::Mat high = scene(24, 18, 4);
  write_png(folder / "Set" / "x3" / "HR" / "b.png", high);
  write_png(folder / "Set" / "x3" / "LR" / "bx3.png", imresize(high, cv::Size(8, 6)));
  const EvalSet prepared = load_eval_set(folder / "Set" / "", 3);
  CHECK(prepared.name == "Set");
  REQUIRE(prepared.pairs.size() == 1);
  CHECK(prepared.pairs[0].name == "b");
  CHECK(largest_difference(prepared.pairs[0].high, high) == 0);

  write_png(folder / "photos" / "p.png", scene(25, 19, 5));
  const EvalSet made = load_eval_set(folder / "photos", 3);
  CHECK(made.pairs.at(0).high.size() == cv::Size(24, 18));
  CHECK(made.pairs.at(0).low.size() == cv::Size(8, 6));

  CHECK(fails_with([&] { load_eval_set(folder / "none", 2); }, "none"));
  fs::create_directories(folder / "empty");
  CHECK(fails_with([&] { load_eval_set(folder / "empty", 2); }, "no images for x2"));
  write_png(folder / "Set" / "x3" / "HR" / "c.png", high);
  CHECK(fails_with([&] { load_eval_set(folder / "Set", 3); }, "HR has 2 images, LR 1"));
  write_png(folder / "Set" / "x3" / "LR" / "cx3.png", imresize(high, cv::Size(8, 7)));
  CHECK(fails_with([&] { load_eval_set(folder / "Set", 3); }, "c: the pair is not x3"));
  write_png(folder / "dots" / "d.png", scene(2, 2, 6));
  CHECK(fails_with([&] { load_eval_set(folder / "dots", 3); }, "d: the pair is not x3"));
  write_png(folder / "low" / "l.png", scene(90, 14, 6));  // found out before a training, not at its first validation
  CHECK(fails_with([&] { load_eval_set(folder / "low", 2); }, "l: 90x14 pixels are too few to measure; expected 15x15"));
}

TEST_CASE("evaluation: bicubic scores as bicubic, and a perfect image the most there is") {
  const test::Folder folder;
  write_png(folder / "photos" / "p.png", scene(64, 48, 7));
  const EvalSet set = load_eval_set(folder / "photos", 2);
  const EvalTable bicubic =
      evaluate_upscaling(set, 2, [&](const cv::Mat& low) { return imresize(low, set.pairs[0].high.size()); });
  REQUIRE(bicubic.rows.size() == 1);
  CHECK(bicubic.rows[0].psnr == bicubic.rows[0].bicubic_psnr);
  CHECK(bicubic.mean().ssim == Approx(bicubic.rows[0].bicubic_ssim));
  const EvalTable perfect = evaluate_upscaling(set, 2, [&](const cv::Mat&) { return set.pairs[0].high; });
  CHECK(perfect.rows[0].psnr == 100);
  CHECK(perfect.rows[0].ssim == Approx(1));

  // One flat picture, which even bicubic meets exactly, leaves the mean a number.
  write_png(folder / "photos" / "q.png", cv::Mat(40, 40, CV_8UC3, cv::Scalar::all(90)));
  const EvalSet both = load_eval_set(folder / "photos", 2);
  const EvalRow mean = evaluate_upscaling(both, 2, [&](const cv::Mat& low) { return imresize(low, low.size() * 2); }).mean();
  CHECK(mean.psnr == Approx((bicubic.rows[0].psnr + 100) / 2));
  CHECK(mean.psnr == mean.bicubic_psnr);
}
