// Every block of every kind in every slot of every backbone, at tiny sizes: forward, backward, save, load; with `start: identity` the
// output stays what it was. One network holds one block in a slot of each position at a time.
#include <algorithm>
#include <map>
#include <set>

#include "modules/model.hpp"
#include "modules/network.hpp"
#include "modules/nn/registry.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/misfits.hpp"
#include "tests/support/small_networks.hpp"

using namespace fovea;
using fovea::test::blocks;
using fovea::test::kSmall;
using fovea::test::max_difference;
using fovea::test::picture;
using fovea::test::recipe;
using fovea::test::rule;
using fovea::test::slot_paths;
using fovea::test::Small;

namespace {

const std::set<std::string> kSameFamily{"resnet", "resnet34",  "resnet101", "mobilenet_v3_large", "vgg13",     "vgg16",
                                        "vgg19",  "vit_small", "vit_base",  "swin_small",         "swin_base", "swin_v2_small"};

// Of the block's own parameters: how many there are, and how many of them have a gradient.
struct Own {
  int all = 0, with_gradient = 0;
};
Own own_parameters(const Model& model, const std::string& path) {
  Own own;
  for (const auto& e : model.params()->entries()) {
    if (e.name.rfind(path, 0) != 0 || e.buffer) continue;
    ++own.all;
    own.with_gradient += e.value.grad().defined();
  }
  return own;
}

void train_and_save(const Model& model, const Tensor& x, const std::string& path) {
  Random random(1);
  {
    Training training(random);
    const Var y = model.forward(Var(x, true));
    std::vector<int> axes;
    for (int a = 0; a < y.shape().rank(); ++a) axes.push_back(a);
    sum(y * y, axes, false).backward();
  }
  const Own own = own_parameters(model, path);
  CHECK((own.all == 0 || own.with_gradient > 0));
  const Tensor before = model.run(x);
  for (const double v : before.values()) CHECK(std::isfinite(v));
  const test::Folder folder;
  model.save(folder / "m.safetensors");
  CHECK(Model::load((folder / "m.safetensors").string()).run(x).values() == before.values());
}

bool try_block(const Small& s, const std::string& at, const std::string& block) {
  INFO(s.backbone << " " << at << " " << block);
  const Tensor x = picture(s);
  const bool fits = test::fits_or_says_why(
      s, at, block, [&] { train_and_save(Model::from_recipe(recipe(s, rule(at, block, false)), 3), x, at + "." + block); });
  if (!fits) return false;
  const Model plain = Model::from_recipe(recipe(s, ""), 3);
  const Model identity = Model::from_recipe(recipe(s, rule(at, block, true)), 4);
  identity.params()->load(plain.params()->values(), false);
  CHECK(max_difference(identity.run(x), plain.run(x)) < 1e-5);
  return true;
}

}  // namespace

TEST_CASE("every block: the small networks stand for every registered backbone") {
  std::set<std::string> known = kSameFamily;
  for (const Small& s : kSmall) known.insert(s.backbone);
  for (const std::string& name : Registry::global().names(Kind::backbone)) {
    INFO(name);
    CHECK(known.count(name) == 1);
  }
}

TEST_CASE("every block: fits a slot of a residual network, and changes nothing when it starts as the identity") {
  const Small& s = kSmall.front();
  for (const std::string& block : blocks()) {
    INFO(block);
    CHECK(try_block(s, "backbone.layer1.0.pre_add", block));
  }
}

TEST_CASE("every block: in every kind of slot of every backbone", "[slow]") {
  for (const Small& s : kSmall) {
    const auto all = slot_paths(Model::from_recipe(recipe(s, "")));
    CHECK(!all.empty());
    std::map<std::string, int> worked;
    std::size_t turn = 0;  // the blocks take turns at the positions of a kind
    for (const auto& [kind, at] : all)
      for (const std::string& block : blocks()) worked[block] += try_block(s, at[turn++ % at.size()], block);
    for (const auto& [block, count] : worked) {
      INFO(s.backbone << " " << block);
      CHECK(count > 0);
    }
  }
}

TEST_CASE("every block: one block in each position of every backbone") {
  for (const Small& s : kSmall)
    for (const auto& [kind, paths] : slot_paths(Model::from_recipe(recipe(s, ""))))
      for (const std::string& at : paths) {
        INFO(s.backbone << " " << at);
        CHECK(try_block(s, at, "pixel_attention"));
      }
}
