#include "modules/nn/registry.hpp"
#include "tests/golden/modules.hpp"

namespace fovea::golden {
namespace {

Subject layer_of_places_and_channels(const Case& c, const Scope& s, bool manet) {
  const Shape value = c.parameter("PAM.value_conv.weight"), query = c.parameter("PAM.query_conv.weight");
  std::map<std::string, std::string> options{{"position", manet ? "kernel_attention" : "lam_position"},
                                             {"convolutions", c.parameter("conv1.0.weight").rank() > 0 ? "true" : "false"}};
  if (query.rank() > 0) options["reduction"] = std::to_string(value[0] / query[0]);
  return {make("pam_cam", c, s, value[0], {}, options)};
}

}  // namespace

void add_gates(Adapters& all) {
  all.add("Attention_block", "", [](const Case& c, const Scope& s) {
    return Subject{
        .block = make("attention_gate", c, s, c.hyper.at("F_l"), {{"F_g", "gate_channels"}, {"F_int", "inter_channels"}}),
        .inputs = {"x", "g"},
        .taps = {{"psi", "spatial"}, {"map", "spatial"}}};
  });
  all.add("GridAttentionBlock2D", "", [](const Case& c, const Scope& s) {
    std::map<std::string, std::string> options{{"inter_channels", std::to_string(c.parameter("phi.weight")[0])},
                                               {"gate_channels", std::to_string(c.parameter("phi.weight")[1])}};
    if (c.hyper.contains("mode")) options["mode"] = text(c.hyper.at("mode"));
    const Shape kernel = c.parameter("theta.weight");
    const Args::Lists factor{{"sub_sample_factor", {std::to_string(kernel[2]), std::to_string(kernel[3])}}};
    return Subject{.block = Registry::global().make("grid_attention_gate", s, kernel[1], Args(c.module, options, {}, factor)),
                   .inputs = {"x", "g"},
                   .taps = {{"sigm_psi", "spatial"}, {"attention", "spatial"}}};
  });
  all.add("PAM_CAM_Layer", "MAResU-Net", [](const Case& c, const Scope& s) { return layer_of_places_and_channels(c, s, false); });
  all.add("PAM_CAM_Layer", "Multi-Attention-Network",
          [](const Case& c, const Scope& s) { return layer_of_places_and_channels(c, s, true); });
}

}  // namespace fovea::golden
