#include "modules/plan/constants.hpp"

#include <algorithm>

namespace fovea::plan {
namespace {

constexpr std::size_t kShared = 65536;  // bytes

}  // namespace

std::size_t Constants::want(Id id, std::function<Tensor(const Tensor&)> change) {
  wanted_.emplace_back(id, std::move(change));
  return wanted_.size() - 1;
}

void Constants::freeze() {
  std::vector<Id> open;
  for (const auto& [id, change] : wanted_) open.push_back(id);
  while (!open.empty()) {
    const Id id = open.back();
    open.pop_back();
    if (id < 0 || recipes_.count(id)) continue;
    const auto& recipe = (*values_)[static_cast<std::size_t>(id)].constant;
    recipes_[id] = recipe;
    open.insert(open.end(), recipe->inputs.begin(), recipe->inputs.end());
    if (recipe->source.defined()) sources_.push_back({recipe->source, 0});
  }
  values_ = nullptr;
}

std::shared_ptr<const Tensors> Constants::current() {
  std::lock_guard lock(mutex_);
  if (!ready_ || stale()) make();
  return ready_;
}

bool Constants::stale() const {
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& s) { return s.tensor.storage()->version != s.version; });
}

void Constants::make() {
  for (Source& s : sources_) s.version = s.tensor.storage()->version;
  std::map<Id, Tensor> made;
  auto all = std::make_shared<Tensors>();
  for (const auto& [id, change] : wanted_) {
    const Tensor t = value(id, made);
    all->push_back(change ? change(t) : t);
    // Small ones are shared by several; a scaled weight is used once, and all of a network's would be as large as it is.
    std::erase_if(made, [](const auto& m) { return m.second.defined() && m.second.bytes() > kShared; });
  }
  ready_ = std::move(all);
}

Tensor Constants::value(Id id, std::map<Id, Tensor>& made) {
  if (id < 0) return {};
  if (const auto it = made.find(id); it != made.end()) return it->second;
  const Recipe& recipe = *recipes_.at(id);
  if (recipe.source.defined()) return recipe.source;
  Tensors in;
  for (const Id i : recipe.inputs) in.push_back(value(i, made));
  return made[id] = recipe.make(in);
}

std::size_t Constants::bytes() {
  const auto all = current();
  std::size_t total = 0;
  for (const Tensor& t : *all) {
    const auto from = [&](const Source& s) { return s.tensor.shares_storage(t); };
    if (t.defined() && std::none_of(sources_.begin(), sources_.end(), from)) total += t.storage()->bytes;
  }
  return total;
}

}  // namespace fovea::plan
