// PNG as it comes from cameras, editors, phones and strangers.
#include <sys/resource.h>

#include "datasets/image.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/images.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

std::string reason(const Buffer& file) {
  return message_of([&] { decode_image(file, "x.png"); });
}

const Buffer kLine{0, 10, 20, 30, 40, 50, 60};  // two pixels of colour

Buffer two_pixels(const Buffer& chunks) { return stored_png(2, 1, 8, 2, false, chunks, kLine); }

Buffer bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

// Most memory that this process has had, in bytes.
std::size_t peak() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

int width_of(const Buffer& chunks) {
  return decode_image(two_pixels(chunks), "x").pixels.cols;
}  // 1 where it was turned by 90 degrees

std::string hexadecimal(const Buffer& bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % 36 == 0) text += '\n';
    text += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
  }
  return text;
}

}  // namespace

TEST_CASE("PNG: profiles that libpng finds fault with are no reason to lose the picture", "[datasets][image]") {
  // Rendering intent out of range, another illuminant than D50, a class of its own: profiles of common editors have each of them.
  const std::vector<std::pair<std::size_t, std::uint8_t>> faults{{67, 9}, {68, 1}, {12, 'x'}, {36, 'x'}, {20, 'Q'}};
  for (const auto& [at, value] : faults) {
    INFO("byte " << at);
    Image image{noise(4, 4, CV_8UC3), false, icc_profile(300, "RGB ")};
    image.icc[at] = value;
    Image back;
    CHECK_NOTHROW(back = decode_image(encode_image(image, "png"), "x"));
    CHECK(cv::norm(back.pixels, image.pixels, cv::NORM_INF) == 0);
  }
}

TEST_CASE("PNG: a photograph with a common sRGB profile is written", "[datasets][image]") {
  FOVEA_NEEDS_SHARED(file, "faults/icc_known_srgb.png");
  const Image image = read_image(file);
  CHECK_FALSE(image.icc.empty());
  CHECK((decode_image(encode_image(image, "png"), "x").icc == image.icc));
}

TEST_CASE("PNG: no chunk takes the memory that its length claims", "[datasets][image]") {
  const std::size_t before = peak();
  for (const char* type : {"tEXt", "iTXt", "zTXt", "eXIf", "iCCP", "sPLT", "sCAL", "hIST", "PLTE", "tRNS", "IDAT", "quEr"}) {
    INFO(type);
    Buffer chunk = png_chunk(type, {1, 0, 0, 1});
    const Buffer length{0x7f, 0xff, 0xff, 0xff};
    std::copy(length.begin(), length.end(), chunk.begin());
    CHECK(reason(two_pixels(chunk)).find(std::string("its chunk ") + type + " says 2147483647 bytes") != std::string::npos);
  }
  CHECK(peak() - before < (std::size_t{64} << 20));
  CHECK(reason(Buffer{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}).find("truncated PNG") != std::string::npos);
}

TEST_CASE("PNG: a profile's claimed length takes no memory either", "[datasets][image]") {
  Buffer profile = icc_profile(300, "RGB ");
  profile[0] = 0x7f;  // 2 GB
  Buffer chunk = bytes_of(std::string("p\0\0", 3));
  insert(chunk, chunk.size(), stored_zlib(profile));
  const std::size_t before = peak();
  CHECK(decode_image(two_pixels(png_chunk("iCCP", chunk)), "x").icc.empty());
  CHECK(peak() - before < (std::size_t{64} << 20));
}

TEST_CASE("PNG: what is not supported is said by name, what is damaged is called so", "[datasets][image]") {
  Buffer phone = two_pixels({});
  insert(phone, 8, png_chunk("CgBI", {0x50, 0, 0x20, 2}));
  CHECK(reason(phone).find("x.png: not supported: a PNG of Apple's own kind") != std::string::npos);
  CHECK(reason(stored_png(2, 1, 3, 0, false, {}, {0, 0})).find("not supported: a PNG of 3 bits") != std::string::npos);
  const Buffer palette = png_chunk("PLTE", {1, 2, 3, 4, 5, 6});
  CHECK_NOTHROW(decode_image(stored_png(2, 1, 8, 3, false, palette, {0, 0, 1}), "x"));
  CHECK(reason(stored_png(2, 1, 8, 3, false, palette, {0, 0, 2})).find("damaged PNG: a pixel has colour 2 of a palette of 2") !=
        std::string::npos);
  CHECK(reason(stored_png(4, 1, 2, 3, false, palette, {0, 0b00011011})).find("a pixel has colour 3") != std::string::npos);
  CHECK(reason(stored_png(2, 1, 8, 3, false, {}, {0, 0, 1})).find("damaged PNG") != std::string::npos);
}

