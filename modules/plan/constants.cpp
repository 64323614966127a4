#include "modules/plan/constants.hpp"

#include <algorithm>
#include <set>

namespace fovea::plan {
namespace {

constexpr std::size_t kShared = 65536;  // bytes

// Identifies the values of a tensor: its storage, the version of that, and the view of it.
std::string key_of(const Tensor& t) {
  const auto offset = static_cast<const char*>(t.raw()) - static_cast<const char*>(t.storage()->data);
  std::ostringstream text;
  text << t.storage()->id << '.' << t.storage()->version << '+' << offset << ':' << name_of(t.dtype()) << t.shape()
       << t.strides();
  return text.str();
}

}  // namespace

std::size_t Constants::want(Id id, Transform transform, std::string key) {
  wanted_.push_back({id, std::move(transform), std::move(key)});
  return wanted_.size() - 1;
}

void Constants::freeze() {
  std::vector<Id> open;
  for (const Wanted& w : wanted_) open.push_back(w.id);
  while (!open.empty()) {
    const Id id = open.back();
    open.pop_back();
    if (id < 0 || exprs_.count(id)) continue;
    const auto& expr = (*values_)[static_cast<std::size_t>(id)].constant;
    exprs_[id] = expr;
    open.insert(open.end(), expr->inputs.begin(), expr->inputs.end());
    if (expr->source.defined()) sources_.push_back({expr->source, 0});
  }
  values_ = nullptr;
}

std::shared_ptr<const Tensors> Constants::current() {
  std::lock_guard lock(mutex_);
  if (!ready_ || stale()) make();
  return {ready_, &ready_->values};
}

bool Constants::stale() const {
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& s) { return s.tensor.storage()->version != s.version; });
}

void Constants::make() {
  std::vector<Source> sources = sources_;
  for (Source& s : sources) s.version = s.tensor.storage()->version;
  std::map<Id, Tensor> made;
  auto all = std::make_shared<Ready>();
  for (const Wanted& w : wanted_) {
    const auto here = [&] { return w.transform ? w.transform(value(w.id, made)) : value(w.id, made); };
    const bool source = w.id >= 0 && exprs_.at(w.id)->source.defined();
    if (source && !w.transform) {
      all->values.push_back(exprs_.at(w.id)->source);
      continue;
    }
    const std::string from = key(w.id);
    const bool named = !from.empty() && (!w.transform || !w.key.empty());
    all->shared.push_back(shared_->get(named ? w.key + "(" + from + ")" : "", here));
    all->values.push_back(*all->shared.back());
    // Small intermediate values are kept, since several constants use them; large ones, such as scaled weights, are used once.
    std::erase_if(made, [](const auto& m) { return m.second.defined() && m.second.bytes() > kShared; });
  }
  ready_ = std::move(all), sources_ = std::move(sources);  // last, so that a failure before this is tried again
}

Tensor Constants::value(Id id, std::map<Id, Tensor>& made) const {
  if (id < 0) return {};
  if (const auto it = made.find(id); it != made.end()) return it->second;
  const ConstantExpr& expr = *exprs_.at(id);
  if (expr.source.defined()) return expr.source;
  Tensors in;
  for (const Id i : expr.inputs) in.push_back(value(i, made));
  return made[id] = expr.make(in);
}

std::string Constants::key(Id id) const {
  if (id < 0) return "none";
  const ConstantExpr& expr = *exprs_.at(id);
  if (expr.source.defined()) return key_of(expr.source);
  std::string text = expr.key;
  for (const Id i : expr.inputs) {
    const std::string input = key(i);
    if (text.empty() || input.empty()) return {};
    text += "(" + input + ")";
  }
  return text;
}

std::size_t Constants::bytes() {
  const auto all = current();
  std::set<const Storage*> own;
  std::size_t total = 0;
  for (const Tensor& t : *all) {
    const auto from = [&](const Source& s) { return s.tensor.shares_storage(t); };
    if (!t.defined() || std::any_of(sources_.begin(), sources_.end(), from)) continue;
    if (own.insert(t.storage().get()).second) total += t.storage()->bytes;
  }
  return total;
}

void Constants::release_parameters() {
  current();
  std::lock_guard lock(mutex_);
  sources_.clear(), exprs_.clear(), wanted_.clear();
}

}  // namespace fovea::plan
