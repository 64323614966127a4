// Attention within windows, as Swin v1 and v2 have it; the parts swin_window and swin_window_v2, and the hearts of their blocks.
#pragma once

#include <optional>

#include "modules/attention/self/attend.hpp"
#include "modules/attention/self/windows.hpp"
#include "modules/nn/block.hpp"

namespace fovea {

struct WindowOptions {
  Extent window{7, 7};
  Extent pretrained;  // v2: the window of the weights that are fine-tuned; 0: this one
  std::int64_t heads = 1;
  bool qkv_bias = true;
  double scale = 0;  // v1; 0: 1 / sqrt(d)
  double proj_drop = 0;
  WeightDrop drop;
};

// Options window, heads, ...; version 1 or 2. `name` opens messages.
WindowOptions window_options(Args& args, std::int64_t channels, int version, const std::string& name);

// What attend() takes, of M windows: heads M x heads x area x d, the bias of their positions heads x area x area.
struct WindowHeads {
  Var q, k, v, bias;
  AttentionOptions options;
};

class WindowAttention : public Block {
 public:
  WindowAttention(const Scope& s, std::int64_t c, const WindowOptions& o);

  // x: N windows x area x C as the grid cut them; its window is at most the declared one. Where a map has several windows, what
  // they say of the whole map is the tap "received", N x heads x 1 x HW: see WindowGrid::received.
  Var run(const Var& x, const WindowGrid& grid) const;

 protected:
  // Tokens M x area x C, and perhaps a mask, windows x area x area.
  Vars forward(const Vars& in) const override;
  virtual WindowHeads heads(const Var& x, Extent window) const = 0;

  WindowOptions options_;

 private:
  Var attended(const WindowHeads& h, const Var& mask) const;
  static void check_windows(const Var& x, Extent window);

  std::string path_;
  Linear proj_;
  Dropout proj_drop_;
};

std::unique_ptr<WindowAttention> window_attention(int version, const Scope& s, std::int64_t c, const WindowOptions& o);
std::unique_ptr<WindowAttention> window_attention_v1(const Scope& s, std::int64_t c, const WindowOptions& o);
std::unique_ptr<WindowAttention> window_attention_v2(const Scope& s, std::int64_t c, const WindowOptions& o);

}  // namespace fovea
