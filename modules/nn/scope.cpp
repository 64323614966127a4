#include "modules/nn/scope.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "modules/autograd/tap.hpp"
#include "modules/core/budget.hpp"
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

// A thousand layers have some ten thousand parameters.
constexpr std::size_t kMostParameters = 65536;

std::uint64_t bytes_of(const Shape& shape) {
  constexpr std::uint64_t kEndless = UINT64_MAX / 8;  // the sum of two still fits
  return std::min(static_cast<std::uint64_t>(shape.elements()), kEndless / sizeof(float)) * sizeof(float);
}

std::string first_few(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 5 ? text + ", ... (" + std::to_string(names.size()) + ")" : text;
}

}  // namespace

// Addresses without memory behind them: pages come only where somebody writes.
struct ParamStore::Reserved {
  std::vector<std::pair<void*, std::size_t>> regions;  // growing
  ~Reserved() {
    for (const auto& [at, size] : regions) ::munmap(at, size);
  }
  void* at_least(std::size_t bytes) {
    if (!regions.empty() && regions.back().second >= bytes) return regions.back().first;
    const std::size_t size = std::max({bytes, std::size_t{1} << 20, regions.empty() ? 0 : 2 * regions.back().second});
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(at != MAP_FAILED, "memory: the system refused to reserve ", size, " bytes of addresses");
    regions.emplace_back(at, size);
    return at;
  }
};

std::shared_ptr<ParamStore> ParamStore::of_shapes() {
  auto store = std::make_shared<ParamStore>();
  store->reserved_ = std::make_shared<Reserved>();
  return store;
}

Tensor ParamStore::fresh(const Shape& shape, const Init& init) {
  if (reserved_) return Tensor::over(reserved_->at_least(bytes_of(shape)), shape, DType::f32, Layout::row_major);
  Tensor value = Tensor::empty(shape);
  if (!SkipInit::active()) init(value, random_);
  return value;
}

Var ParamStore::declare(const std::string& name, const Shape& shape, const Init& init, bool buffer) {
  if (auto it = index_.find(name); it != index_.end()) {
    const Entry& entry = entries_[it->second];
    check(entry.value.shape() == shape, name, ": declared twice, as ", entry.value.shape(), " and ", shape);
    return entry.value;
  }
  check_memory(bytes_ + bytes_of(shape), memory_limit(), "the parameters up to " + name);
  if (entries_.size() == kMostParameters)
    throw OverBudget(name + ": more than " + std::to_string(kMostParameters) + " parameters are too many for a network");
  Var v(fresh(shape, init), !buffer);
  bytes_ += bytes_of(shape);
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

ParamStore::LoadReport ParamStore::match(const std::map<std::string, Shape>& values, bool strict) const {
  LoadReport report;
  for (const Entry& e : entries_) {
    const auto it = values.find(e.name);
    if (it == values.end()) {
      report.missing.push_back(e.name);
      continue;
    }
    check(same_values(e.value.shape(), it->second), e.name, ": expected shape ", e.value.shape(), ", got ", it->second);
    report.loaded.push_back(e.name);
  }
  for (const auto& [name, value] : values)
    if (!index_.count(name)) report.unused.push_back(name);
  check(!strict || report.missing.empty(), "load: no value for ", first_few(report.missing));
  check(!strict || report.unused.empty(), "load: nothing is called ", first_few(report.unused));
  return report;
}

ParamStore::LoadReport ParamStore::load(const std::map<std::string, Tensor>& values, bool strict) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, value] : values) shapes[name] = value.shape();
  LoadReport report = match(shapes, strict);
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
