// HEIC and AVIF with libheif, the primary picture, turned by libheif itself: 8 bits, or 16 where the file has more than 8.
#include <libheif/heif.h>

#include <memory>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

template <class T, void (*F)(T*)>
struct Free {
  void operator()(T* p) const { F(p); }
};
using Context = std::unique_ptr<heif_context, Free<heif_context, heif_context_free>>;
struct FreeHandle {
  void operator()(const heif_image_handle* p) const { heif_image_handle_release(p); }
};
struct FreeImage {
  void operator()(const heif_image* p) const { heif_image_release(p); }
};

void read_profile(const heif_image_handle* handle, Decoded& out) {
  const heif_color_profile_type type = heif_image_handle_get_color_profile_type(handle);
  if (type != heif_color_profile_type_rICC && type != heif_color_profile_type_prof) return;
  out.image.icc.resize(heif_image_handle_get_raw_color_profile_size(handle));
  if (heif_image_handle_get_raw_color_profile(handle, out.image.icc.data()).code != heif_error_Ok) out.image.icc.clear();
}

// Rows of RGB or RGBA; 10 and 12 bits stand in the lower bits of 16.
cv::Mat pixels_of(const heif_image* image, cv::Size size, bool alpha, int bits, const std::string& name) {
  int stride = 0;
  const std::uint8_t* plane = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
  const int type = CV_MAKETYPE(bits > 8 ? CV_16U : CV_8U, alpha ? 4 : 3);
  check(plane != nullptr && stride >= size.width * CV_ELEM_SIZE(type), name, ": damaged HEIC or AVIF: it has no pixels");
  const cv::Mat rgb(size, type, const_cast<std::uint8_t*>(plane), static_cast<std::size_t>(stride));
  cv::Mat out;
  cv::cvtColor(rgb, out, alpha ? cv::COLOR_RGBA2BGRA : cv::COLOR_RGB2BGR);
  if (bits > 8) out.convertTo(out, -1, 65535.0 / ((1 << bits) - 1));
  return out;
}

}  // namespace

Decoded decode_heif(View bytes, const std::string& name) {
  const auto need = [&](const heif_error& e) {
    if (e.code == heif_error_Ok) return;
    if (e.code == heif_error_Unsupported_feature || e.code == heif_error_Unsupported_filetype)
      unsupported(name, "a HEIC or AVIF of which libheif says: ", e.message);
    fail(name, ": damaged or truncated HEIC or AVIF: ", e.message);
  };
  const Context context(heif_context_alloc());
  if (!context) throw std::bad_alloc();
  need(heif_context_read_from_memory_without_copy(context.get(), bytes.data(), bytes.size(), nullptr));
  heif_image_handle* raw_handle = nullptr;
  need(heif_context_get_primary_image_handle(context.get(), &raw_handle));
  const std::unique_ptr<const heif_image_handle, FreeHandle> handle(raw_handle);
  constexpr std::int64_t kMostInByte = 1 << 16;
  check_size(heif_image_handle_get_width(handle.get()), heif_image_handle_get_height(handle.get()), name,
             most_pixels(bytes, kMostInByte));
  const bool alpha = heif_image_handle_has_alpha_channel(handle.get()) != 0;
  const bool deep = heif_image_handle_get_luma_bits_per_pixel(handle.get()) > 8;
  const heif_chroma chroma = deep ? (alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE)
                                  : (alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB);
  heif_image* raw_image = nullptr;
  need(heif_decode_image(handle.get(), &raw_image, heif_colorspace_RGB, chroma, nullptr));
  const std::unique_ptr<const heif_image, FreeImage> image(raw_image);
  const cv::Size size(heif_image_get_width(image.get(), heif_channel_interleaved),
                      heif_image_get_height(image.get(), heif_channel_interleaved));
  check_size(size.width, size.height, name);
  const int bits = deep ? heif_image_get_bits_per_pixel_range(image.get(), heif_channel_interleaved) : 8;
  Decoded out;
  out.image.pixels = pixels_of(image.get(), size, alpha, bits, name);
  read_profile(handle.get(), out);
  const int count = heif_context_get_number_of_top_level_images(context.get());
  if (count > 1) out.image.notes.push_back("the main one of " + std::to_string(count) + " pictures is read");
  return out;
}

}  // namespace fovea::codec
