#include "modules/explain/methods.hpp"

#include <algorithm>

#include "modules/nn/args.hpp"

namespace fovea::explain {

const std::vector<Method>& methods() {
  using K = LayerKind;
  static const std::vector<Method> all{{"attention",
                                        "the maps and gates that attention blocks computed",
                                        "of each block's paper",
                                        {K::spatial, K::channel, K::attention, K::received},
                                        false,
                                        attention},
                                       {"rollout",
                                        "self-attention multiplied through the layers",
                                        "Abnar & Zuidema 2020, arXiv:2005.00928",
                                        {K::attention},
                                        false,
                                        rollout},
                                       {"grad_cam",
                                        "activations weighted by the mean gradient",
                                        "Selvaraju et al. 2017, arXiv:1610.02391",
                                        {K::map, K::spatial, K::tokens},
                                        true,
                                        grad_cam,
                                        true},
                                       {"grad_cam++",
                                        "activations weighted by positive gradients, position by position",
                                        "Chattopadhay et al. 2018, arXiv:1710.11063",
                                        {K::map, K::spatial, K::tokens},
                                        true,
                                        grad_cam_plus_plus,
                                        true},
                                       {"score_cam",
                                        "activations weighted by what the score is when only they are seen",
                                        "Wang et al. 2020, arXiv:1910.01279",
                                        {K::map, K::spatial, K::tokens},
                                        true,
                                        score_cam},
                                       {"occlusion",
                                        "how much the score falls when a window hides a position",
                                        "Zeiler & Fergus 2014, arXiv:1311.2901",
                                        {},
                                        true,
                                        occlusion},
                                       {"input_gradient",
                                        "largest gradient over the channels of a pixel",
                                        "Simonyan et al. 2014, arXiv:1312.6034",
                                        {},
                                        true,
                                        input_gradient,
                                        true},
                                       {"smooth_grad",
                                        "mean of the input gradient over noisy copies",
                                        "Smilkov et al. 2017, arXiv:1706.03825",
                                        {},
                                        true,
                                        smooth_grad,
                                        true},
                                       {"integrated_gradients",
                                        "gradients on the way from a blank picture, times the way",
                                        "Sundararajan et al. 2017, arXiv:1703.01365",
                                        {},
                                        true,
                                        integrated_gradients,
                                        true}};
  return all;
}

const Method& method(const std::string& name) {
  std::vector<std::string> names;
  std::string all;
  for (const Method& m : methods()) {
    if (m.name == name) return m;
    names.push_back(m.name);
    all += (all.empty() ? "" : ", ") + m.name;
  }
  const std::string near = nearest(name, names);
  fail("explain: no method is called '", name, "'", near.empty() ? "" : "; did you mean '" + near + "'?", "; there are ", all);
}

}  // namespace fovea::explain
