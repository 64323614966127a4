// What upscale_image promises of pixels, tiles, alpha and maps, over networks whose answers are known.
#include "pipeline/tasks/upscale/upscale_image.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "modules/core/random.hpp"
#include "tests/support/catch.hpp"

using namespace fovea;

namespace {

// A network of one box filter of that radius (zeros outside, as convolutions have) and nearest upscaling, that adds
// `statistic` times the mean of its input: the smallest thing with a receptive field, a global statistic and a gate.
struct Fake {
  int scale = 2, radius = 0;
  double statistic = 0;
  int map_factor = 1;
  std::function<cv::Vec3f(cv::Vec3f)> colour = [](cv::Vec3f v) { return v; };

  Model::Result run(const Tensor& x, const Model::RunOptions& options) const {
    const auto h = static_cast<int>(x.dim(2)), w = static_cast<int>(x.dim(3));
    const cv::Mat in(h, w, CV_32FC3, const_cast<float*>(x.data<float>()));
    const cv::Scalar sum = cv::sum(in);
    const auto feed = options.feeds.find("block.mean");
    Tensor mean = Tensor::from<float>(std::vector<float>{static_cast<float>((sum[0] + sum[1] + sum[2]) / (3.0 * w * h))}, {1, 1});
    if (feed != options.feeds.end()) mean = feed->second;
    cv::Mat filtered;
    const cv::Size box(2 * radius + 1, 2 * radius + 1);
    cv::filter2D(in, filtered, CV_32F, cv::Mat::ones(box, CV_32F) / box.area(), {-1, -1}, 0, cv::BORDER_CONSTANT);
    filtered += cv::Scalar::all(statistic * mean.item());

    Model::Result r;
    r.output = Tensor::empty({1, 3, std::int64_t{h} * scale, std::int64_t{w} * scale}, DType::f32, Layout::channels_last);
    cv::Mat out(h * scale, w * scale, CV_32FC3, r.output.data<float>());
    out.forEach<cv::Vec3f>(
        [&](cv::Vec3f& v, const int* at) { v = colour(filtered.at<cv::Vec3f>(at[0] / scale, at[1] / scale)); });
    if (glob_matches(options.keep, "mean")) r.taps.push_back({"block.mean", mean});
    if (glob_matches(options.keep, "gate")) r.taps.push_back({"block.gate", gate(in)});
    return r;
  }
  // Two channels, red and three times red, at map_factor times the input's size.
  Tensor gate(const cv::Mat& in) const {
    Tensor t = Tensor::empty({1, 2, std::int64_t{in.rows} * map_factor, std::int64_t{in.cols} * map_factor});
    for (int y = 0, i = 0; y < in.rows * map_factor; ++y)
      for (int x = 0; x < in.cols * map_factor; ++x, ++i) {
        const float red = in.at<cv::Vec3f>(y / map_factor, x / map_factor)[0];
        t.data<float>()[i] = red, t.data<float>()[i + in.total() * map_factor * map_factor] = 3 * red;
      }
    return t;
  }
  static bool glob_matches(const std::string& keep, const std::string& name) { return keep.find(name) != std::string::npos; }

  UpscaleBackend network() const {
    return {{.scale = scale, .radius = radius, .statistics = "**.mean", .maps = "**.gate"},
            1,
            0,
            [self = *this](const Tensor& x, const Model::RunOptions& o) { return self.run(x, o); }};
  }
};

Image noise(int width, int height, int type, std::uint64_t seed = 1) {
  Image image{cv::Mat(height, width, type), false, {1, 2, 3}};
  Random random(seed);
  for (int y = 0; y < height; ++y)
    for (std::size_t i = 0; i < image.pixels.step[0]; ++i) image.pixels.ptr(y)[i] = static_cast<std::uint8_t>(random.next());
  image.grey = image.pixels.channels() == 1;
  return image;
}

cv::Mat nearest(const cv::Mat& m, int scale) {
  cv::Mat out(m.rows * scale, m.cols * scale, m.type());
  for (int y = 0; y < out.rows; ++y)
    for (int x = 0; x < out.cols; ++x) m.row(y / scale).col(x / scale).copyTo(out.row(y).col(x));
  return out;
}

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.type() == b.type() && a.size() == b.size() && cv::norm(a.reshape(1), b.reshape(1), cv::NORM_INF) == 0;
}

