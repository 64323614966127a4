#include "modules/preprocess.hpp"

#include <algorithm>
#include <map>

namespace fovea {
namespace {

constexpr int kLargestSide = 16384, kMostChannels = 1024, kWidestContrast = 512;

template <class T>
T choice(Args& a, const std::string& key, const char* fallback, const std::map<std::string, T>& known, const std::string& text) {
  const std::string given = a.get(key, fallback, text);
  const auto it = known.find(given);
  if (it != known.end()) return it->second;
  std::string all;
  for (const auto& [name, value] : known) all += (all.empty() ? "" : ", ") + name;
  fail(a.where(), ": ", key, ": expected one of ", all, "; got '", given, "'");
}

std::vector<double> by_channel(Args& a, const std::string& key, const std::vector<double>& fallback, const std::string& text) {
  const auto v = a.numbers(key, fallback, text);
  const std::size_t channels = fallback.size();
  check(v.size() == 1 || v.size() == channels, a.where(), ": ", key, ": expected one number or ", channels, ", got ", v.size());
  return v.size() == channels ? v : std::vector<double>(channels, v[0]);
}

void read_range(Args& a, Preprocess& p) {
  using P = Preprocess;
  const auto window = a.numbers("window", {}, "of scans: [width, level] in the modality's units (HU for CT) become 0..1");
  p.range = choice<P::Range>(a, "range", window.empty() ? "depth" : "window",
                             {{"depth", P::Range::depth}, {"percentiles", P::Range::percentiles}, {"window", P::Range::window}},
                             "what becomes 0..1: all that the depth holds, the 1st to 99th percentile, or `window`");
  check((p.range == P::Range::window) == !window.empty(), a.where(), ": range: window and window: [width, level] go together");
  if (window.empty()) return;
  check(window.size() == 2 && window[0] > 0, a.where(), ": window: expected [width, level] with a width above 0");
  p.window_width = window[0], p.window_level = window[1];
}

void read_local_contrast(Args& a, Preprocess& p) {
  p.local_contrast = a.get("local_contrast", 0.0,
                           "of scans: values against their surroundings, by a Gaussian of so many pixels; 0: as they are");
  p.background = a.get("background", 0.0, "of local_contrast: what is not above it in any channel counts for nothing, 0..1");
  check(p.local_contrast == 0 || (p.local_contrast >= 1 && p.local_contrast <= kWidestContrast), a.where(),
        ": local_contrast: expected 0, or 1 to ", kWidestContrast, " pixels, got ", p.local_contrast);
  check(p.background >= 0 && p.background < 1, a.where(), ": background: expected a number in [0, 1), got ", p.background);
  check(p.local_contrast > 0 || !a.has("background"), a.where(), ": background: has no meaning without local_contrast");
}

// ImageNet's means over its three colours.
constexpr double kGreyMean = 0.449, kGreyStd = 0.226;

}  // namespace

Preprocess Preprocess::none(int channels) {
  Preprocess p;
  p.channels = channels;
  p.height = p.width = 0;
  p.resize = Resize::none;
  p.mean = p.pad = std::vector<double>(static_cast<std::size_t>(channels), 0);
  p.stddev = std::vector<double>(static_cast<std::size_t>(channels), 1);
  return p;
}

int read_channels(Args& a, int channels) {
  const int given = a.get("channels", channels, "of the network's input: 1 grey, 3 colour, or more");
  check(given > 0 && given <= kMostChannels, a.where(), ": channels: expected 1 to ", kMostChannels, ", got ", given);
  return given;
}

Preprocess read_preprocess(const Yaml& y, int channels) {
  using P = Preprocess;
  Args a = y.args();
  P p;
  p.channels = read_channels(a, channels);
  p.neighbours = a.get("neighbours", false, "of scans: the channels are slices that follow each other");
  check(!p.neighbours || (p.channels > 1 && p.channels % 2 == 1), a.where(),
        ": neighbours: expected an odd number of channels over 1, got ", p.channels);
  if (p.channels != 3 || p.neighbours) {
    p.mean.assign(static_cast<std::size_t>(p.channels), kGreyMean);
    p.stddev.assign(static_cast<std::size_t>(p.channels), kGreyStd);
  }
  const auto size = a.list("size", std::vector<int>{p.height, p.width}, "side in pixels, or [height, width]");
  check((size.size() == 1 || size.size() == 2) && *std::min_element(size.begin(), size.end()) > 0 &&
            *std::max_element(size.begin(), size.end()) <= kLargestSide,
        a.where(), ": size: expected a side or [height, width] from 1 to ", kLargestSide, " pixels");
  p.height = size.front(), p.width = size.back();
  p.resize = choice<P::Resize>(a, "resize", "crop",
                               {{"crop", P::Resize::crop},
                                {"letterbox", P::Resize::letterbox},
                                {"stretch", P::Resize::stretch},
                                {"none", P::Resize::none}},
                               "how the proportions are dealt with");
  if (p.resize == P::Resize::none) {
    check(!a.has("size"), a.where(), ": size: has no meaning with resize: none");
    p.height = p.width = 0;
  }
  p.crop_fraction = a.get("crop_fraction", p.crop_fraction, "of crop: how much of the shorter side is seen");
  check(p.crop_fraction > 0 && p.crop_fraction <= 1, a.where(), ": crop_fraction: expected a number in (0, 1], got ",
        p.crop_fraction);
  p.interpolation = choice<P::Interpolation>(
      a, "interpolation", "bilinear",
      {{"bilinear", P::Interpolation::bilinear}, {"area", P::Interpolation::area}, {"bicubic", P::Interpolation::bicubic}},
      "antialiased where it shrinks");
  p.colour = choice<P::Colour>(a, "colour", "rgb", {{"rgb", P::Colour::rgb}, {"bgr", P::Colour::bgr}}, "order of the channels");
  read_range(a, p);
  read_local_contrast(a, p);
  p.mean = by_channel(a, "mean", p.mean, "of the channels, 0..1");
  p.stddev = by_channel(a, "std", p.stddev, "of the channels, 0..1");
  check(*std::min_element(p.stddev.begin(), p.stddev.end()) > 0, a.where(), ": std: expected numbers above 0");
  p.pad = by_channel(a, "pad", p.mean, "colour of letterbox's border, 0..1");
  a.done();
  return p;
}

}  // namespace fovea
