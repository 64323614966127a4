// JPEG with libjpeg itself: its warnings tell damage, which other readers show as grey rows or shifted colours.
#include <cstdio>  // before jpeglib.h, which needs FILE

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <csetjmp>
#include <cstdlib>
#include <cstring>

#include "datasets/codecs/codec.hpp"

namespace fovea::codec {
namespace {

constexpr int kMostScans = 500;  // real files have about ten; each costs a walk over the image

// libjpeg leaves by longjmp: between setjmp and the last call no object with a destructor is made in those functions.
struct Errors {
  jpeg_error_mgr base{};  // first: libjpeg knows this address only
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";

  Errors() {
    jpeg_std_error(&base);
    base.error_exit = [](j_common_ptr c) { leave(c); };
    base.output_message = [](j_common_ptr) {};
    base.emit_message = [](j_common_ptr c, int level) {
      if (level < 0 && is_damage(c->err->msg_code)) leave(c);
    };
  }
  static bool is_damage(int code) {
    switch (code) {
      case JWRN_JPEG_EOF:
      case JWRN_HIT_MARKER:
      case JWRN_HUFF_BAD_CODE:
      case JWRN_ARITH_BAD_CODE:
      case JWRN_MUST_RESYNC:
      case JWRN_BOGUS_PROGRESSION: return true;
      default: return false;
    }
  }
  [[noreturn]] static void leave(j_common_ptr c) {
    auto* self = reinterpret_cast<Errors*>(c->err);
    c->err->format_message(c, self->message);
    std::longjmp(self->jump, 1);
  }
};

struct Decompressor {
  jpeg_decompress_struct c{};
  Errors errors;
  jpeg_progress_mgr progress{};

  Decompressor() { c.err = &errors.base; }
  ~Decompressor() { jpeg_destroy_decompress(&c); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
};

// Gives libjpeg the file in pieces. On a long buffer libjpeg-turbo decodes without looking whether a code exists; on the last bytes of
// one it looks, and pieces this short have only last bytes. It costs nothing that can be measured.
class Pieces {
 public:
  explicit Pieces(View bytes) : rest_(bytes) {
    base_.init_source = [](j_decompress_ptr) {};
    base_.fill_input_buffer = [](j_decompress_ptr c) -> boolean { return reinterpret_cast<Pieces*>(c->src)->fill(c); };
    base_.skip_input_data = [](j_decompress_ptr c, long n) { reinterpret_cast<Pieces*>(c->src)->skip(n); };
    base_.resync_to_restart = jpeg_resync_to_restart;
    base_.term_source = [](j_decompress_ptr) {};
  }
  jpeg_source_mgr* get() { return &base_; }

 private:
  boolean fill(j_decompress_ptr c) {
    if (rest_.empty()) {  // an end of its own lets the decoder finish where the warning does not stop it
      WARNMS(c, JWRN_JPEG_EOF);
      static constexpr JOCTET kEnd[] = {0xff, JPEG_EOI};
      base_.next_input_byte = kEnd;
      base_.bytes_in_buffer = sizeof kEnd;
      return TRUE;
    }
    const std::size_t n = std::min<std::size_t>(rest_.size(), kPiece);
    base_.next_input_byte = rest_.data();
    base_.bytes_in_buffer = n;
    rest_ = rest_.subspan(n);
    return TRUE;
  }
  void skip(long n) {
    if (n <= 0) return;
    const auto count = static_cast<std::size_t>(n), here = std::min(count, base_.bytes_in_buffer);
    base_.next_input_byte += here;
    base_.bytes_in_buffer -= here;
    rest_ = rest_.subspan(std::min(count - here, rest_.size()));
  }

  static constexpr std::size_t kPiece = 256;  // below 512, the bytes for a block that libjpeg-turbo wants for its fast way

