// WebP with libwebp; profile and EXIF through its container library.
#include <webp/decode.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include <cstring>
#include <memory>
#include <opencv2/imgproc.hpp>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

using Mux = std::unique_ptr<WebPMux, void (*)(WebPMux*)>;

void read_metadata(const WebPData& file, Decoded& out) {
  const Mux mux(WebPMuxCreate(&file, 0), WebPMuxDelete);
  WebPData chunk{};
  if (!mux) return;
  if (WebPMuxGetChunk(mux.get(), "ICCP", &chunk) == WEBP_MUX_OK) out.image.icc.assign(chunk.bytes, chunk.bytes + chunk.size);
  if (WebPMuxGetChunk(mux.get(), "EXIF", &chunk) == WEBP_MUX_OK)
    out.orientation = exif_orientation(View(chunk.bytes, chunk.size));
}

Buffer with_profile(View picture, const Buffer& icc) {
  const Mux mux(WebPMuxNew(), WebPMuxDelete);
  const WebPData image{picture.data(), picture.size()}, profile{icc.data(), icc.size()};
  WebPData file{};
  const bool ok = mux && WebPMuxSetImage(mux.get(), &image, 0) == WEBP_MUX_OK &&
                  WebPMuxSetChunk(mux.get(), "ICCP", &profile, 0) == WEBP_MUX_OK &&
                  WebPMuxAssemble(mux.get(), &file) == WEBP_MUX_OK;
  const std::unique_ptr<WebPData, void (*)(WebPData*)> owner(&file, WebPDataClear);
  check(ok, "WebP: cannot be written: the profile cannot be added");
  return Buffer(file.bytes, file.bytes + file.size);
}

struct Picture : WebPPicture {
  Picture() { check(WebPPictureInit(this), "WebP: cannot be written: the installed libwebp is of another version"); }
  ~Picture() { WebPPictureFree(this); }
  Picture(const Picture&) = delete;
  Picture& operator=(const Picture&) = delete;
};

struct Memory : WebPMemoryWriter {
  Memory() { WebPMemoryWriterInit(this); }
  ~Memory() { WebPMemoryWriterClear(this); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
};

WebPConfig configure(int quality) {
  WebPConfig config;
  check(WebPConfigInit(&config), "WebP: cannot be written: the installed libwebp is of another version");
  if (quality > 100) {
    WebPConfigLosslessPreset(&config, 4);
    config.exact = 1;  // colours under full transparency are data too
  } else {
    config.quality = static_cast<float>(quality);
  }
  return config;
}

}  // namespace

Decoded decode_webp(View bytes, const std::string& name) {
  std::uint32_t length = 0;
  if (bytes.size() >= 8) std::memcpy(&length, bytes.data() + 4, 4);
  check(bytes.size() >= 8 && bytes.size() - 8 >= length, name, ": truncated WebP: it says ", length, " bytes, the file has ",
        bytes.size());
  WebPBitstreamFeatures features;
  check(WebPGetFeatures(bytes.data(), bytes.size(), &features) == VP8_STATUS_OK, name,
        ": damaged WebP: its header cannot be read");
  if (features.has_animation) unsupported(name, "an animated WebP; expected a single picture");
  constexpr std::int64_t kMostInByte = 4096;
  check_size(features.width, features.height, name, most_pixels(bytes, kMostInByte));
  Decoded out;
  cv::Mat& pixels = out.image.pixels;
  pixels.create(features.height, features.width, features.has_alpha ? CV_8UC4 : CV_8UC3);
  const auto decode = features.has_alpha ? WebPDecodeBGRAInto : WebPDecodeBGRInto;
  check(decode(bytes.data(), bytes.size(), pixels.data, pixels.total() * pixels.elemSize(), static_cast<int>(pixels.step)), name,
        ": damaged or truncated WebP");
  read_metadata(WebPData{bytes.data(), bytes.size()}, out);
  return out;
}

Buffer encode_webp(const Image& image, const EncodeOptions& options) {
  cv::Mat pixels = image.pixels;
  if (pixels.channels() == 1) cv::cvtColor(image.pixels, pixels, cv::COLOR_GRAY2BGR);  // the format knows no grey
  const WebPConfig config = configure(options.webp_quality);
  Picture picture;
  Memory memory;
  picture.width = pixels.cols;
  picture.height = pixels.rows;
  picture.use_argb = config.lossless;
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &memory;
  const auto import = pixels.channels() == 4 ? WebPPictureImportBGRA : WebPPictureImportBGR;
  if (!import(&picture, pixels.data, static_cast<int>(pixels.step))) throw std::bad_alloc();
  check(WebPEncode(&config, &picture), "WebP: cannot be written: error ", static_cast<int>(picture.error_code), " of libwebp");
  const View bytes(memory.mem, memory.size);
  return image.icc.empty() ? Buffer(bytes.begin(), bytes.end()) : with_profile(bytes, image.icc);
}

}  // namespace fovea::codec
