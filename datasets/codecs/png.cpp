// PNG with libpng: 1 to 16 bit, palette, transparency, interlaced.
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>

#include "datasets/codecs/png_chunks.hpp"

namespace fovea::codec {
namespace {

constexpr std::size_t kMostProfile = std::size_t{1} << 26;  // bytes; the largest of printers have four million

// libpng leaves by longjmp: between setjmp and the last call no object with a destructor is made in those functions.
struct Png {
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool writing = false;
  char message[128] = "";

  explicit Png(bool write) : writing(write) {
    auto* create = write ? png_create_write_struct : png_create_read_struct;
    png = create(PNG_LIBPNG_VER_STRING, this, on_error, [](png_structp, png_const_charp) {});
    info = png ? png_create_info_struct(png) : nullptr;
  }
  ~Png() {
    if (writing) png_destroy_write_struct(&png, &info);
    else png_destroy_read_struct(&png, &info, nullptr);
  }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  static void on_error(png_structp png, png_const_charp text) {
    auto* self = static_cast<Png*>(png_get_error_ptr(png));
    std::strncpy(self->message, text, sizeof self->message - 1);
    png_longjmp(png, 1);
  }
};

struct Source {
  View rest;
  static void read(png_structp png, png_bytep to, png_size_t n) {
    auto* self = static_cast<Source*>(png_get_io_ptr(png));
    if (self->rest.size() < n) png_error(png, "it ends too early");
    std::memcpy(to, self->rest.data(), n);
    self->rest = self->rest.subspan(n);
  }
};

// Chunks that libpng is kept from: they hold nothing that it is needed for.
constexpr png_byte kSkipped[] =
    "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0sTER\0tEXt\0tIME\0zTXt";

bool read_header(Png& p, std::size_t most_chunk) {
  if (setjmp(png_jmpbuf(p.png))) return false;
  png_set_user_limits(p.png, 0x7fffffff, 0x7fffffff);  // ours is on the product, and follows
  png_set_chunk_malloc_max(p.png, most_chunk);
  png_set_keep_unknown_chunks(p.png, PNG_HANDLE_CHUNK_NEVER, kSkipped, sizeof kSkipped / 5);
  png_read_info(p.png, p.info);
  return true;
}

bool prepare(Png& p) {
  if (setjmp(png_jmpbuf(p.png))) return false;
  if (png_get_color_type(p.png, p.info) == PNG_COLOR_TYPE_PALETTE) {
    png_set_packing(p.png);  // an index a byte: libpng shows one that is not in the palette as black
    png_set_interlace_handling(p.png);
    png_read_update_info(p.png, p.info);
    return true;
  }
  png_set_expand(p.png);  // few bits to 8, tRNS to alpha
  if (png_get_color_type(p.png, p.info) == PNG_COLOR_TYPE_GRAY_ALPHA ||
      (!(png_get_color_type(p.png, p.info) & PNG_COLOR_MASK_COLOR) && png_get_valid(p.png, p.info, PNG_INFO_tRNS)))
    png_set_gray_to_rgb(p.png);
  png_set_bgr(p.png);
  png_set_swap(p.png);
  png_set_interlace_handling(p.png);
  png_read_update_info(p.png, p.info);
  return true;
}

bool read_pixels(Png& p, png_bytepp rows) {
  if (setjmp(png_jmpbuf(p.png))) return false;
  png_read_image(p.png, rows);
  png_read_end(p.png, p.info);
  return true;
}

void read_profile(Png& p, Decoded& out) {
  png_charp label = nullptr;
  png_bytep data = nullptr;
  png_uint_32 size = 0;
  int compression = 0;
  if (png_get_iCCP(p.png, p.info, &label, &compression, &data, &size)) out.image.icc.assign(data, data + size);
}

cv::Mat coloured(Png& p, const cv::Mat& indices, const std::string& name) {
  png_colorp colours = nullptr;
  png_bytep alpha = nullptr;
  int count = 0, alphas = 0;
  check(png_get_PLTE(p.png, p.info, &colours, &count), name, ": damaged PNG: it has no palette");
  png_get_tRNS(p.png, p.info, &alpha, &alphas, nullptr);
  std::array<cv::Vec4b, 256> table{};
  for (int i = 0; i < count; ++i)
    table[static_cast<std::size_t>(i)] = {colours[i].blue, colours[i].green, colours[i].red,
                                          i < alphas ? alpha[i] : png_byte{255}};
  double largest = 0;
  cv::minMaxLoc(indices, nullptr, &largest);
  check(largest < count, name, ": damaged PNG: a pixel has colour ", largest, " of a palette of ", count);
  cv::Mat out(indices.size(), alphas > 0 ? CV_8UC4 : CV_8UC3);
  const std::size_t channels = out.elemSize();
  for (int y = 0; y < out.rows; ++y) {
    const std::uint8_t* from = indices.ptr(y);
    std::uint8_t* to = out.ptr(y);
    for (int x = 0; x < out.cols; ++x, to += channels) std::memcpy(to, table[from[x]].val, channels);
  }
  return out;
}

// libpng calls these damaged.
void check_depth(View header, const std::string& name) {
  const int bits = header[8], colour = header[9];
  const bool known =
      bits == 8 || (bits == 16 && colour != 3) || ((bits == 1 || bits == 2 || bits == 4) && (colour == 0 || colour == 3));
  if (!known) unsupported(name, "a PNG of ", bits, " bits in colour type ", colour);
}

struct Sink {
  Buffer* bytes;
  bool full = false;
  static void write(png_structp png, png_bytep from, png_size_t n) {
    auto* self = static_cast<Sink*>(png_get_io_ptr(png));
    try {
      self->bytes->insert(self->bytes->end(), from, from + n);
    } catch (const std::bad_alloc&) { self->full = true; }
    if (self->full) png_error(png, "not enough memory");
  }
};

bool write(Png& p, const cv::Mat& pixels, int colour, const Buffer& icc, int compression, png_bytepp rows) {
  if (setjmp(png_jmpbuf(p.png))) return false;
  png_set_user_limits(p.png, 0x7fffffff, 0x7fffffff);
  // What libpng has to say about a profile is no reason to lose the picture: profiles of common editors break its rules.
  png_set_benign_errors(p.png, 1);
  png_set_option(p.png, PNG_SKIP_sRGB_CHECK_PROFILE, PNG_OPTION_ON);
  png_set_compression_level(p.png, compression);
  // One filter: choosing among five for each row takes twice the time and saves little.
  png_set_filter(p.png, 0, compression > 6 ? PNG_ALL_FILTERS : PNG_FILTER_SUB);
  png_set_IHDR(p.png, p.info, static_cast<png_uint_32>(pixels.cols), static_cast<png_uint_32>(pixels.rows),
               pixels.depth() == CV_8U ? 8 : 16, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!icc.empty()) png_set_iCCP(p.png, p.info, "ICC profile", 0, icc.data(), static_cast<png_uint_32>(icc.size()));
  png_write_info(p.png, p.info);
  if (colour & PNG_COLOR_MASK_COLOR) png_set_bgr(p.png);
  if (pixels.depth() == CV_16U) png_set_swap(p.png);
  png_write_image(p.png, rows);
  png_write_end(p.png, p.info);
  return true;
}

std::vector<png_bytep> rows_of(const cv::Mat& pixels) {
  std::vector<png_bytep> rows;
  for (int y = 0; y < pixels.rows; ++y) rows.push_back(const_cast<png_bytep>(pixels.ptr(y)));
  return rows;
}

}  // namespace

Decoded decode_png(View bytes, const std::string& name) {
  const std::vector<PngChunk> chunks = png_chunks(bytes, name);
  check_depth(chunks.front().data, name);
  Png p(false);
  if (!p.png || !p.info) throw std::bad_alloc();
  Source source{bytes};
  png_set_read_fn(p.png, &source, Source::read);
  const auto need = [&](bool ok) { check(ok, name, ": damaged PNG: ", p.message); };
  // Deflate never does better than 1032 to 1.
  need(read_header(p, std::min<std::size_t>(bytes.size() * 1032, kMostProfile)));
  const int bits = png_get_bit_depth(p.png, p.info), channels = png_get_channels(p.png, p.info);
  const auto width = png_get_image_width(p.png, p.info), height = png_get_image_height(p.png, p.info);
  check_size(width, height, name, static_cast<std::int64_t>(bytes.size()) * 1032 * 8 / (bits * channels));
  const int colour = png_get_color_type(p.png, p.info);
  Decoded out;
  out.image.grey = !(colour & PNG_COLOR_MASK_COLOR);  // before grey with alpha is spread
  need(prepare(p));
  cv::Mat pixels(static_cast<int>(height), static_cast<int>(width),
                 CV_MAKETYPE(bits == 16 ? CV_16U : CV_8U, png_get_channels(p.png, p.info)));
  check(png_get_rowbytes(p.png, p.info) == static_cast<std::size_t>(pixels.cols) * pixels.elemSize(), name,
        ": damaged PNG: its row size is odd");
  std::vector<png_bytep> rows = rows_of(pixels);
  need(read_pixels(p, rows.data()));
  out.image.pixels = colour == PNG_COLOR_TYPE_PALETTE ? coloured(p, pixels, name) : pixels;
  read_profile(p, out);
  out.orientation = png_orientation(chunks);
  return out;
}

Buffer encode_png(const Image& image, const EncodeOptions& options) {
  const bool alpha = image.pixels.channels() == 4;
  const cv::Mat pixels = image.grey && alpha ? grey_and_alpha(image) : image.pixels;
  constexpr int kColours[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  Png p(true);
  if (!p.png || !p.info) throw std::bad_alloc();
  Buffer bytes;
  Sink sink{&bytes};
  png_set_write_fn(p.png, &sink, Sink::write, [](png_structp) {});
  std::vector<png_bytep> rows = rows_of(pixels);
  check(write(p, pixels, kColours[pixels.channels()], image.icc, options.png_compression, rows.data()),
        "PNG: cannot be written: ", p.message);
  return bytes;
}

}  // namespace fovea::codec
