// Values by name, in the order in which they were added: what a network takes and gives, what a batch holds.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/core/tensor.hpp"

namespace fovea {

template <class T>
class Named {
 public:
  using Entry = std::pair<std::string, T>;

  Named() = default;
  Named(std::initializer_list<Entry> entries) : entries_(entries) {}

  void add(std::string name, T value) {
    check(!find(name), "'", name, "' is there already");
    entries_.emplace_back(std::move(name), std::move(value));
  }
  const T* find(const std::string& name) const {
    for (const Entry& e : entries_)
      if (e.first == name) return &e.second;
    return nullptr;
  }
  // Error that names what there is.
  const T& at(const std::string& name) const {
    const T* found = find(name);
    if (found) return *found;
    std::string all;
    for (const Entry& e : entries_) all += (all.empty() ? "" : ", ") + e.first;
    fail("there is no '", name, "'; there is ", all.empty() ? "nothing" : all);
  }
  T& at(const std::string& name) { return const_cast<T&>(std::as_const(*this).at(name)); }
  const T& first() const {
    check(!entries_.empty(), "expected at least one value, there is none");
    return entries_.front().second;
  }
  T& first() { return const_cast<T&>(std::as_const(*this).first()); }

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

using NamedTensors = Named<Tensor>;

}  // namespace fovea
