// A block's options: read by name with a default and a description. Unknown names are errors with a suggestion.
#pragma once

#include <limits>
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
  using Lists = std::map<std::string, std::vector<std::string>>;
  // `where` opens messages ("recipe.yaml:12"); values are the recipe's scalars as text, `lists` its lists of scalars. `nested` names
  // what is neither: nobody can read it here, so that asking for it, or leaving it over, is an error.
  Args(std::string where, std::map<std::string, std::string> values, std::set<std::string> nested = {}, Lists lists = {})
      : where_(std::move(where)), values_(std::move(values)), nested_(std::move(nested)), lists_(std::move(lists)) {}

  // What a number may be, both ends in.
  struct Range {
    double least, most;
  };
  // Of all whole numbers that have no range of their own. Within what fits an int unless said.
  void bound(Range whole) { bound_ = whole; }

  int get(const std::string& name, int fallback, const std::string& text);
  int get(const std::string& name, int fallback, const std::string& text, Range range);
  double get(const std::string& name, double fallback, const std::string& text);
  double get(const std::string& name, double fallback, const std::string& text, Range range);
  bool get(const std::string& name, bool fallback, const std::string& text);
  std::string get(const std::string& name, const char* fallback, const std::string& text);
  // A list of scalars; a single scalar counts as a list of one.
  std::vector<std::string> list(const std::string& name, const std::vector<std::string>& fallback, const std::string& text);
  std::vector<int> list(const std::string& name, const std::vector<int>& fallback, const std::string& text);
  std::vector<int> list(const std::string& name, const std::vector<int>& fallback, const std::string& text, Range range);
  std::vector<double> numbers(const std::string& name, const std::vector<double>& fallback, const std::string& text);
  // An option that is read elsewhere, because it holds more than plain values.
  void elsewhere(const std::string& name, const std::string& text) { described_.push_back({name, "", text}); }
  int require(const std::string& name, const std::string& text);

  // Error when a value was given that nobody read.
  void done() const;
  const std::vector<Described>& described() const { return described_; }
  const std::string& where() const { return where_; }
  bool has(const std::string& name) const { return values_.count(name) || lists_.count(name); }
  // Stands in for an option that was not given, if the block has it: what a slot knows about its place.
  void suggest(const std::string& name, const std::string& value) { suggested_[name] = value; }

 private:
  int whole(const std::string& name, const std::string& text, Range range) const;
  const std::string* find(const std::string& name, const std::string& fallback, const std::string& text);

  std::string where_;
  std::map<std::string, std::string> values_;
  std::set<std::string> nested_;
  Lists lists_;
  std::map<std::string, std::string> suggested_;
  std::vector<Described> described_;
  Range bound_{std::numeric_limits<int>::min(), std::numeric_limits<int>::max()};
};

// The candidate nearest to `word` by edit distance, or "" when none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace fovea
