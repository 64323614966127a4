// GIF with giflib: the first frame on its canvas, transparent where it says so and where no frame lies.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

int read_some(GifFileType* gif, GifByteType* to, int n) {
  auto* rest = static_cast<View*>(gif->UserData);
  const std::size_t take = std::min(rest->size(), static_cast<std::size_t>(std::max(n, 0)));
  if (take) std::memcpy(to, rest->data(), take);
  *rest = rest->subspan(take);
  return static_cast<int>(take);
}

struct Closer {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

class Reader {
 public:
  Reader(View bytes, const std::string& name) : rest_(bytes), name_(name), size_(static_cast<std::int64_t>(bytes.size())) {
    int error = 0;
    gif_.reset(DGifOpen(&rest_, read_some, &error));
    check(gif_ != nullptr, name_, ": damaged or truncated GIF: ", text_of(error));
  }

  Decoded read() {
    Decoded out;
    std::size_t frames = 0;
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (need(DGifGetRecordType(gif_.get(), &record)), record != TERMINATE_RECORD_TYPE) {
      if (record == EXTENSION_RECORD_TYPE) read_extension();
      if (record != IMAGE_DESC_RECORD_TYPE) continue;
      need(DGifGetImageDesc(gif_.get()));
      if (frames++ == 0) out.image.pixels = frame();
      else skip_frame();
    }
    check(frames > 0, name_, ": damaged GIF: it holds no picture");
    if (frames > 1) out.image.notes.push_back("the first of " + std::to_string(frames) + " frames is read");
    return out;
  }

 private:
  static std::string text_of(int error) {
    const char* text = GifErrorString(error);
    return text ? text : "it cannot be read";
  }
  void need(int result) const { check(result != GIF_ERROR, name_, ": damaged or truncated GIF: ", text_of(gif_->Error)); }

  void read_extension() {
    int code = 0;
    GifByteType* block = nullptr;
    need(DGifGetExtension(gif_.get(), &code, &block));
    if (code == GRAPHICS_EXT_FUNC_CODE && block) {
      GraphicsControlBlock control;
      if (DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) transparent_ = control.TransparentColor;
    }
    while (block) need(DGifGetExtensionNext(gif_.get(), &block));
  }

  void skip_frame() {
    int code_size = 0;
    GifByteType* block = nullptr;
    need(DGifGetCode(gif_.get(), &code_size, &block));
    while (block) need(DGifGetCodeNext(gif_.get(), &block));
  }

  cv::Mat indices() {
    const GifImageDesc& d = gif_->Image;
    cv::Mat out(d.Height, d.Width, CV_8UC1);
    constexpr int kFirst[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
    for (int pass = 0; pass < (d.Interlace ? 4 : 1); ++pass)
      for (int y = d.Interlace ? kFirst[pass] : 0; y < d.Height; y += d.Interlace ? kStep[pass] : 1)
        need(DGifGetLine(gif_.get(), out.ptr(y), d.Width));
    return out;
  }

  cv::Mat frame() {
    const GifImageDesc& d = gif_->Image;
    const cv::Size canvas(std::max(gif_->SWidth, d.Left + d.Width), std::max(gif_->SHeight, d.Top + d.Height));
    check_size(d.Width, d.Height, name_);
    check_size(canvas.width, canvas.height, name_, size_ * 4096);  // a code of 12 bits stands for up to 4095 pixels
    const ColorMapObject* colours = d.ColorMap ? d.ColorMap : gif_->SColorMap;
    if (!colours) unsupported(name_, "a GIF without a palette");
    const int count = colours->ColorCount, transparent = transparent_;
    const cv::Mat index = indices();
    double largest = 0;
    cv::minMaxLoc(index, nullptr, &largest);
    check(largest < count || largest == transparent, name_, ": damaged GIF: a pixel has colour ", largest, " of a palette of ",
          count);
    const bool alpha = transparent != NO_TRANSPARENT_COLOR || canvas != index.size();
    cv::Mat out = cv::Mat::zeros(canvas, alpha ? CV_8UC4 : CV_8UC3);
    for (int y = 0; y < index.rows; ++y) {
      const std::uint8_t* from = index.ptr(y);
      std::uint8_t* to = out.ptr(y + d.Top, d.Left);
      for (int x = 0; x < index.cols; ++x, to += out.channels()) {
        if (from[x] == transparent) continue;
        const GifColorType& c = colours->Colors[from[x]];
        to[0] = c.Blue, to[1] = c.Green, to[2] = c.Red;
        if (alpha) to[3] = 255;
      }
    }
    return out;
  }

  View rest_;
  const std::string& name_;
  std::int64_t size_;
  std::unique_ptr<GifFileType, Closer> gif_;
  int transparent_ = NO_TRANSPARENT_COLOR;
};

}  // namespace

Decoded decode_gif(View bytes, const std::string& name) { return Reader(bytes, name).read(); }

}  // namespace fovea::codec