  jpeg_source_mgr base_{};  // first: libjpeg knows this address only
  View rest_;
};

void limit_scans(j_common_ptr c) {
  if (reinterpret_cast<j_decompress_ptr>(c)->input_scan_number > kMostScans) ERREXIT(c, JERR_BAD_PROGRESSION);
}

bool read_header(Decompressor& d, Pieces& pieces) {
  if (setjmp(d.errors.jump)) return false;
  jpeg_create_decompress(&d.c);
  d.progress.progress_monitor = limit_scans;
  d.c.progress = &d.progress;
  d.c.src = pieces.get();
  jpeg_save_markers(&d.c, JPEG_APP0 + 1, 0xffff);  // EXIF
  jpeg_save_markers(&d.c, JPEG_APP0 + 2, 0xffff);  // ICC
  jpeg_read_header(&d.c, TRUE);
  return true;
}

bool start(Decompressor& d) {
  if (setjmp(d.errors.jump)) return false;
  const auto space = d.c.jpeg_color_space;
  if (space == JCS_GRAYSCALE) d.c.out_color_space = JCS_GRAYSCALE;
  else if (space == JCS_CMYK || space == JCS_YCCK) d.c.out_color_space = JCS_CMYK;
  else d.c.out_color_space = JCS_EXT_BGR;
  d.c.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&d.c);
  return true;
}

bool read_pixels(Decompressor& d, const cv::Mat& pixels) {
  if (setjmp(d.errors.jump)) return false;
  while (d.c.output_scanline < d.c.output_height) {
    JSAMPROW row = const_cast<JSAMPROW>(pixels.ptr(static_cast<int>(d.c.output_scanline)));
    jpeg_read_scanlines(&d.c, &row, 1);
  }
  jpeg_finish_decompress(&d.c);
  return true;
}

bool read_icc(Decompressor& d, JOCTET** data, unsigned* size) {
  if (setjmp(d.errors.jump)) return false;
  return jpeg_read_icc_profile(&d.c, data, size);
}

void read_metadata(Decompressor& d, Decoded& out) {
  for (auto* m = d.c.marker_list; m && out.orientation == 1; m = m->next)
    if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && std::memcmp(m->data, "Exif\0", 6) == 0)
      out.orientation = exif_orientation(View(m->data, m->data_length));
  JOCTET* data = nullptr;
  unsigned size = 0;
  if (read_icc(d, &data, &size)) {
    out.image.icc.assign(data, data + size);
    std::free(data);
  }
}

// Without a colour-managed path the usual estimate: each ink times black. Adobe's files hold ink inverted.
cv::Mat from_cmyk(const cv::Mat& cmyk, bool inverted) {
  cv::Mat bgr(cmyk.size(), CV_8UC3);
  for (int y = 0; y < cmyk.rows; ++y) {
    const auto* from = cmyk.ptr<cv::Vec4b>(y);
    auto* to = bgr.ptr<cv::Vec3b>(y);
    for (int x = 0; x < cmyk.cols; ++x) {
      const auto light = [&](int i) { return inverted ? from[x][i] : 255 - from[x][i]; };
      for (int i = 0; i < 3; ++i) to[x][i] = static_cast<std::uint8_t>((light(2 - i) * light(3) + 127) / 255);
    }
  }
  return bgr;
}

// Kinds of JPEG that libjpeg does not decode: no damage.
void refuse_kind(const Decompressor& d, const std::string& name) {
  constexpr int kLossless[] = {0xc3, 0xc7, 0xcb, 0xcf}, kHierarchical[] = {0xc5, 0xc6, 0xcd, 0xce};
  const auto& parameters = d.errors.base.msg_parm.i;
  const auto is = [&](const auto& kinds) {
    return std::find(std::begin(kinds), std::end(kinds), parameters[0]) != std::end(kinds);
  };
  switch (d.errors.base.msg_code) {
    case JERR_BAD_PRECISION: unsupported(name, "a JPEG of ", parameters[0], " bits a sample");
    case JERR_SOF_UNSUPPORTED:
      unsupported(name,
                  is(kLossless)       ? "a lossless JPEG"
                  : is(kHierarchical) ? "a hierarchical JPEG"
                                      : "a JPEG of an unknown process",
                  " (SOF", parameters[0] - 0xc0, ")");
    case JERR_ARITH_NOTIMPL: unsupported(name, "a JPEG of arithmetic coding");
    case JERR_COMPONENT_COUNT: unsupported(name, "a JPEG of ", parameters[0], " channels");
    case JERR_CONVERSION_NOTIMPL: unsupported(name, "a JPEG of ", d.c.num_components, " channels in this colour space");
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_CCIR601_NOTIMPL: unsupported(name, "a JPEG of uncommon colour sampling: ", d.errors.message);
    default: return;
  }
}

bool read_codes(Decompressor& d) {
  if (setjmp(d.errors.jump)) return false;
  jpeg_read_coefficients(&d.c);
  jpeg_finish_decompress(&d.c);
  return true;
}

struct Compressor {
  jpeg_compress_struct c{};
  Errors errors;
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  Compressor() { c.err = &errors.base; }
  ~Compressor() {
    jpeg_destroy_compress(&c);
    std::free(bytes);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
};

bool write(Compressor& w, const cv::Mat& pixels, const Buffer& icc, int quality) {
  if (setjmp(w.errors.jump)) return false;
  jpeg_create_compress(&w.c);
  jpeg_mem_dest(&w.c, &w.bytes, &w.size);
  w.c.image_width = static_cast<JDIMENSION>(pixels.cols);
  w.c.image_height = static_cast<JDIMENSION>(pixels.rows);
  w.c.input_components = pixels.channels();
  w.c.in_color_space = pixels.channels() == 1 ? JCS_GRAYSCALE : JCS_EXT_BGR;
  jpeg_set_defaults(&w.c);
  jpeg_set_quality(&w.c, quality, TRUE);
  if (quality >= 90) w.c.comp_info[0].h_samp_factor = w.c.comp_info[0].v_samp_factor = 1;  // colour at full resolution
  jpeg_start_compress(&w.c, TRUE);
  if (!icc.empty()) jpeg_write_icc_profile(&w.c, icc.data(), static_cast<unsigned>(icc.size()));
  while (w.c.next_scanline < w.c.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(pixels.ptr(static_cast<int>(w.c.next_scanline)));
    jpeg_write_scanlines(&w.c, &row, 1);
  }
  jpeg_finish_compress(&w.c);
  return true;
}

}  // namespace

Decoded decode_jpeg(View bytes, const std::string& name) {
  Decompressor d;
  Pieces pieces(bytes);
  const auto need = [&](bool ok) {
    if (ok) return;
    refuse_kind(d, name);
    fail(name, ": damaged or truncated JPEG: ", d.errors.message);
  };
  need(read_header(d, pieces));
  // A block of 64 pixels takes a bit at least; arithmetic coding may take less.
  const std::int64_t most = static_cast<std::int64_t>(bytes.size()) * (d.c.arith_code ? 64 * 512 : 512);
  check_size(d.c.image_width, d.c.image_height, name, most);
  Decoded out;
  read_metadata(d, out);  // finishing frees the markers
  need(start(d));
  out.image.pixels.create(static_cast<int>(d.c.output_height), static_cast<int>(d.c.output_width), CV_8UC(d.c.output_components));
  need(read_pixels(d, out.image.pixels));
  out.image.grey = d.c.out_color_space == JCS_GRAYSCALE;
  if (d.c.out_color_space == JCS_CMYK) {
    out.image.pixels = from_cmyk(out.image.pixels, d.c.saw_Adobe_marker);
    out.image.icc.clear();  // it described the inks
  }
  return out;
}

std::string jpeg_damage(View bytes) {
  Decompressor d;
  Pieces pieces(bytes);
  if (!read_header(d, pieces)) return d.errors.message;
  const std::int64_t pixels = std::int64_t{d.c.image_width} * d.c.image_height;
  if (d.c.arith_code || pixels / 512 > static_cast<std::int64_t>(bytes.size())) return {};
  return read_codes(d) ? std::string() : d.errors.message;
}

Buffer encode_jpeg(const Image& image, const EncodeOptions& options) {
  Compressor w;
  check(write(w, image.pixels, image.icc, options.jpeg_quality), "JPEG: cannot be written: ", w.errors.message);
  return Buffer(w.bytes, w.bytes + w.size);
}

}  // namespace fovea::codec
