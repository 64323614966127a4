// The socket that a page is served at.
#pragma once

#include <string>

#include "modules/io/descriptor.hpp"

namespace fovea {

struct ListenSocket {
  Descriptor socket;  // non-blocking
  int port = 0;
  bool loopback = true;   // reachable from this machine only
  bool wildcard = false;  // on all addresses of this machine
};

// `host`: a name or an address, 0.0.0.0 or :: for all of this machine; `port`: 0 takes any that is free. UsageError where that
// is reachable from other machines and `allow_remote` is not set, or makes no sense; EnvironmentError where the system refuses,
// with what to do.
ListenSocket listen_on(const std::string& host, int port, bool allow_remote);

// The address of this machine by which a connection came in: "127.0.0.1".
std::string local_address(int connection);
// How other machines may reach this one: its name, and an address that is no loopback where it has one.
std::string machine_name();
std::string outside_address();

}  // namespace fovea
