#include "pipeline/live/web_listen.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "pipeline/errors.hpp"

namespace fovea {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  Addresses addresses(found, freeaddrinfo);
  if (error != 0)
    throw UsageError("live page: expected a name or an address of this machine, got \"" + host + "\": " + gai_strerror(error));
  return addresses;
}

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  return address.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

bool is_wildcard(const sockaddr& address) {
  if (address.sa_family == AF_INET) return reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == htonl(INADDR_ANY);
  return address.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

// Numeric, an IPv4 address that came in by an IPv6 socket as what it is.
std::string text_of(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
  } else if (address.sa_family == AF_INET6) {
    const in6_addr& six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&six)) inet_ntop(AF_INET, &six.s6_addr[12], text.data(), text.size());
    else inet_ntop(AF_INET6, &six, text.data(), text.size());
  }
  return text.data();
}

int port_of(const sockaddr& address) {
  return ntohs(address.sa_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

[[noreturn]] void cannot_bind(const std::string& host, int port, int error) {
  const std::string where = "live page: " + host + ", port " + std::to_string(port) + ": ";
  switch (error) {
    case EADDRINUSE:
      throw EnvironmentError(where + "another program serves there; choose another port, or 0 for any that is free");
    case EACCES: throw UsageError(where + "ports below 1024 are root's; choose one from 1024 to 65535");
    case EADDRNOTAVAIL: throw UsageError(where + "expected an address of this machine, got another one's");
    default: throw EnvironmentError(where + "cannot be served: " + std::generic_category().message(error));
  }
}

// Gives errno, or 0.
int bind_to(const addrinfo& address, Descriptor& socket) {
  socket.reset(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  const int on = 1, off = 0;
  // A port whose connections of before still fade away is free; one that another program listens at is not.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) return errno;
  return 0;
}

}  // namespace

ListenSocket listen_on(const std::string& host, int port, bool allow_remote) {
  if (port < 0 || port > 65535) throw UsageError("live page: expected a port from 0 to 65535, got " + std::to_string(port));
  const Addresses addresses = resolve(host, port);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
    const bool loopback = is_loopback(*address->ai_addr);
    if (!loopback && !allow_remote)
      throw UsageError("live page: " + host +
                       " is reachable from other machines, which is not allowed unless asked for; expected "
                       "127.0.0.1, ::1 or localhost");
    ListenSocket listening{Descriptor(), 0, loopback, is_wildcard(*address->ai_addr)};
    error = bind_to(*address, listening.socket);
    if (error == 0) {
      sockaddr_storage bound{};
      socklen_t size = sizeof bound;
      ::getsockname(listening.socket.get(), reinterpret_cast<sockaddr*>(&bound), &size);
      listening.port = port_of(reinterpret_cast<const sockaddr&>(bound));
      return listening;
    }
    // "localhost" stands for addresses of two kinds, of which a system may lack one.
    if (error != EADDRNOTAVAIL && error != EAFNOSUPPORT) break;
  }
  cannot_bind(host, port, error);
}

std::string local_address(int connection) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(connection, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return text_of(reinterpret_cast<const sockaddr&>(address));
}

std::string machine_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string outside_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(all, freeifaddrs);
  for (const ifaddrs* one = all; one; one = one->ifa_next)
    if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET && !is_loopback(*one->ifa_addr)) return text_of(*one->ifa_addr);
  return {};
}

}  // namespace fovea
