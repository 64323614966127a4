// A network's numbers became infinite or NaN: a training that sees it has diverged, a picture that does cannot be answered.
#pragma once

#include "modules/core/error.hpp"

namespace fovea {

class NotFinite : public Error {
 public:
  using Error::Error;
};

}  // namespace fovea
