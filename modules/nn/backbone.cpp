#include "modules/nn/backbone.hpp"

#include <algorithm>

namespace fovea {

void Backbone::offer(const std::string& name, std::int64_t channels, int stride) {
  features_.push_back({name, channels, stride});
  selected_ = {features_.back()};
}

void Backbone::select(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  std::string all;
  for (const Feature& f : features_) known.push_back(f.name), all += (all.empty() ? "" : ", ") + f.name;
  for (const std::string& name : names) {
    const std::string near = nearest(name, known);
    check(std::find(known.begin(), known.end(), name) != known.end(), "features: there is no '", name, "'",
          near.empty() ? "" : "; did you mean '" + near + "'?", "; this backbone has ", all);
  }
  check(!names.empty(), "features: expected at least one of ", all);
  selected_.clear();
  for (const Feature& f : features_)
    if (std::find(names.begin(), names.end(), f.name) != names.end()) selected_.push_back(f);
}

Vars Backbone::forward(const Vars& in) const {
  check(in.size() == 1, "expected one image, got ", in.size(), " values");
  const auto last =
      std::find_if(features_.begin(), features_.end(), [&](const Feature& f) { return f.name == selected_.back().name; });
  const Vars all = run(in[0], static_cast<std::size_t>(last - features_.begin()) + 1);
  Vars out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (std::any_of(selected_.begin(), selected_.end(), [&](const Feature& f) { return f.name == features_[i].name; }))
      out.push_back(all[i]);
  }
  return out;
}

Var Backbone::give(Vars& out, const Var& y) const {
  out.push_back(tap(features_.at(out.size()).name, y));
  return out.back();
}

}  // namespace fovea
