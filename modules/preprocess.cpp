#include "modules/preprocess.hpp"

#include <algorithm>
#include <map>

namespace fovea {
namespace {

constexpr int kLargestSide = 16384;

template <class T>
T choice(Args& a, const std::string& key, const char* fallback, const std::map<std::string, T>& known, const std::string& text) {
  const std::string given = a.get(key, fallback, text);
  const auto it = known.find(given);
  if (it != known.end()) return it->second;
  std::string all;
  for (const auto& [name, value] : known) all += (all.empty() ? "" : ", ") + name;
  fail(a.where(), ": ", key, ": expected one of ", all, "; got '", given, "'");
}

std::array<double, 3> three(Args& a, const std::string& key, const std::array<double, 3>& fallback, const std::string& text) {
  const auto v = a.numbers(key, {fallback.begin(), fallback.end()}, text);
  check(v.size() == 1 || v.size() == 3, a.where(), ": ", key, ": expected one number or three, got ", v.size());
  return v.size() == 3 ? std::array{v[0], v[1], v[2]} : std::array{v[0], v[0], v[0]};
}

}  // namespace

Preprocess read_preprocess(const Yaml& y) {
  using P = Preprocess;
  Args a = y.args();
  P p;
  const auto size = a.list("size", std::vector<int>{p.height, p.width}, "side in pixels, or [height, width]");
  check((size.size() == 1 || size.size() == 2) && *std::min_element(size.begin(), size.end()) > 0 &&
            *std::max_element(size.begin(), size.end()) <= kLargestSide,
        a.where(), ": size: expected a side or [height, width] from 1 to ", kLargestSide, " pixels");
  p.height = size.front(), p.width = size.back();
  p.resize = choice<P::Resize>(a, "resize", "crop",
                               {{"crop", P::Resize::crop}, {"letterbox", P::Resize::letterbox}, {"stretch", P::Resize::stretch}},
                               "how the proportions are dealt with");
  p.crop_fraction = a.get("crop_fraction", p.crop_fraction, "of crop: how much of the shorter side is seen");
  check(p.crop_fraction > 0 && p.crop_fraction <= 1, a.where(), ": crop_fraction: expected a number in (0, 1], got ",
        p.crop_fraction);
  p.interpolation = choice<P::Interpolation>(
      a, "interpolation", "bilinear",
      {{"bilinear", P::Interpolation::bilinear}, {"area", P::Interpolation::area}, {"bicubic", P::Interpolation::bicubic}},
      "antialiased where it shrinks");
  p.colour = choice<P::Colour>(a, "colour", "rgb", {{"rgb", P::Colour::rgb}, {"bgr", P::Colour::bgr}}, "order of the channels");
  p.mean = three(a, "mean", p.mean, "of the channels, 0..1");
  p.stddev = three(a, "std", p.stddev, "of the channels, 0..1");
  check(*std::min_element(p.stddev.begin(), p.stddev.end()) > 0, a.where(), ": std: expected numbers above 0");
  p.pad = three(a, "pad", p.mean, "colour of letterbox's border, 0..1");
  a.done();
  return p;
}

}  // namespace fovea
