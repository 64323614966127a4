#include "datasets/video/address.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace fovea {
namespace {

constexpr auto kNone = std::string::npos;
constexpr std::size_t kLongest = 4096;  // of an address that is looked through; servers take no more
constexpr std::string_view kMask = "***", kEnds = " \t\r\n\"'<>";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string decoded_once(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool code = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    out += code ? static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i];
    if (code) i += 2;
  }
  return out;
}

// Addresses inside addresses are often encoded twice.
std::string decoded(std::string_view text) {
  std::string out(text);
  for (int i = 0; i < 3; ++i) out = decoded_once(out);
  return out;
}

bool sounds_secret(std::string_view name) {
  std::string lower = decoded(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::array<std::string_view, 9> kSecrets{"pass", "pwd", "token", "secret", "key", "auth", "sig", "cred", "session"};
  return std::any_of(kSecrets.begin(), kSecrets.end(), [&](std::string_view s) { return lower.find(s) != kNone; });
}

std::size_t scheme_length(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == kNone || colon == 0 || !std::isalpha(static_cast<unsigned char>(text[0]))) return 0;
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '-' || c == '.'; };
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), allowed) ? colon + 3 : 0;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

// Where the host begins: behind the user's '@'. A '/', '?' or '#' that was not encoded ends the host too early; it shows by a
// port that is no number, or is an IPv6 address left open.
std::size_t host_begin(std::string_view address, std::size_t from) {
  const std::size_t end = std::min(address.find_first_of("/?#", from), address.size());
  const std::string_view authority = address.substr(from, end - from);
  if (const std::size_t at = authority.rfind('@'); at != kNone) return from + at + 1;
  const std::size_t colon = authority.rfind(':');
  if (colon == kNone || authority.starts_with('[') || is_number(authority.substr(colon + 1))) return from;
  const std::size_t at = address.rfind('@');
  return at == kNone || at < end ? from : at + 1;
}

// Whether a parameter holds an address with a user, or with what sounds like a secret.
bool hides_address(std::string_view value) {
  const std::string plain = decoded(value);
  const std::size_t scheme = plain.find("://");
  return scheme != kNone && (plain.find('@', scheme) != kNone || sounds_secret(plain));
}

// Masks the values of secret parameters in what follows the host.
std::string masked_rest(std::string_view rest) {
  std::string out;
  bool in_path = true;
  std::size_t name = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    out += c;
    if (c == '?' || c == '#') in_path = false;
    if (std::string_view("/?#&;").find(c) != kNone) name = i + 1;
    if (c != '=') continue;
    const std::size_t end = std::min(rest.find_first_of(in_path ? "/?#&" : "&#", i + 1), rest.size());
    const std::string_view value = rest.substr(i + 1, end - i - 1);
    if (!value.empty() && (sounds_secret(rest.substr(name, i - name)) || hides_address(value))) {
      out += kMask;
      i = end - 1;
    }
    name = i + 1;
  }
  return out;
}

std::string masked_user(std::string_view user) {
  const std::size_t colon = user.find(':');
  std::string out(user.substr(0, colon));
  if (colon != kNone) (out += ':') += kMask;
  return out + '@';
}

// Where in the path another address begins, as proxies have it: "http://proxy/rtsp://camera/1". The end where there is none.
std::size_t next_address(std::string_view address, std::size_t path) {
  const std::size_t end = std::min(address.find_first_of("?#", path), address.size());
  const std::size_t colon = address.find("://", path);
  if (colon == kNone || colon >= end) return address.size();
  std::size_t begin = colon;
  while (begin > path && std::isalpha(static_cast<unsigned char>(address[begin - 1]))) --begin;
  return begin < colon && begin > path ? begin : address.size();
}

}  // namespace

bool is_address(const std::string& text) { return scheme_length(text) > 0; }

std::string masked_address(const std::string& given) {
  const std::size_t scheme = scheme_length(given);
  if (scheme == 0) return given;
  if (given.size() > kLongest) return given.substr(0, std::min(scheme, kLongest)) += kMask;
  std::string address = given, out;  // what is shown is what was looked through
  std::replace_if(
      address.begin(), address.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, '?');
  for (std::string_view left = address; !left.empty();) {
    const std::size_t begin = scheme_length(left), host = host_begin(left, begin);
    const std::size_t rest = std::min(left.find_first_of("/?#", host), left.size()), next = next_address(left, rest);
    out += left.substr(0, begin);
    if (host > begin) out += masked_user(left.substr(begin, host - begin - 1));
    out += left.substr(host, rest - host);
    out += masked_rest(left.substr(rest, next - rest));
    left.remove_prefix(next);
  }
  return out;
}

std::string masked_text(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(kEnds, at), text.size());
    std::string word = text.substr(at, end - at);
    const std::size_t colon = word.find("://");
    std::size_t begin = colon;
    while (begin != kNone && begin > 0 && std::isalnum(static_cast<unsigned char>(word[begin - 1]))) --begin;
    out += begin == kNone ? word : word.substr(0, begin) + masked_address(word.substr(begin));
    if (end < text.size()) out += text[end];
    at = end + 1;
  }
  return out;
}

}  // namespace fovea
