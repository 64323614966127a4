// Parameters by path. Constructing a layer with a Scope declares its parameters; PyTorch's state-dict names fall out of the paths.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/autograd/var.hpp"
#include "modules/nn/init.hpp"

namespace fovea {

class ParamStore {
 public:
  struct Entry {
    std::string name;  // "AAB_trunk.0.conv_first.weight"
    Var value;
    bool buffer = false;  // running statistics: saved, never trained
  };

  explicit ParamStore(std::uint64_t seed = 0) : random_(seed) {}
  // One whose parameters have shapes alone, to count with: all of them lie in the same reserved addresses, and none is initialised.
  static std::shared_ptr<ParamStore> of_shapes();

  // Declares (initialised) or finds again. Error when the name exists with another shape; OverBudget where all parameters together would
  // take more than memory_limit(), or are more than a network has.
  Var declare(const std::string& name, const Shape& shape, const Init& init, bool buffer);

  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* find(const std::string& name) const;
  std::vector<Var> trainable() const;             // parameters that want gradients, in order of declaration
  std::int64_t count() const;                     // values in parameters, buffers apart
  std::uint64_t bytes() const { return bytes_; }  // of all of them, in f32
  void freeze(const std::string& glob);
  void zero_grad();
  void to(DType dtype);  // f64 for the reference runs

  struct LoadReport {
    std::vector<std::string> loaded, missing, unused;
  };
  // Copies values by name; a value of the wrong shape is an error. `missing` are declared names without a value, `unused` the
  // given names that nothing declares. With strict both are errors. O x I and O x I x 1 x 1 count as the same shape.
  LoadReport load(const std::map<std::string, Tensor>& values, bool strict = true);
  // What load() would say of values of these shapes.
  LoadReport match(const std::map<std::string, Shape>& values, bool strict = true) const;
  std::map<std::string, Tensor> values() const;

 private:
  struct Reserved;
  Tensor fresh(const Shape& shape, const Init& init);

  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> index_;
  Random random_;
  std::uint64_t bytes_ = 0;
  std::shared_ptr<Reserved> reserved_;  // null: parameters have memory of their own
};

class SlotRules;

// A place in the tree of modules; `rules` say which blocks go into which slots (slot.hpp).
class Scope {
 public:
  Scope(std::shared_ptr<ParamStore> store, std::string path = {}, std::shared_ptr<SlotRules> rules = {})
      : store_(std::move(store)), path_(std::move(path)), rules_(std::move(rules)) {}

  Scope operator/(const std::string& name) const { return {store_, path_.empty() ? name : path_ + "." + name, rules_}; }
  Scope operator/(std::int64_t index) const { return *this / std::to_string(index); }
  Var param(const std::string& name, const Shape& shape, const Init& init) const;
  Var buffer(const std::string& name, const Shape& shape, double value) const;
  Var buffer(const std::string& name, const Shape& shape, const Init& init) const;
  // This place, with one parameter declared ahead of the layer that uses it: for starting values that are not the layer's own.
  Scope starting(const std::string& name, const Shape& shape, const Init& init) const;
  const std::string& path() const { return path_; }
  const std::shared_ptr<ParamStore>& store() const { return store_; }
  const std::shared_ptr<SlotRules>& rules() const { return rules_; }  // null: no slot holds anything

 private:
  std::shared_ptr<ParamStore> store_;
  std::string path_;
  std::shared_ptr<SlotRules> rules_;
};

}  // namespace fovea
