#include "modules/io/yaml.hpp"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace fovea {
namespace {
constexpr std::size_t kMaxBytes = 1 << 20;
constexpr int kMaxDepth = 32, kMaxNodes = 100000;
}  // namespace

// Copies yaml-cpp's nodes into ours, counting, so that aliases cannot multiply without end.
class YamlReader {
 public:
  explicit YamlReader(std::string file) : file_(std::move(file)) {}

  Yaml read(const YAML::Node& node, int depth) {
    Yaml y;
    y.file_ = file_;
    y.line_ = node.Mark().line + 1;
    check(depth <= kMaxDepth && ++nodes_ <= kMaxNodes, y.where(), ": too deep or too large for a recipe");
    if (node.IsMap()) {
      for (const auto& pair : node) add(y, pair.first, pair.second, depth);
    } else if (node.IsSequence()) {
      y.kind_ = Yaml::Kind::sequence;
      for (const auto& item : node) y.items_.push_back(read(item, depth + 1));
    } else {
      y.kind_ = Yaml::Kind::scalar;
      y.scalar_ = node.IsScalar() ? node.Scalar() : "";
    }
    return y;
  }

 private:
  void add(Yaml& y, const YAML::Node& key, const YAML::Node& value, int depth) {
    check(key.IsScalar(), y.where(), ": keys must be plain text");
    check(!y.has(key.Scalar()), file_, ":", key.Mark().line + 1, ": '", key.Scalar(), "' is given twice");
    y.order_.push_back(key.Scalar());
    Yaml& child = y.children_.emplace(key.Scalar(), read(value, depth + 1)).first->second;
    child.line_ = key.Mark().line + 1;  // a mapping begins below its key; messages mean the key
  }

  std::string file_;
  int nodes_ = 0;
};

Yaml Yaml::parse(const std::string& text, const std::string& where) {
  check(text.size() <= kMaxBytes, where, ": ", text.size(), " bytes are too many for a recipe");
  try {
    return YamlReader(where).read(YAML::Load(text), 0);
  } catch (const YAML::DeepRecursion&) {  // where yaml-cpp itself stops, below what the stack holds
    fail(where, ": too deep or too large for a recipe");
  } catch (const YAML::Exception& e) { fail(where, ":", e.mark.line + 1, ":", e.mark.column + 1, ": ", e.msg); }
}

const Yaml& Yaml::at(const std::string& key) const {
  const auto it = children_.find(key);
  check(it != children_.end(), where(), ": expected a key '", key, "'");
  return it->second;
}

void Yaml::only(const std::vector<std::string>& known) const {
  for (const auto& [key, child] : children_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = nearest(key, known);
    std::string all;
    for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
    fail(child.where(), ": unknown key '", key, "'; ", near.empty() ? "there are " + all : "did you mean '" + near + "'?");
  }
}

Args Yaml::args() const {
  std::map<std::string, std::string> values;
  std::set<std::string> nested;
  Args::Lists lists;
  for (const auto& [key, child] : children_) {
    const bool plain_list =
        child.kind_ == Kind::sequence &&
        std::all_of(child.items_.begin(), child.items_.end(), [](const Yaml& item) { return item.kind_ == Kind::scalar; });
    if (child.kind_ == Kind::scalar) values[key] = child.scalar_;
    else if (plain_list)
      for (const Yaml& item : (lists[key], child.items_)) lists[key].push_back(item.scalar_);
    else nested.insert(key);
  }
  return {where(), values, nested, lists};
}

const std::string& Yaml::scalar() const {
  check(kind_ == Kind::scalar, where(), ": expected one value, got a ", kind_ == Kind::mapping ? "mapping" : "sequence");
  return scalar_;
}

std::string Yaml::where() const { return line_ > 0 ? file_ + ":" + std::to_string(line_) : file_; }

void Yaml::set(const std::string& path, const std::string& value) { assign(path, parse(value, path)); }

void Yaml::assign(const std::string& path, Yaml value) {
  const auto dot = path.find('.');
  const std::string key = path.substr(0, dot);
  check(kind_ == Kind::mapping && !key.empty(), "cannot set '", path, "': not a mapping");
  if (!has(key)) {
    order_.push_back(key);
    children_[key].file_ = file_;
  }
  if (dot == std::string::npos) children_[key] = std::move(value);
  else children_[key].assign(path.substr(dot + 1), std::move(value));
}

std::string Yaml::str() const {
  std::string out;
  write(out, 0);
  return out;
}

void Yaml::write(std::string& out, int indent) const {
  if (kind_ == Kind::scalar) {
    YAML::Emitter emitter;  // quotes where quotes are needed
    emitter << scalar_;
    out += " " + std::string(emitter.c_str()) + "\n";
    return;
  }
  if (kind_ == Kind::mapping ? order_.empty() : items_.empty()) {
    out += kind_ == Kind::mapping ? " {}\n" : " []\n";
    return;
  }
  if (indent > 0) out += "\n";
  const std::string space(static_cast<std::size_t>(indent), ' ');
  for (const std::string& key : order_) {
    YAML::Emitter emitter;
    emitter << key;
    out += space + emitter.c_str() + ":";
    children_.at(key).write(out, indent + 2);
  }
  for (const Yaml& item : items_) {
    out += space + "-";
    item.write(out, indent + 2);
  }
}

}  // namespace fovea
