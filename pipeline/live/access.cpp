#include "pipeline/live/access.hpp"

#include <algorithm>

#include "modules/core/sha256.hpp"

namespace fovea {
namespace {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lower;
}

}  // namespace

std::string random_token() { return hexadecimal(random_bytes(16)); }

bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

Access::Access(std::vector<std::string> names, int port)
    : names_(std::move(names)),
      port_(port),
      cookie_name_("fovea_" + std::to_string(port)),
      secret_(random_token()),
      token_(random_token()) {}

std::string Access::new_token() {
  std::string token = random_token();
  std::lock_guard lock(mutex_);
  return token_ = std::move(token);
}

std::string Access::token() const {
  std::lock_guard lock(mutex_);
  return token_;
}

bool Access::use_up(std::string_view token) {
  std::lock_guard lock(mutex_);
  if (token_.empty() || !same_secret(token, token_)) return false;
  token_.clear();
  return true;
}

std::string Access::cookie() const { return cookie_name_ + "=" + secret_ + "; HttpOnly; SameSite=Strict; Path=/"; }

bool Access::has_cookie(const HttpRequest& request) const {
  bool found = false;
  for (std::string_view rest = request.header("cookie"); !rest.empty();) {
    const auto end = rest.find(';');
    std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == cookie_name_)
      found |= same_secret(pair.substr(equals + 1), secret_);
  }
  return found;
}

bool Access::is_own(std::string_view host, const std::string& name) const {
  if (name.empty()) return false;
  const std::string own = lower_case(name.find(':') == std::string::npos ? name : "[" + name + "]");
  return host == own + ":" + std::to_string(port_) || (port_ == 80 && host == own);
}

void Access::check_host(const HttpRequest& request, const std::string& local) const {
  const std::string host = lower_case(request.header("host"));
  if (is_own(host, local)) return;
  if (std::none_of(names_.begin(), names_.end(), [&](const std::string& name) { return is_own(host, name); }))
    throw HttpRefusal(421, "This page is served under the address that the program printed, and under no other name.");
}

void Access::check_origin(const HttpRequest& request) const {
  const std::string_view origin = request.header("origin"), site = request.header("sec-fetch-site");
  const bool foreign = !origin.empty() && lower_case(origin) != "http://" + lower_case(request.header("host"));
  if (foreign || (!site.empty() && site != "same-origin" && site != "none"))
    throw HttpRefusal(403, "Pages of other origins may not use this one.");
}

}  // namespace fovea