double difference(const cv::Mat& a, const cv::Mat& b) { return cv::norm(a.reshape(1), b.reshape(1), cv::NORM_INF); }

// A disc of straight colour `bgr`, antialiased by `soft` pixels, on clear pixels of another colour that must never be seen.
Image disc(int size, cv::Scalar bgr, cv::Scalar hidden, double soft) {
  Image image{cv::Mat(size, size, CV_8UC4), false, {}};
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x) {
      const double edge = size * 0.3 - std::hypot(x - size / 2.0, y - size / 2.0);
      const double alpha = std::clamp(edge / soft + 0.5, 0.0, 1.0);
      const cv::Scalar c = alpha > 0 ? bgr : hidden;
      image.pixels.at<cv::Vec4b>(y, x) = cv::Vec4b(cv::saturate_cast<uchar>(c[0]), cv::saturate_cast<uchar>(c[1]),
                                                   cv::saturate_cast<uchar>(c[2]), cv::saturate_cast<uchar>(alpha * 255));
    }
  return image;
}

}  // namespace

TEST_CASE("a network that repeats pixels gives them back exactly, at any depth, size and cut") {
  for (int type : {CV_8UC1, CV_8UC3, CV_16UC1, CV_16UC3})
    for (auto [width, height] : {std::pair{1, 1}, {1, 9}, {17, 1}, {5, 7}, {40, 23}})
      for (int scale : {1, 2, 3, 4})
        for (int tile : {-1, 0, 1, 6})
          for (bool ensemble : {false, true}) {
            CAPTURE(type, width, height, scale, tile, ensemble);
            const Image image = noise(width, height, type);
            const Upscaled up = upscale_image(Fake{.scale = scale}.network(), image, {.tile = tile, .self_ensemble = ensemble});
            REQUIRE(same(up.image.pixels, nearest(image.pixels, scale)));
            REQUIRE(up.image.grey == image.grey);
            REQUIRE(up.image.icc == image.icc);
            REQUIRE(up.maps.empty());
          }
}

TEST_CASE("values are rounded to nearest at their own depth and clamped") {
  Fake fake{.scale = 1, .colour = [](cv::Vec3f v) { return cv::Vec3f(v[0] * 0.5f, v[1] + 2, v[2] - 2); }};
  Image deep{cv::Mat(1, 1, CV_16UC3, cv::Scalar(9, 9, 4003)), false, {}};
  CHECK(upscale_image(fake.network(), deep, {}).image.pixels.at<cv::Vec3w>(0, 0) == cv::Vec3w(0, 65535, 2002));
  Image flat{cv::Mat(1, 1, CV_8UC3, cv::Scalar(9, 9, 101)), false, {}};
  CHECK(upscale_image(fake.network(), flat, {}).image.pixels.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 255, 51));
}

TEST_CASE("grey stays grey: the mean of the three outputs") {
  Fake fake{.colour = [](cv::Vec3f v) { return cv::Vec3f(v[0] + 0.3f, v[1], v[2] - 0.3f); }};
  Image one{cv::Mat(4, 4, CV_8UC1, cv::Scalar(128)), true, {}};
  CHECK(same(upscale_image(fake.network(), one, {}).image.pixels, cv::Mat(8, 8, CV_8UC1, cv::Scalar(128))));
  Image four{cv::Mat(4, 4, CV_8UC4, cv::Scalar(128, 128, 128, 255)), true, {}};
  const Image up = upscale_image(fake.network(), four, {}).image;
  CHECK(up.grey);
  CHECK(same(up.pixels, cv::Mat(8, 8, CV_8UC4, cv::Scalar(128, 128, 128, 255))));
}

