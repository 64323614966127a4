#include "tests/support/check_block.hpp"

#include "modules/autograd/tap.hpp"
#include "modules/ops/reshape.hpp"
#include "tests/support/catch.hpp"

namespace fovea::test {
namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

Tensor random_value(const ParamStore::Entry& e, std::uint64_t seed) {
  const bool around_one = ends_with(e.name, "running_var") || (e.value.shape().rank() == 1 && ends_with(e.name, "weight"));
  return random_tensor(e.value.shape(), seed, around_one ? 1 : 0, around_one ? 0.1 : 0.3);
}

}  // namespace

MadeBlock make_block(const std::string& name, std::int64_t channels, const Options& options, const Args::Lists& lists) {
  MadeBlock made;
  made.block = Registry::global().make(name, Scope(made.store) / "net", channels, Args("test", options, {}, lists));
  return made;
}

void randomise(ParamStore& store) {
  std::uint64_t seed = 100;
  store.to(DType::f64);
  for (const auto& e : store.entries()) {
    Var v = e.value;
    v.set_value(random_value(e, ++seed));
  }
}

void check_block(const std::string& name, std::int64_t channels, const Tensors& inputs, const Options& options,
                 const Args::Lists& lists, const std::set<std::string>& flat, OpCheck check) {
  const MadeBlock made = make_block(name, channels, options, lists);
  Tensors all = inputs;
  for (const auto& e : made.store->entries()) {
    if (e.buffer) continue;
    if (flat.count(e.name)) check.fixed.insert(all.size());
    check.parameters.insert(all.size());
    all.push_back(random_value(e, 100 + all.size()));
  }
  check.bf16 = false;  // its bounds are those of one op
  check.strided = false;
  check.conditioning = std::max(check.conditioning, 8.0);  // some ten contractions one behind the other
  const auto f = [&](const Vars& in) {
    const MadeBlock fresh = make_block(name, channels, options, lists);
    std::size_t i = inputs.size();
    for (const auto& e : fresh.store->entries()) {
      Var v = e.value;
      if (e.buffer) v.set_value(random_value(e, 99).to(DType::f32));
      else *v.state() = *reshape(in.at(i++), v.shape()).state();
      v.state()->parameter = true;
    }
    return (*fresh.block)(Vars(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(inputs.size())));
  };
  check_op(name, f, all, check);
}

Tensor tap_of(const Block& block, const Vars& in, const std::string& name) {
  TapScope taps("**");
  block(in);
  for (const auto& [path, value] : taps.kept)
    if (path == name) return value.value();
  FAIL("no tap is called " << name);
  return {};
}

}  // namespace fovea::test
