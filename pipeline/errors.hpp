// Errors by whom they concern: what is not one of these is the input's fault.
#pragma once

#include "modules/core/error.hpp"

namespace fovea {

// The machine failed: disk full, read-only file system, no permission for outputs. A frame is then left for next time.
class EnvironmentError : public Error {
 public:
  using Error::Error;
};

// What was asked for makes no sense; found before any work.
class UsageError : public Error {
 public:
  using Error::Error;
};

}  // namespace fovea
