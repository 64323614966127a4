// YAML recipes as a tree with line numbers. Hides yaml-cpp; refuses what is not a plain tree of reasonable size.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "modules/nn/args.hpp"

namespace fovea {

class Yaml {
 public:
  // `where` opens messages: a file name. Error with line and column for what does not parse.
  static Yaml parse(const std::string& text, const std::string& where);

  bool has(const std::string& key) const { return children_.count(key) > 0; }
  // The child under a key; Error when absent.
  const Yaml& at(const std::string& key) const;
  // Error naming the key and its line when there is a key outside `known`.
  void only(const std::vector<std::string>& known) const;
  // The scalars and lists of scalars of this mapping, for reading by name with defaults. What is nested deeper cannot be read so: see Args.
  Args args() const;
  const std::vector<Yaml>& items() const { return items_; }
  const std::vector<std::string>& keys() const { return order_; }  // of a mapping, as written
  const std::string& scalar() const;
  std::string where() const;  // "recipe.yaml:12"

  // Sets a scalar by dotted path ("train.steps"), making mappings on the way.
  void set(const std::string& path, const std::string& value);
  std::string str() const;  // YAML text; parse(str()) gives the same tree

 private:
  friend class YamlReader;
  void assign(const std::string& path, Yaml value);
  void write(std::string& out, int indent) const;

  enum class Kind : std::uint8_t { scalar, mapping, sequence } kind_ = Kind::mapping;
  std::string file_;
  int line_ = 0;
  std::string scalar_;
  std::vector<std::string> order_;
  std::map<std::string, Yaml> children_;
  std::vector<Yaml> items_;
};

}  // namespace fovea
