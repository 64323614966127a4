#include "tests/support/misfits.hpp"

#include <array>

#include "modules/autograd/tap.hpp"
#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"

namespace fovea::test {
namespace {

struct Misfit {
  const char *backbones, *slots, *blocks;  // globs
  const char* message;
};

// Slots in front of the first layer: their map is the picture, three channels wide.
constexpr const char* kPicture = "backbone.{pre_conv1,features.0.pre_0,features.pre_0,Conv1.conv.pre_0,patch_embed.pre_proj}";

constexpr std::array kMisfits{
    // Heads that three channels cannot be divided into.
    Misfit{"*", kPicture, "{performer,linformer,linear_attention}", "do not divide"},
    Misfit{"*", kPicture, "{adaptive_sparse,sparse_attention}", "expected heads that divide"},
    // A squeeze to less than one channel.
    Misfit{"*", kPicture, "a2n_aab", "1 <= reduction <= 3"},
    // Patches are cut with an even kernel, and a convolution of several kernels needs a middle.
    Misfit{"{swin,vit}*", "backbone.patch_embed.proj", "{sk,sk_conv}", "expected"},
};

}  // namespace

std::string misfit(const Small& s, const std::string& at, const std::string& block) {
  for (const Misfit& m : kMisfits)
    if (glob_match(m.backbones, s.backbone) && glob_match(m.slots, at) && glob_match(m.blocks, block)) return m.message;
  return {};
}

bool fits_or_says_why(const Small& s, const std::string& at, const std::string& block, const std::function<void()>& use) {
  const std::string expected = misfit(s, at, block);
  std::string message;
  try {
    use();
  } catch (const Error& e) { message = e.what(); }
  INFO("expected " << (expected.empty() ? "no error" : expected) << ", got " << (message.empty() ? "none" : message));
  CHECK(expected.empty() == message.empty());
  CHECK(message.find(expected) != std::string::npos);
  return message.empty();
}

}  // namespace fovea::test
