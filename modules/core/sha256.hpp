// SHA-256 (FIPS 180-4) and its keyed form HMAC (RFC 2104): for names that must not be guessed back. fingerprint() is for all else.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fovea {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view bytes);

// So many bytes that nobody can foresee. Error where the system has none.
std::string random_bytes(std::size_t count);

// Two lower-case digits a byte.
std::string hexadecimal(std::string_view bytes);
std::string hexadecimal(const Sha256& bytes, std::size_t count = 32);

}  // namespace fovea