TEST_CASE("opaque alpha stays opaque, and the colour is that of the image without alpha") {
  for (int type : {CV_8UC3, CV_16UC3})
    for (int tile : {0, 8}) {
      const Image plain = noise(30, 21, type);
      Image opaque = plain;
      cv::cvtColor(plain.pixels, opaque.pixels, cv::COLOR_BGR2BGRA);
      // Overshoots and statistics must not touch it either.
      Fake fake{.radius = 2, .statistic = 0.1, .colour = [](cv::Vec3f v) { return v * 1.2f - cv::Vec3f(0.05f, 0.1f, 0); }};
      const cv::Mat expected = upscale_image(fake.network(), plain, {.tile = tile}).image.pixels;
      std::vector<cv::Mat> planes;
      cv::split(upscale_image(fake.network(), opaque, {.tile = tile}).image.pixels, planes);
      CHECK(cv::countNonZero(planes[3] != (type == CV_8UC3 ? 255 : 65535)) == 0);
      cv::Mat colour;
      cv::merge(std::vector<cv::Mat>{planes[0], planes[1], planes[2]}, colour);
      CHECK(same(colour, expected));
    }
}

TEST_CASE("edges of transparency have no halo, and clear areas stay clear") {
  // A network that blurs widely and treats channels differently: the worst for quotients of small numbers.
  Fake fake{.radius = 3, .colour = [](cv::Vec3f v) { return cv::Vec3f(v[0] * 1.1f - 0.02f, v[1], v[2] * 0.9f + 0.01f); }};
  for (double soft : {1.0, 6.0})
    for (int tile : {0, 16}) {
      const Image in = disc(48, {20, 60, 200}, {255, 255, 255}, soft);
      const cv::Mat up = upscale_image(fake.network(), in, {.tile = tile}).image.pixels;
      int seen = 0;
      for (int y = 0; y < up.rows; ++y)
        for (int x = 0; x < up.cols; ++x) {
          const cv::Vec4b v = up.at<cv::Vec4b>(y, x);
          const bool near_edge = v[3] > 0 && v[3] < 255;
          if (v[3] == 0) REQUIRE(v == cv::Vec4b(0, 0, 0, 0));
          if (near_edge) REQUIRE(cv::Vec3b(v[0], v[1], v[2]) == cv::Vec3b(20, 60, 200));
          seen += near_edge;
        }
      CHECK(seen > 50);
      CHECK(up.at<cv::Vec4b>(0, 0)[3] == 0);
      CHECK(up.at<cv::Vec4b>(48, 48)[3] == 255);
    }
}

TEST_CASE("a white shape stays white to its last pixel") {
  Fake fake{.radius = 2, .statistic = 0.05};
  const cv::Mat up = upscale_image(fake.network(), disc(40, {255, 255, 255}, {0, 0, 0}, 3), {.tile = 12}).image.pixels;
  for (int y = 0; y < up.rows; ++y)
    for (int x = 0; x < up.cols; ++x)
      if (const cv::Vec4b v = up.at<cv::Vec4b>(y, x); v[3] > 0) REQUIRE(cv::Vec3b(v[0], v[1], v[2]) == cv::Vec3b(255, 255, 255));
}

TEST_CASE("tiled equals untiled, exactly without statistics and closely with them") {
  for (int radius : {0, 1, 5})
    for (int tile : {1, 7, 16, 33}) {
      const Image image = noise(61, 45, CV_16UC3);
      const Fake local{.radius = radius}, global{.radius = radius, .statistic = 0.2};
      CAPTURE(radius, tile);
      CHECK(same(upscale_image(local.network(), image, {.tile = tile}).image.pixels,
                 upscale_image(local.network(), image, {.tile = 0}).image.pixels));
      // 61x45 is covered by the samples, so their mean is that of the image.
      CHECK(difference(upscale_image(global.network(), image, {.tile = tile}).image.pixels,
                       upscale_image(global.network(), image, {.tile = 0}).image.pixels) <=
            (tile >= 12 ? 1 : 65535 * 0.2 * 0.05));
    }
}

