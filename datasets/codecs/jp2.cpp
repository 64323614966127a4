// JPEG 2000 with OpenJPEG: files (JP2) and bare codestreams, grey and colours of up to 16 bits.
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

struct Source {
  View bytes;
  std::size_t at = 0;
};

constexpr auto kEnd = static_cast<OPJ_SIZE_T>(-1);

OPJ_SIZE_T read_some(void* to, OPJ_SIZE_T n, void* user) {
  auto* s = static_cast<Source*>(user);
  const std::size_t take = std::min(n, s->bytes.size() - s->at);
  if (take == 0) return kEnd;
  std::memcpy(to, s->bytes.data() + s->at, take);
  s->at += take;
  return take;
}
OPJ_OFF_T skip(OPJ_OFF_T n, void* user) {
  auto* s = static_cast<Source*>(user);
  if (n < 0) return -1;
  const std::size_t take = std::min(static_cast<std::size_t>(n), s->bytes.size() - s->at);
  s->at += take;
  return take == static_cast<std::size_t>(n) ? n : -1;
}
OPJ_BOOL seek(OPJ_OFF_T to, void* user) {
  auto* s = static_cast<Source*>(user);
  if (to < 0 || static_cast<std::size_t>(to) > s->bytes.size()) return OPJ_FALSE;
  s->at = static_cast<std::size_t>(to);
  return OPJ_TRUE;
}

std::string line_of(const char* text) {
  std::string line = text ? text : "";
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return line;
}

using Codec = std::unique_ptr<opj_codec_t, void (*)(opj_codec_t*)>;
using Stream = std::unique_ptr<opj_stream_t, void (*)(opj_stream_t*)>;
using Picture = std::unique_ptr<opj_image_t, void (*)(opj_image_t*)>;

Stream stream_of(Source& source) {
  Stream stream(opj_stream_create(OPJ_J2K_STREAM_CHUNK_SIZE, OPJ_TRUE), opj_stream_destroy);
  if (!stream) throw std::bad_alloc();
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.bytes.size());
  opj_stream_set_read_function(stream.get(), read_some);
  opj_stream_set_skip_function(stream.get(), skip);
  opj_stream_set_seek_function(stream.get(), seek);
  return stream;
}

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
  std::string error;
  Source source{bytes};
  const Codec codec(opj_create_decompress(has_text(bytes, 0, "\xff\x4f") ? OPJ_CODEC_J2K : OPJ_CODEC_JP2), opj_destroy_codec);
  if (!codec) throw std::bad_alloc();
  opj_set_error_handler(
      codec.get(), [](const char* text, void* user) { *static_cast<std::string*>(user) = line_of(text); }, &error);
  opj_set_warning_handler(
      codec.get(), [](const char*, void*) {}, nullptr);
  opj_set_info_handler(
      codec.get(), [](const char*, void*) {}, nullptr);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  const auto need = [&](bool ok) { check(ok, name, ": damaged or truncated JPEG 2000: ", error); };
  need(opj_setup_decoder(codec.get(), &parameters));
  need(opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE));
  const Stream stream = stream_of(source);
  opj_image_t* raw = nullptr;
  const bool header = opj_read_header(stream.get(), codec.get(), &raw);
  const Picture image(raw, opj_image_destroy);
  need(header);
  constexpr std::int64_t kMostInByte = 1 << 16;
  check_size(std::int64_t{image->x1} - image->x0, std::int64_t{image->y1} - image->y0, name, most_pixels(bytes, kMostInByte));
  need(opj_decode(codec.get(), stream.get(), image.get()));
  need(opj_end_decompress(codec.get(), stream.get()));
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