TEST_CASE("PNG: orientation stands in eXIf, in EXIF as text, or in XMP", "[datasets][image]") {
  const Buffer exif = exif_block(6, true);
  CHECK(width_of({}) == 2);
  CHECK(width_of(png_chunk("eXIf", exif)) == 1);
  for (const char* keyword : {"Raw profile type exif", "Raw profile type APP1"}) {
    Buffer raw = bytes_of(std::string("Exif\0\0", 6));
    insert(raw, raw.size(), exif);
    const std::string text = "\nexif\n" + std::string(6, ' ') + std::to_string(raw.size()) + hexadecimal(raw) + "\n";
    CHECK(width_of(png_chunk("tEXt", bytes_of(keyword + std::string(1, '\0') + text))) == 1);
    Buffer packed = bytes_of(keyword + std::string(2, '\0'));
    insert(packed, packed.size(), stored_zlib(bytes_of(text)));
    CHECK(width_of(png_chunk("zTXt", packed)) == 1);
  }
  const std::string keyword = std::string("XML:com.adobe.xmp") + std::string(5, '\0');
  for (const char* xmp : {"<rdf tiff:Orientation=\"6\"/>", "<tiff:Orientation>6</tiff:Orientation>"})
    CHECK(width_of(png_chunk("iTXt", bytes_of(keyword + xmp))) == 1);
  for (const char* xmp : {"<rdf tiff:Orientation=\"66\"/>", "tiff:Orientation", "tiff:Orientation=\"", ""})
    CHECK(width_of(png_chunk("iTXt", bytes_of(keyword + xmp))) == 2);
  // eXIf wins.
  Buffer both = png_chunk("iTXt", bytes_of(keyword + "tiff:Orientation=\"6\""));
  insert(both, both.size(), png_chunk("eXIf", exif_block(3, false)));
  CHECK(width_of(both) == 2);
  for (const std::string text : {"", "\nexif\n", "\nexif\n 12\n4", "exif 4d4d"})
    CHECK(width_of(png_chunk("tEXt", bytes_of(std::string("Raw profile type exif") + '\0' + text))) == 2);
}

TEST_CASE("PNG: frames of an animation are pages, each as it is shown", "[datasets][image]") {
  const auto control = [](std::uint32_t sequence, std::uint32_t width, std::uint32_t x, std::uint8_t dispose,
                          std::uint8_t blend) {
    Buffer c;
    for (const std::uint32_t v : {sequence, width, 1u, x, 0u}) put_big(c, v, 4);
    put_big(c, 1, 2), put_big(c, 10, 2);
    c.push_back(dispose), c.push_back(blend);
    return png_chunk("fcTL", c);
  };
  Buffer before = png_chunk("acTL", {0, 0, 0, 3, 0, 0, 0, 0});
  insert(before, before.size(), control(0, 2, 0, 0, 0));
  Buffer file = stored_png(2, 1, 8, 0, false, before, {0, 10, 20});
  const auto add = [&](const Buffer& chunk) { insert(file, file.size() - 12, chunk); };
  const auto data = [](std::uint32_t sequence, const Buffer& lines) {
    Buffer d;
    put_big(d, sequence, 4);
    insert(d, d.size(), stored_zlib(lines));
    return png_chunk("fdAT", d);
  };
  add(control(1, 1, 1, 2, 0)), add(data(2, {0, 99}));  // on the second pixel; what was there comes back
  add(control(3, 1, 0, 0, 0)), add(data(4, {0, 77}));
  const auto page = [&](std::size_t i) {
    const Image image = decode_image(file, "x", i);
    REQUIRE(image.pixels.type() == CV_8UC1);
    return std::vector<int>{image.pixels.at<std::uint8_t>(0, 0), image.pixels.at<std::uint8_t>(0, 1)};
  };
  CHECK((page(0) == std::vector<int>{10, 20}));
  CHECK((page(1) == std::vector<int>{10, 99}));
  CHECK((page(2) == std::vector<int>{77, 20}));
  CHECK(fails_with([&] { page(3); }, "has 3 pages, no page 4"));
  const Image first = decode_image(file, "x");
  REQUIRE(first.notes.size() == 1);
  CHECK(first.notes[0] == "the first of 3 pages is read");
}
