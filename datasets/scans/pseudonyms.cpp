#include "datasets/scans/pseudonyms.hpp"

#include <algorithm>
#include <vector>

namespace fovea {
namespace {

constexpr std::size_t kUuid = 16, kId = 8;  // bytes

// The digits of a number that is given by its bytes, the highest first.
std::string decimal(std::vector<std::uint8_t> bytes) {
  std::string digits;
  while (std::any_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b != 0; })) {
    int rest = 0;
    for (std::uint8_t& b : bytes) {
      const int part = rest * 256 + b;
      b = static_cast<std::uint8_t>(part / 10);
      rest = part % 10;
    }
    digits.insert(digits.begin(), static_cast<char>('0' + rest));
  }
  return digits.empty() ? "0" : digits;
}

}  // namespace

std::string uid_of(const Sha256& hash) {
  std::vector<std::uint8_t> uuid(hash.begin(), hash.begin() + kUuid);
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x80);  // version
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);  // variant
  return "2.25." + decimal(std::move(uuid));
}

Sha256 Pseudonyms::hash(std::string_view kind, std::string_view name) const {
  return hmac_sha256(secret_, std::string(kind) + '\0' + std::string(name));
}

std::string Pseudonyms::id(std::string_view kind, std::string_view name) const { return hexadecimal(hash(kind, name), kId); }

std::string Pseudonyms::uid(std::string_view name) const { return uid_of(hash("uid", name)); }

}  // namespace fovea
