// A block's options: read by name with a default and a description. Unknown names are errors with a suggestion.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "modules/core/error.hpp"

namespace fovea {

class Args {
 public:
  struct Described {
    std::string name, fallback, text;
  };

  Args() = default;
  // `where` opens messages ("recipe.yaml:12"); values are the recipe's scalars as text. `nested` names lists and mappings: nobody
  // can read them here, so that asking for one, or leaving one over, is an error.
  Args(std::string where, std::map<std::string, std::string> values, std::set<std::string> nested = {})
      : where_(std::move(where)), values_(std::move(values)), nested_(std::move(nested)) {}

  int get(const std::string& name, int fallback, const std::string& text);
  double get(const std::string& name, double fallback, const std::string& text);
  bool get(const std::string& name, bool fallback, const std::string& text);
  std::string get(const std::string& name, const char* fallback, const std::string& text);
  int require(const std::string& name, const std::string& text);

  // Error when a value was given that nobody read.
  void done() const;
  const std::vector<Described>& described() const { return described_; }

 private:
  const std::string* find(const std::string& name, const std::string& fallback, const std::string& text);

  std::string where_;
  std::map<std::string, std::string> values_;
  std::set<std::string> nested_;
  std::vector<Described> described_;
};

// The candidate nearest to `word` by edit distance, or "" when none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace fovea
