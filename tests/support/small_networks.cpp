#include "tests/support/small_networks.hpp"

#include <set>

#include "modules/core/random.hpp"
#include "modules/core/threads.hpp"
#include "modules/nn/registry.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/misfits.hpp"
#include "tests/support/tensors.hpp"

namespace fovea::test {

const std::vector<Small> kSmall{
    {"resnet18", "layers: [1, 1], widths: [16, 16], stem: cifar", 8, 8},
    {"resnet50", "layers: [1], widths: [16], stem: deep, pooled_shortcut: true", 16, 16},
    {"mobilenet_v2", "width: 0.05", 32, 32},
    {"mobilenet_v3_small", "width: 0.1", 32, 32},
    {"vgg11", "layers: [16, M, 16, M]", 8, 8},
    {"vit_tiny", "size: 16, patch: 8, width: 16, depth: 1, heads: 2", 16, 16},
    {"swin_tiny", "size: 16, patch: 4, width: 16, depths: [1, 1], heads: [2, 2], window: 2", 16, 16},
    {"swin_v2_tiny", "size: 16, patch: 4, width: 16, depths: [2], heads: [2], window: 2", 16, 16},
    {"unet", "widths: [16, 16]", 8, 8, "{type: segment, classes: 2}"},
    {"attention_unet", "widths: [16, 16]", 8, 8, "{type: segment, classes: 2}"},
    {"maresunet", "layers: [1, 1, 1, 1], widths: [16, 16, 16, 16], final_width: 8", 32, 32, "{type: segment, classes: 2}"},
};

std::string recipe(const Small& s, const std::string& rules) {
  return "fovea: 1\nmodel:\n  backbone: {type: " + s.backbone + ", " + s.options + "}\n" +
         (rules.empty() ? "" : "  attention:\n" + rules) + "  head: " + s.head + "\n";
}

std::string rule(const std::string& at, const std::string& block, bool identity) {
  return "    - {at: \"" + at + "\", type: " + block + (identity ? ", start: identity" : "") + "}\n";
}

Tensor picture(const Small& s) { return pictures({2, 3, s.height, s.width}, 5); }

bool check_block_in(const Small& s, const std::string& at, const std::string& block,
                    const std::function<void(const Model&, const Tensor&)>& check) {
  INFO(s.backbone << " " << at << " " << block);
  std::optional<Model> model;
  const Tensor x = picture(s);
  const bool fits = fits_or_says_why(s, at, block, [&] {
    model = Model::from_recipe(recipe(s, rule(at, block, false)), 3);
    const NoGrad no_grad;
    const ThreadScope thread_scope;
    model->forward(Var(x));
  });
  if (!fits) return false;
  scatter(*model, 5);
  check(*model, x);
  return true;
}

const char* const kCbam = R"(fovea: 1
model:
  backbone: {type: resnet50, layers: [1, 1], widths: [16, 32]}
  attention: [{at: "backbone.layer*.*.pre_add", type: cbam}]
  head: {type: classify, classes: [a, b, c]}
)";

Tensor pictures(const Shape& shape, std::uint64_t seed) {
  return random_tensor(shape, seed).to(DType::f32).contiguous(Layout::channels_last);
}

void scatter(const Model& model, std::uint64_t seed) {
  Random random(seed);
  for (const auto& e : model.params()->entries()) {
    Tensor t = e.value.value();
    if (t.dtype() != DType::f32) continue;
    const bool variance = e.name.find("running_var") != std::string::npos;
    if (t.rank() == 1) random.fill_uniform(t, variance ? 0.5 : -0.2, variance ? 1.5 : 0.8);
    t.touch();
  }
}

Tensors floating_parameters(const Model& model) {
  Tensors out;
  for (const auto& e : model.params()->entries())
    if (e.value.dtype() == DType::f32) out.push_back(e.value.value());
  return out;
}

Tensors matrices(const Model& model) {
  Tensors out;
  for (const Tensor& t : floating_parameters(model))
    if (t.rank() > 1) out.push_back(t);
  return out;
}

Tensors planned(const plan::Plan& plan, const Tensor& x) {
  const auto r = plan.run({x});
  Tensors out = r.outputs;
  for (const auto& t : r.taps) out.push_back(t.value);
  return out;
}

std::map<std::string, std::vector<std::string>> slot_paths(const Model& model) {
  std::map<std::string, std::vector<std::string>> out;
  std::set<std::string> seen;
  for (const auto& o : model.slots())
    if (seen.insert(o.kind + ":" + (o.kind == "conv" ? "" : o.path.substr(o.path.rfind('.') + 1))).second)
      out[o.kind].push_back(o.path);
  return out;
}

std::vector<std::string> blocks() {
  std::vector<std::string> out;
  for (const Kind kind : {Kind::map, Kind::tokens, Kind::conv, Kind::gate, Kind::levels})
    for (const std::string& name : Registry::global().names(kind)) out.push_back(name);
  return out;
}

}  // namespace fovea::test
