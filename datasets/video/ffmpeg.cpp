#include "datasets/video/ffmpeg.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <system_error>

#include "datasets/video/address.hpp"

namespace fovea::ffmpeg {
namespace {

// Plain memory: FFmpeg calls from threads of its own, too, up to their end.
thread_local std::array<char, 512> message{};

void keep(void*, int level, const char* format, va_list arguments) {
  if (level <= AV_LOG_ERROR) std::vsnprintf(message.data(), message.size(), format, arguments);
}

}  // namespace

void listen() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(keep); });
  message[0] = 0;
}

std::string last_message() {
  std::string text = masked_text(message.data());
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, ' ');
  const auto is_space = [](char c) { return c == ' '; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), is_space).base(), text.end());
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

int system_error(int error) {
  // FFmpeg's own numbers are four characters, far below any errno.
  return error < 0 && error > -4096 ? AVUNERROR(error) : 0;
}

std::string reason(int error) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> words{};
  std::string text;
  if (const int code = system_error(error)) text = std::generic_category().message(code);
  else if (error == AVERROR_INVALIDDATA) text = "damaged, or not what it seems to be";
  else if (error == AVERROR_EOF) text = "it ends too early";
  else if (av_strerror(error, words.data(), words.size()) == 0) text = words.data();
  else text = "error " + std::to_string(error);
  const std::string kept = last_message();
  return kept.empty() ? text : text + " (" + kept + ")";
}

}  // namespace fovea::ffmpeg
