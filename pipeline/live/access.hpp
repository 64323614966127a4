// Who may use the page. An address with a random token is printed where the operator sits; the first browser that brings it
// gets a cookie for it, and the token is used up. Pages of other sites get nothing of a browser that has the cookie: not by
// another name for this machine (DNS rebinding: Host), nor by scripts or pictures (Origin, Sec-Fetch-Site; SameSite).
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/live/http.hpp"

namespace fovea {

// 128 bits of the system's random numbers, as 32 hexadecimal digits.
std::string random_token();
// Takes as long for any two texts of the same length.
bool same_secret(std::string_view a, std::string_view b);

// Any thread.
class Access {
 public:
  // `names`: how this machine may be called, without the port: "localhost", "::1".
  Access(std::vector<std::string> names, int port);

  // Is valid once; the one before is not any more.
  std::string new_token();
  std::string token() const;
  // True for the valid token, once.
  bool use_up(std::string_view token);

  std::string cookie() const;  // for Set-Cookie
  bool has_cookie(const HttpRequest& request) const;

  // Throws HttpRefusal where the request calls this machine by no name of its own. `local` is the address that it came in by.
  void check_host(const HttpRequest& request, const std::string& local) const;
  // Throws HttpRefusal where a page of another origin makes the request.
  void check_origin(const HttpRequest& request) const;

 private:
  bool is_own(std::string_view host, const std::string& name) const;

  const std::vector<std::string> names_;
  const int port_;
  const std::string cookie_name_;  // with the port: browsers share cookies between the ports of a machine
  const std::string secret_;
  mutable std::mutex mutex_;
  std::string token_;  // empty: used up
};

}  // namespace fovea
