// Every registered block and network, with no code of its own: through the op harness with its parameters as inputs, at several
// channel counts; parameters saved and loaded; taps where they are said to be.
#include <algorithm>
#include <optional>
#include <set>

#include "modules/autograd/tap.hpp"
#include "modules/io/safetensors.hpp"
#include "modules/nn/registry.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reshape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;

namespace {

// Whole networks at a size that a naive run in double takes.
Args small(const std::string& name) {
  if (name == "a2n") return {"test", {{"scale", "2"}, {"blocks", "1"}, {"width", "8"}, {"tail_width", "4"}}};
  if (name == "a2n_light") return {"test", {{"scale", "2"}, {"blocks", "1"}, {"width", "8"}}};
  if (name == "har_head") return {"test", {{"levels", "1"}, {"cls_out", "3"}, {"box_out", "4"}}};
  if (name == "generalized_attention") return {"test", {{"heads", "1"}, {"position_embedding_dim", "8"}}};
  if (Registry::global().at(name).kind == Kind::levels) return {"test", {{"levels", "1"}}};
  return {};
}

// Blocks for slots and whole networks in one head. Backbones are tested with their recipes, parts with the blocks that they are of.
std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const std::string& name : Registry::global().names()) {
    const Kind kind = Registry::global().at(name).kind;
    if (kind == Kind::network || fits_slots(kind)) out.push_back(name);
  }
  return out;
}

struct Made {
  std::shared_ptr<ParamStore> store = std::make_shared<ParamStore>(11);
  std::unique_ptr<Block> block;
};

// Nothing where the block does not take that many channels.
std::optional<Made> make(const std::string& name, std::int64_t channels) {
  Made made;
  try {
    made.block = Registry::global().make(name, Scope(made.store) / "net", channels, small(name));
  } catch (const Error&) { return std::nullopt; }
  return made;
}

// The block on a map as a slot would run it.
Var call(const std::string& name, const Block& block, const Var& x) {
  const Kind kind = Registry::global().at(name).kind;
  if (kind == Kind::gate) return block(Vars{x, x}).front();
  if (kind != Kind::tokens) return block(x);
  const Var tokens = reshape(permute(x, {0, 2, 3, 1}), {x.dim(0), x.dim(2) * x.dim(3), x.dim(1)});
  return permute(reshape(block(tokens), {x.dim(0), x.dim(2), x.dim(3), x.dim(1)}), {0, 3, 1, 2});
}

// The block as a function of its map and its parameters: what it declares is bound to the given values, through an op, so that
// gradients reach them.
Vars run(const std::string& name, const Vars& in) {
  const auto made = make(name, in[0].dim(1));
  std::size_t i = 1;
  for (const auto& e : made->store->entries()) {
    if (e.buffer) continue;  // running statistics are no inputs: nothing flows into them
    const Var given = reshape(in.at(i++), e.value.shape());
    *e.value.state() = *given.state();
    e.value.state()->parameter = true;
  }
  return {call(name, *made->block, in[0])};
}

void check_block(const std::string& name, const Made& made, std::int64_t channels, const Shape& shape) {
  INFO(name << ", " << channels << " channels, " << shape);
  Tensors inputs{test::random_tensor(shape, 1)};
  test::OpCheck options;
  for (const auto& e : made.store->entries()) {
    if (e.buffer) continue;
    options.parameters.insert(inputs.size());
    inputs.push_back(e.value.value().to(DType::bf16).to(DType::f64));
  }
  options.bf16 = false;  // bounds are those of one op; whole networks in bf16 have a test of their own
  options.strided = false;
  if (name == "har_sync_norm") options.unplanned = "one norm over all levels has no kernel";
  options.conditioning = 8;  // some ten contractions one behind the other
  test::check_op(
      name, [&](const Vars& in) { return run(name, in); }, inputs, options);
}

}  // namespace

