// Windows of a map for Swin: which token stands where after shift and padding, what may not meet, relative positions.
#pragma once

#include <cstdint>
#include <vector>

#include "modules/autograd/var.hpp"

namespace fovea {

struct Extent {
  std::int64_t rows = 0, columns = 0;
  bool operator==(const Extent&) const = default;
  std::int64_t area() const { return rows * columns; }
};

// A map cut into windows, row-major, each row-major. Maps that are no multiple of the window are padded below and to the right
// with zeros; the shift rolls rows and columns back.
class WindowGrid {
 public:
  // pad_first: pad, then roll (the authors' detection code, torchvision); otherwise roll, then pad (timm).
  WindowGrid(Extent map, Extent window, Extent shift, bool pad_first);

  Var cut(const Var& tokens) const;    // N x HW x C -> N windows x window x C
  Var join(const Var& windows) const;  // and back; what was padding is dropped
  // windows x 1 x area x area: 0, and -100 between tokens that the roll brought together. Undefined without a shift.
  Var mask() const;

  // How much each position of the map is looked at: from weights N windows x heads x area x area to N x heads x 1 x HW, the mean over
  // the map's tokens. The roll is undone; padding, and pairs that the mask keeps apart, count as 0.
  Var received(const Var& weights) const;

  Extent window() const { return window_; }
  std::int64_t windows() const { return padded_.area() / window_.area(); }  // of one map

 private:
  // For each position of window w: the same number for those that were neighbours before the roll.
  std::vector<int> regions(std::int64_t w) const;

  Extent map_, window_, shift_, padded_;
  std::vector<std::int64_t> from_, to_;  // token of each position (HW: padding), place of each token
};

// Where (query - key) stands in a table of offsets of a `full` window, for the tokens of a `window` that is no larger:
// area x area numbers, (dr + full.rows - 1) (2 full.columns - 1) + dc + full.columns - 1.
Var relative_positions(Extent window, Extent full);

// Swin v2's table of offsets, (2 rows - 1)(2 columns - 1) x 2: sign(o) log2(1 + |o|) / 3 with o = 8 offset / (pretrained - 1).
Tensor log_offsets(Extent window, Extent pretrained);

}  // namespace fovea
