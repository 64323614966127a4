#include "modules/nn/scope.hpp"

#include "modules/autograd/tap.hpp"
#include "modules/nn/skip_init.hpp"

namespace fovea {
namespace {

// Shapes that hold the same matrix: O x I and O x I x 1 x 1.
bool same_values(const Shape& a, const Shape& b) {
  if (a == b) return true;
  const Shape &longer = a.rank() > b.rank() ? a : b, &shorter = a.rank() > b.rank() ? b : a;
  if (shorter.rank() != 2 || longer.rank() != 4) return false;
  return longer[0] == shorter[0] && longer[1] == shorter[1] && longer[2] == 1 && longer[3] == 1;
}

std::string first_few(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 5 ? text + ", ... (" + std::to_string(names.size()) + ")" : text;
}

}  // namespace

Var ParamStore::declare(const std::string& name, const Shape& shape, const Init& init, bool buffer) {
  if (auto it = index_.find(name); it != index_.end()) {
    const Entry& entry = entries_[it->second];
    check(entry.value.shape() == shape, name, ": declared twice, as ", entry.value.shape(), " and ", shape);
    return entry.value;
  }
  Tensor value = Tensor::empty(shape);
  if (!SkipInit::active()) init(value, random_);
  Var v(std::move(value), !buffer);
  v.mark_parameter();
  index_[name] = entries_.size();
  entries_.push_back({name, v, buffer});
  return v;
}

const ParamStore::Entry* ParamStore::find(const std::string& name) const {
  auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

std::vector<Var> ParamStore::trainable() const {
  std::vector<Var> out;
  for (const Entry& e : entries_)
    if (e.value.requires_grad()) out.push_back(e.value);
  return out;
}

std::int64_t ParamStore::count() const {
  std::int64_t n = 0;
  for (const Entry& e : entries_)
    if (!e.buffer) n += e.value.shape().elements();
  return n;
}

void ParamStore::freeze(const std::string& glob) {
  bool any = false;
  for (Entry& e : entries_)
    if (glob_match(glob, e.name)) {
      e.value.set_requires_grad(false);
      any = true;
    }
  check(any, "freeze: '", glob, "' matches no parameter; the first are ", entries_.empty() ? "none" : entries_.front().name);
}

void ParamStore::zero_grad() {
  for (Entry& e : entries_) e.value.zero_grad();
}

void ParamStore::to(DType dtype) {
  for (Entry& e : entries_) e.value.state()->value = e.value.value().to(dtype);
}

ParamStore::LoadReport ParamStore::load(const std::map<std::string, Tensor>& values, bool strict) {
  LoadReport report;
  for (const Entry& e : entries_) {
    const auto it = values.find(e.name);
    if (it == values.end()) {
      report.missing.push_back(e.name);
      continue;
    }
    check(same_values(e.value.shape(), it->second.shape()), e.name, ": expected shape ", e.value.shape(), ", got ",
          it->second.shape());
    report.loaded.push_back(e.name);
  }
  for (const auto& [name, value] : values)
    if (!index_.count(name)) report.unused.push_back(name);
  check(!strict || report.missing.empty(), "load: no value for ", first_few(report.missing));
  check(!strict || report.unused.empty(), "load: nothing is called ", first_few(report.unused));
  for (const std::string& name : report.loaded) {  // only now: a refused load changes nothing
    Var v = find(name)->value;
    v.set_value(values.at(name).reshape(v.shape()));
  }
  return report;
}

std::map<std::string, Tensor> ParamStore::values() const {
  std::map<std::string, Tensor> out;
  for (const Entry& e : entries_) out[e.name] = e.value.value();
  return out;
}

Var Scope::param(const std::string& name, const Shape& shape, const Init& init) const {
  return store_->declare((*this / name).path(), shape, init, false);
}

Var Scope::buffer(const std::string& name, const Shape& shape, double value) const {
  return buffer(name, shape, init::constant(value));
}

Var Scope::buffer(const std::string& name, const Shape& shape, const Init& init) const {
  return store_->declare((*this / name).path(), shape, init, true);
}

Scope Scope::starting(const std::string& name, const Shape& shape, const Init& init) const {
  param(name, shape, init);
  return *this;
}

}  // namespace fovea