TEST_CASE("blocks: shapes, gradients, threads and batches at 1, 3, 7 and 64 channels") {
  // Where a difference quotient is no derivative; these have gradient tests of their own, at values where it is one.
  const std::set<std::string> apart{
      "har_aligned",                             // fresh offsets are 0: bilinear sampling has a kink at whole numbers
      "lam_position", "lam_channel", "pam_cam",  // with one key channel their weights cancel to 0/0
      "performer",                               // as published, nothing flows through its maxima
  };
  for (const std::string& name : names()) {
    if (apart.count(name)) continue;
    int legal = 0;
    for (const std::int64_t channels : {1, 3, 7, 64}) {
      const auto made = make(name, channels);
      if (!made) continue;
      ++legal;
      check_block(name, *made, channels, channels == 64 ? Shape{2, 64, 3, 4} : Shape{2, channels, 5, 3});
      if (channels == 7) check_block(name, *made, channels, {2, 7, 1, 1});
    }
    INFO(name);
    CHECK(legal > 0);
  }
}

TEST_CASE("blocks: parameters saved and loaded give the same bits; taps carry the block's path") {
  const test::Folder folder;
  for (const std::string& name : names()) {
    // An eighth of the channels makes pam_cam's keys: with one alone they are all 1 or -1, and its weights cancel to 0/0.
    const std::int64_t channels = name == "pam_cam" ? 24 : make(name, 8) ? 8 : 3;
    const auto first = make(name, channels);
    REQUIRE(first);
    std::uint64_t seed = 40;  // some blocks begin as constants, whatever the seed
    for (const auto& e : first->store->entries())
      if (!e.buffer) Tensor(e.value.value()).copy_from(test::random_tensor(e.value.shape(), ++seed, 0.2, 0.3));
    TensorFile file;
    file.tensors = first->store->values();
    write_safetensors(folder / (name + ".safetensors"), file);
    Made second;
    second.store = std::make_shared<ParamStore>(99);
    second.block = Registry::global().make(name, Scope(second.store) / "net", channels, small(name));
    const Var x(test::random_tensor({1, channels, 6, 5}, 3).to(DType::f32));
    const auto want = call(name, *first->block, x).value().values();
    INFO(name);
    CHECK(call(name, *second.block, x).value().values() != want);
    second.store->load(read_safetensors(folder / (name + ".safetensors")).tensors);
    CHECK(call(name, *second.block, x).value().values() == want);

    TapScope taps("**");
    const auto tapped = call(name, *first->block, x).value().values();  // a wanted map may be computed another way
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(std::abs(tapped[i] - want[i]) <= 1e-5 * (1 + std::abs(want[i])));
    CHECK(taps.kept.empty() == (name == "har_sync_norm"));  // it makes no map
    for (const auto& [tap, value] : taps.kept) {
      CHECK(tap.rfind("net.", 0) == 0);
      if (tap.substr(tap.rfind('.') + 1) == "offset") continue;  // pixels
      if (name == "lam_channel") continue;        // its weights are of a first-order expansion: they may be negative
      const double high = name == "gct" ? 2 : 1;  // 1 + tanh
      for (const double v : value.value().values()) CHECK((v >= 0 && v <= high));  // gates and weights of a mixture
    }
  }
}

TEST_CASE("blocks: the names of taps are part of the contract") {
  const auto taps_of = [](const std::string& name, std::int64_t channels) {
    const auto made = make(name, channels);
    TapScope taps("**");
    (*made->block)(Var(Tensor::full({1, channels, 4, 4}, 0.5)));
    std::vector<std::string> names;
    for (const auto& [tap, value] : taps.kept) names.push_back(tap);
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(taps_of("pixel_attention", 4) == Names{"net.gate"});
  CHECK(taps_of("attention_branch", 4) == Names{"net.gate"});
  CHECK(taps_of("a2n_aab", 8) == Names{"net.weights", "net.attention.gate"});
  CHECK(taps_of("a2n_light", 3) == Names{"net.AAB_trunk.0.weights", "net.AAB_trunk.0.attention.gate"});
  CHECK(taps_of("a2n", 3) == Names{"net.AAB_trunk.0.weights", "net.AAB_trunk.0.attention.gate", "net.att1.gate"});
}
