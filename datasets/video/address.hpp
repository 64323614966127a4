// Addresses of streams, and how they are shown to people.
#pragma once

#include <string>

namespace fovea {

// Whether it is an address ("rtsp://camera/1") and no path.
bool is_address(const std::string& text);

// The address as it may stand in messages and logs: "rtsp://user:***@host/path?token=***". Masked are the password in front of
// the host, also most of those whose special characters are not percent-encoded; the values of parameters, in the path, the
// query or the fragment, whose name sounds like a secret (password, token, key, auth, signature ...); and parameters that hold
// another address with such secrets. Control characters become '?'. Of one over 4096
// bytes nothing but the scheme is shown. What is no address stays as it is.
std::string masked_address(const std::string& address);

// A text with all addresses in it masked, as other libraries' messages hold them.
std::string masked_text(const std::string& text);

}  // namespace fovea