TEST_CASE("the automatic tile follows the memory budget and changes no pixel") {
  // Twice as much where the network has statistics of the whole picture.
  for (const bool statistics : {false, true}) {
    UpscaleBackend network = Fake{.radius = 4}.network();
    if (!statistics) network.facts.statistics.clear();
    const Image image = noise(150, 90, CV_8UC3);
    const cv::Mat expected = upscale_image(network, image, {}).image.pixels;
    std::int64_t most = 0;
    network.bytes_per_pixel = (std::size_t{512} << (statistics ? 21 : 20)) / 2500;
    network.run = [&most, inner = network.run](const Tensor& x, const Model::RunOptions& o) {
      most = std::max(most, x.dim(2) * x.dim(3));
      return inner(x, o);
    };
    CHECK(same(upscale_image(network, image, {}).image.pixels, expected));
    CHECK(most <= 2500);
    CHECK(most > 1600);
  }
}

TEST_CASE("self-ensemble is the mean over the eight flips") {
  // Depends on the position in the window, so that a result turned back wrongly shows.
  UpscaleBackend network = Fake{.scale = 2}.network();
  network.run = [](const Tensor& x, const Model::RunOptions&) {
    Model::Result r = Fake{.scale = 2}.run(x, {});
    const auto h = static_cast<int>(x.dim(2)) * 2, w = static_cast<int>(x.dim(3)) * 2;
    cv::Mat out(h, w, CV_32FC3, r.output.data<float>());
    out.forEach<cv::Vec3f>([&](cv::Vec3f& v, const int* at) {
      v = cv::Vec3f::all(static_cast<float>(at[0]) / 64 + static_cast<float>(at[1] * at[1]) / 4096 + v[0] / 4);
    });
    return r;
  };
  const int h = 7, w = 5;
  const Image image = noise(w, h, CV_16UC3);
  const cv::Mat up = upscale_image(network, image, {.self_ensemble = true}).image.pixels;
  for (int y = 0; y < 2 * h; ++y)
    for (int x = 0; x < 2 * w; ++x) {
      double sum = 0;
      for (int mirror_y : {y, 2 * h - 1 - y})
        for (int mirror_x : {x, 2 * w - 1 - x})
          for (auto [a, b] : {std::pair{mirror_y, mirror_x}, {mirror_x, mirror_y}}) sum += a / 64.0 + b * b / 4096.0;
      const double red = image.pixels.at<cv::Vec3w>(y / 2, x / 2)[2] / 65535.0;
      REQUIRE(std::abs(up.at<cv::Vec3w>(y, x)[0] - 65535 * std::min(1.0, sum / 8 + red / 4)) <= 1);
    }
}

