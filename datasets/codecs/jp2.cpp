// JPEG 2000 as a picture: grey and colours of up to 16 bits.
#include <algorithm>

#include "datasets/codecs/jp2_decompress.hpp"

namespace fovea::codec {
namespace {

// What the pixels are, from how many components there are and which of them is alpha.
struct Layout {
  int colours = 1, alpha = -1;
};

Layout layout_of(const opj_image_t& image, const std::string& name) {
  const auto count = static_cast<int>(image.numcomps);
  Layout layout;
  for (int i = 0; i < count; ++i)
    if (image.comps[i].alpha != 0 && layout.alpha < 0) layout.alpha = i;
  layout.colours = count - (layout.alpha >= 0);
  const bool known = image.color_space == OPJ_CLRSPC_SRGB || image.color_space == OPJ_CLRSPC_GRAY ||
                     image.color_space == OPJ_CLRSPC_UNKNOWN || image.color_space == OPJ_CLRSPC_UNSPECIFIED ||
                     image.color_space == OPJ_CLRSPC_SYCC;
  if (!known || (layout.colours != 1 && layout.colours != 3))
    unsupported(name, "a JPEG 2000 of ", count, " components in colour space ", static_cast<int>(image.color_space));
  for (int i = 0; i < count; ++i) {
    const opj_image_comp_t& c = image.comps[i];
    if (c.prec < 1 || c.prec > 16 || (c.sgnd && image.color_space != OPJ_CLRSPC_SYCC))
      unsupported(name, "a JPEG 2000 of ", c.prec, c.sgnd ? " signed" : "", " bits a sample");
    check(c.data != nullptr && c.w > 0 && c.h > 0 && c.dx > 0 && c.dy > 0, name, ": damaged JPEG 2000: a component is empty");
  }
  return layout;
}

// A sample between 0 and 1; components may be smaller than the picture.
double sample(const opj_image_t& image, int component, std::uint32_t x, std::uint32_t y) {
  const opj_image_comp_t &c = image.comps[component], &first = image.comps[0];
  const std::uint32_t u = std::min(x * first.dx / c.dx, c.w - 1), v = std::min(y * first.dy / c.dy, c.h - 1);
  const int top = (1 << c.prec) - 1, offset = c.sgnd ? 1 << (c.prec - 1) : 0;
  return static_cast<double>(std::clamp(c.data[std::size_t{v} * c.w + u] + offset, 0, top)) / top;
}

template <class T>
cv::Mat pixels_of(const opj_image_t& image, const Layout& layout) {
  constexpr double kTop = sizeof(T) == 1 ? 255 : 65535;
  const bool alpha = layout.alpha >= 0, ycc = image.color_space == OPJ_CLRSPC_SYCC && layout.colours == 3;
  const int channels = alpha ? 4 : layout.colours;
  int colour[3] = {0, 0, 0}, found = 0;
  for (int i = 0; i < static_cast<int>(image.numcomps) && found < 3; ++i)
    if (i != layout.alpha) colour[found++] = i;
  cv::Mat out(static_cast<int>(image.comps[0].h), static_cast<int>(image.comps[0].w),
              CV_MAKETYPE(sizeof(T) == 1 ? CV_8U : CV_16U, channels));
  const auto stored = [](double v) { return static_cast<T>(std::clamp(v, 0.0, 1.0) * kTop + 0.5); };
  for (int y = 0; y < out.rows; ++y) {
    T* to = out.ptr<T>(y);
    for (int x = 0; x < out.cols; ++x, to += channels) {
      const auto at = [&](int c) { return sample(image, c, static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y)); };
      double rgb[3] = {at(colour[0]), 0, 0};
      for (int c = 1; c < 3; ++c) rgb[c] = layout.colours == 3 ? at(colour[c]) : rgb[0];
      if (ycc) {
        const double luma = rgb[0], blue = rgb[1] - 0.5, red = rgb[2] - 0.5;
        rgb[0] = luma + 1.402 * red, rgb[1] = luma - 0.344136 * blue - 0.714136 * red, rgb[2] = luma + 1.772 * blue;
      }
      for (int c = 0; c < std::min(channels, 3); ++c) to[c] = stored(rgb[channels == 1 ? 0 : 2 - c]);
      if (alpha) to[3] = stored(at(layout.alpha));
    }
  }
  return out;
}

}  // namespace

Decoded decode_jp2(View bytes, const std::string& name) {
  const Jp2Image image = decompress_jp2(bytes, name);
  const Layout layout = layout_of(*image, name);
  bool deep = false;
  for (std::uint32_t i = 0; i < image->numcomps; ++i) deep |= image->comps[i].prec > 8;
  Decoded out;
  out.image.pixels = deep ? pixels_of<std::uint16_t>(*image, layout) : pixels_of<std::uint8_t>(*image, layout);
  out.image.grey = layout.colours == 1;
  if (image->icc_profile_buf && image->icc_profile_len > 0)
    out.image.icc.assign(image->icc_profile_buf, image->icc_profile_buf + image->icc_profile_len);
  return out;
}

}  // namespace fovea::codec
