// The memory of a model's parameters: there; or, for one that only runs, given back behind every plan that was made from them and read
// from the model's file again when another is made.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "modules/nn/scope.hpp"

namespace fovea {

class Weights {
 public:
  explicit Weights(std::shared_ptr<ParamStore> params) : params_(std::move(params)) {}

  // Takes the parameters' values from a file's tensors, strictly.
  void load(const std::filesystem::path& file, const std::map<std::string, Tensor>& tensors);

  // From now on with_making() gives the parameters back. Error without a file, or where they are not the file's any more.
  void release();

  // The parameters are there while the lock is held.
  std::shared_lock<std::shared_mutex> use();
  // Runs `make` while they are there; of those that are released one at a time, and they are given back behind it.
  void with_making(const std::function<void(bool released)>& make);

  struct Facts {
    std::uint64_t identity = 0;  // changes when a parameter's memory does, as opposed to its values
    bool f32 = true;             // every parameter that is a floating number
  };
  Facts facts() const;
  std::string fingerprint() const;  // of the values: 16 hexadecimal digits that nobody is kept from forging

 private:
  struct Left {  // of a parameter that is away
    std::uint64_t id, version;
    DType dtype;
  };
  bool away() const { return !left_.empty(); }
  bool as_loaded() const;
  Facts facts_of_values() const;
  void give_back();
  void read_again();

  std::shared_ptr<ParamStore> params_;
  std::filesystem::path file_;
  mutable std::shared_mutex mutex_;
  bool released_ = false;
  std::vector<std::uint64_t> loaded_;  // versions, as the file's values had them
  std::vector<Left> left_;             // of every parameter while they are away
  std::string print_;                  // of the file's values, once they are released
  Facts facts_;                        // while they are away
};

}  // namespace fovea
