// Decompression alone; what the components mean is for those who ask.
#include "datasets/codecs/jp2_decompress.hpp"

#include <algorithm>
#include <cstring>

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

}  // namespace

Jp2Image decompress_jp2(View bytes, const std::string& name) {
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
  Jp2Image image(raw, opj_image_destroy);
  need(header);
  constexpr std::int64_t kMostInByte = 1 << 16;
  check_size(std::int64_t{image->x1} - image->x0, std::int64_t{image->y1} - image->y0, name, most_pixels(bytes, kMostInByte));
  need(opj_decode(codec.get(), stream.get(), image.get()));
  need(opj_end_decompress(codec.get(), stream.get()));
  return image;
}

}  // namespace fovea::codec
