#include "datasets/codecs/formats.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace fovea::codec {
namespace {

using Decode = Decoded (*)(View, const std::string&);
#ifdef FOVEA_WITH_GIF
constexpr Decode kGif = decode_gif;
#else
constexpr Decode kGif = nullptr;
#endif
#ifdef FOVEA_WITH_HEIF
constexpr Decode kHeif = decode_heif;
#else
constexpr Decode kHeif = nullptr;
#endif
#ifdef FOVEA_WITH_JP2
constexpr Decode kJp2 = decode_jp2;
#else
constexpr Decode kJp2 = nullptr;
#endif

constexpr Format kFormats[] = {
    {"PNG", " png apng ", "", decode_png, count_apng_frames, decode_apng_frame, encode_png, true, true},
    {"JPEG", " jpg jpeg jpe jfif ", "", decode_jpeg, nullptr, nullptr, encode_jpeg, false, false, 65500},
    {"TIFF", " tif tiff ", "", decode_tiff, count_tiff_pages, decode_tiff_page, encode_tiff, true, true},
    {"BMP", " bmp dib ", "", decode_bmp, nullptr, nullptr, encode_bmp, false, true, 0, true},
    {"WebP", " webp ", "", decode_webp, nullptr, nullptr, encode_webp, false, true, 16383},
    {"GIF", " gif ", "giflib", kGif},
    {"HEIC", " heic heif hif ", "libheif", kHeif},
    {"AVIF", " avif ", "libheif", kHeif},
    {"JPEG 2000", " jp2 j2k j2c jpc jpf jpx ", "OpenJPEG", kJp2},
    {.name = "PNM", .extensions = " pnm ppm pgm pbm pam ", .decode = decode_pnm, .weak_signature = true},
    {.name = "JPEG XL", .extensions = " jxl ", .weak_signature = true},
    {"OpenEXR", " exr "},
    {"Radiance HDR", " hdr rgbe pic "},
    {.name = "Windows icon", .extensions = " ico cur ", .weak_signature = true},
    {"TGA", " tga targa vda icb vst "},
    {"Photoshop", " psd psb "},
    {"GIMP", " xcf "},
    {"DDS", " dds "},
    {"PCX", " pcx dcx "},
    {"SGI", " sgi rgb rgba bw "},
    {"Sun raster", " ras "},
    {"XPM", " xpm "},
    {"XBM", " xbm "},
    {"PFM", " pfm "},
    {"farbfeld", " ff "},
    {"QOI", " qoi "},
    {"FITS", " fits fit fts "},
    {"DICOM", " dcm dicom "},
    {"SVG", " svg svgz "},
    {"DjVu", " djvu djv "},
    {"JPEG XR", " jxr hdp wdp "},
    {"PGF, FLIF or BPG", " pgf flif bpg "},
    {"camera raw", " dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 raf pef srw x3f raw rwl 3fr iiq dcr kdc mrw mos erf mef "},
};

struct Signature {
  std::size_t at;
  std::string_view bytes;
  const char* format;
};
using std::string_view_literals::operator""sv;
constexpr Signature kSignatures[] = {
    {0, "\x89PNG\r\n\x1a\n"sv, "PNG"},
    {0, "\xff\xd8\xff"sv, "JPEG"},
    {0, "II*\0"sv, "TIFF"},
    {0, "MM\0*"sv, "TIFF"},
    {0, "II+\0"sv, "TIFF"},
    {0, "MM\0+"sv, "TIFF"},
    {8, "WEBP"sv, "WebP"},
    {0, "BM"sv, "BMP"},
    {0, "GIF87a"sv, "GIF"},
    {0, "GIF89a"sv, "GIF"},
    {4, "ftypavif"sv, "AVIF"},
    {4, "ftypavis"sv, "AVIF"},
    {4, "ftyphei"sv, "HEIC"},
    {4, "ftyphev"sv, "HEIC"},
    {4, "ftypmif1"sv, "HEIC"},
    {4, "ftypmsf1"sv, "HEIC"},
    {4, "ftypcrx "sv, "camera raw"},
    {0, "\0\0\0\x0cjP  \r\n\x87\n"sv, "JPEG 2000"},
    {0, "\xff\x4f\xff\x51"sv, "JPEG 2000"},
    {0, "\xff\x0a"sv, "JPEG XL"},
    {0, "\0\0\0\x0cJXL \r\n\x87\n"sv, "JPEG XL"},
    {0, "v/1\x01"sv, "OpenEXR"},
    {0, "#?RADIANCE"sv, "Radiance HDR"},
    {0, "#?RGBE"sv, "Radiance HDR"},
    {0, "8BPS"sv, "Photoshop"},
    {0, "gimp xcf"sv, "GIMP"},
    {0, "DDS "sv, "DDS"},
    {0, "farbfeld"sv, "farbfeld"},
    {0, "qoif"sv, "QOI"},
    {0, "SIMPLE  ="sv, "FITS"},
    {0, "AT&TFORM"sv, "DjVu"},
    {0, "II\xbc\x01"sv, "JPEG XR"},
    {0, "FUJIFILMCCD-RAW"sv, "camera raw"},
    {0, "IIRO"sv, "camera raw"},
    {0, "IIU\0"sv, "camera raw"},
    {0, "/* XPM */"sv, "XPM"},
    {0, "\0\0\1\0"sv, "Windows icon"},
    {0, "\0\0\2\0"sv, "Windows icon"},
};

const Format* named(std::string_view name) {
  return std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) { return f.name == name; });
}

// "P6" and a blank: two letters alone would be found in many a text.
bool is_pnm(View b) { return b.size() > 2 && b[0] == 'P' && b[1] >= '1' && b[1] <= '7' && (std::isspace(b[2]) || b[2] == '#'); }

}  // namespace

std::span<const Format> formats() { return kFormats; }

const Format* by_extension(const std::string& extension) {
  if (extension.empty() || extension.find(' ') != std::string::npos) return nullptr;
  std::string word = " " + extension + " ";
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto* found = std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& f) {
    return std::string_view(f.extensions).find(word) != std::string_view::npos;
  });
  return found == std::end(kFormats) ? nullptr : found;
}

const Format* by_content(View first) {
  for (const Signature& s : kSignatures)
    if (has_text(first, s.at, s.bytes)) return named(s.format);
  return is_pnm(first) ? named("PNM") : nullptr;
}

}  // namespace fovea::codec