TEST_CASE("a network of another range and order of colours sees its own and gives the same picture") {
  const Image image = noise(9, 7, CV_16UC3);
  for (const bool ensemble : {false, true}) {
    UpscaleBackend network = Fake{.radius = 1}.network();
    const cv::Mat expected = upscale_image(network, image, {.self_ensemble = ensemble}).image.pixels;
    network.preprocess.mean = {0.5, 0.25, 0};
    network.preprocess.stddev = {1.0 / 255, 1.0 / 255, 1.0 / 100};
    network.preprocess.colour = Preprocess::Colour::bgr;
    cv::Vec3f corner;
    network.run = [&](const Tensor& x, const Model::RunOptions& o) {
      Tensor own = x.clone();
      cv::Mat pixels(static_cast<int>(x.dim(2)), static_cast<int>(x.dim(3)), CV_32FC3, own.data<float>());
      corner = pixels.at<cv::Vec3f>(0, 0);
      // Black in the network's range, so that the filter has black outside the picture, as it had before.
      const cv::Scalar black(-0.5 * 255, -0.25 * 255, 0);
      pixels -= black;
      Model::Result r = Fake{.radius = 1}.run(own, o);
      cv::Mat out(pixels.rows * 2, pixels.cols * 2, CV_32FC3, r.output.data<float>());
      out += black;
      return r;
    };
    cv::Mat difference;
    cv::absdiff(upscale_image(network, image, {.self_ensemble = ensemble}).image.pixels, expected, difference);
    double most = 0;
    cv::minMaxLoc(difference.reshape(1), nullptr, &most);
    CHECK(most <= 1);
    if (ensemble) continue;
    const cv::Vec3w first = image.pixels.at<cv::Vec3w>(0, 0);  // BGR, as the network takes it
    CHECK(corner[0] == Approx((first[0] / 65535.0 - 0.5) * 255).margin(1e-4));
    CHECK(corner[1] == Approx((first[1] / 65535.0 - 0.25) * 255).margin(1e-4));
    CHECK(corner[2] == Approx(first[2] / 65535.0 * 100).margin(1e-4));
  }
}

TEST_CASE("one bright pixel lights exactly its own place in the map, tiled or not") {
  for (int scale : {2, 3, 4})
    for (int factor : {1, scale})
      for (int tile : {-1, 0, 5})
        for (bool ensemble : {false, true}) {
          Image image{cv::Mat(19, 26, CV_8UC3, cv::Scalar(0, 0, 0)), false, {}};
          image.pixels.at<cv::Vec3b>(11, 8) = {0, 0, 255};
          const Fake fake{.scale = scale, .radius = 1, .map_factor = factor};
          const auto maps = upscale_image(fake.network(), image, {.tile = tile, .self_ensemble = ensemble, .maps = true}).maps;
          CAPTURE(scale, factor, tile, ensemble);
          REQUIRE(maps.size() == 1);
          CHECK(maps[0].name == "block.gate");
          cv::Mat expected = cv::Mat::zeros(19 * scale, 26 * scale, CV_32F);
          expected(cv::Rect(8 * scale, 11 * scale, scale, scale)) = 2.0f;  // the mean of 1 and 3
          CHECK(same(maps[0].heat, expected));
        }
}

TEST_CASE("maps and shared alpha statistics come from one run") {
  const Image in = disc(24, {0, 0, 255}, {0, 0, 0}, 2);
  int runs = 0;
  UpscaleBackend network = Fake{.statistic = 0.05}.network();
  network.run = [&runs, inner = network.run](const Tensor& x, const Model::RunOptions& o) {
    ++runs;
    return inner(x, o);
  };
  const Upscaled up = upscale_image(network, in, {.maps = true});
  CHECK(runs == 2);  // colour and alpha
  CHECK(up.maps.size() == 1);
}

TEST_CASE("upscaling refuses what it cannot do") {
  const UpscaleBackend network = Fake{}.network();
  CHECK_THROWS_AS(upscale_image(network, Image{}, {}), Error);
  CHECK_THROWS_AS(upscale_image(network, Image{cv::Mat(2, 2, CV_32FC3, cv::Scalar(0)), false, {}}, {}), Error);
  CHECK_THROWS_AS(upscale_image(network, Image{cv::Mat(2, 2, CV_8UC2, cv::Scalar(0)), false, {}}, {}), Error);
  CHECK_THROWS_AS(upscale_image(network, noise(2, 2, CV_8UC3), {.tile = -2}), Error);
  Fake broken{.colour = [](cv::Vec3f) { return cv::Vec3f::all(std::numeric_limits<float>::quiet_NaN()); }};
  CHECK_THROWS_AS(upscale_image(broken.network(), noise(2, 2, CV_8UC3), {}), Error);
  UpscaleBackend wrong = Fake{}.network();
  wrong.facts.scale = 3;
  CHECK_THROWS_AS(upscale_image(wrong, noise(2, 2, CV_8UC3), {}), Error);
}
