// Names that stand for others: who has the secret makes the same ones again, nobody else can tell whose they are.
#pragma once

#include <string>
#include <string_view>

#include "modules/core/sha256.hpp"

namespace fovea {

// The unique identifier of a hash: "2.25." and the number of a UUID of version 8 (DICOM PS3.5 B.2, RFC 9562). At most 44 characters.
std::string uid_of(const Sha256& hash);

class Pseudonyms {
 public:
  explicit Pseudonyms(std::string secret) : secret_(std::move(secret)) {}

  // 16 hexadecimal digits. The same name gets another one for each kind: "file", "patient".
  std::string id(std::string_view kind, std::string_view name) const;
  // For another unique identifier.
  std::string uid(std::string_view name) const;

 private:
  Sha256 hash(std::string_view kind, std::string_view name) const;

  std::string secret_;
};

}  // namespace fovea
