#include "datasets/regions/files.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "datasets/csv.hpp"
#include "datasets/walk.hpp"
#include "modules/core/glob.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr const char* kName = "{name}";

// Scans, too.
FolderImages pictures_below(const fs::path& folder) { return images_below(folder, {.scans = true}); }

// "scan.nii.gz" is called "scan".
std::string name_of(const fs::path& file) {
  fs::path stem = file.stem();
  if (file.extension() == ".gz") stem = stem.stem();
  return stem.string();
}

bool by_name(const fs::path& a, const fs::path& b) {
  const std::string x = name_of(a), y = name_of(b);
  return x != y ? x < y : a < b;
}

// All files that a pattern names; a walk over the part of it without wildcards.
std::vector<fs::path> matching(const std::string& pattern, const fs::path& root, std::vector<BadFile>& bad) {
  const fs::path whole(pattern);
  fs::path folder;
  for (const fs::path& part : whole) {
    if (has_wildcards(part.string()) || part == whole.filename()) break;
    folder /= part;
  }
  const Glob glob(whole.lexically_relative(folder.empty() ? "." : folder).generic_string(), Glob::Kind::files);
  const fs::path at = (root / folder).lexically_normal();
  std::vector<fs::path> files;
  FolderImages found = pictures_below(at);
  bad.insert(bad.end(), found.left_out.begin(), found.left_out.end());
  for (const fs::path& file : found.files)
    if (glob.matches(file.lexically_relative(at).generic_string())) files.push_back(file);
  return files;
}

// Where the file of one class lies, for a picture of that name.
struct ClassFiles {
  std::string pattern;                      // with {name}
  std::map<std::string, fs::path> by_name;  // of a folder
  bool objects = false;

  fs::path of(const std::string& name, const fs::path& root) const {
    if (pattern.empty()) {
      const auto it = by_name.find(name);
      return it == by_name.end() ? fs::path() : it->second;
    }
    std::string file = pattern;
    for (auto at = file.find(kName); at != std::string::npos; at = file.find(kName, at + name.size()))
      file.replace(at, std::string(kName).size(), name);
    const fs::path path = root / file;
    return fs::exists(path) ? path : fs::path();
  }
};

RegionList joined(std::vector<fs::path> pictures, const std::vector<ClassFiles>& classes, const fs::path& root, RegionList list) {
  std::sort(pictures.begin(), pictures.end(), by_name);
  for (const fs::path& picture : pictures) {
    RegionFiles files{picture, {}, {}};
    bool any = false;
    for (const ClassFiles& c : classes) {
      files.masks.push_back(c.of(name_of(picture), root));
      files.objects.push_back(c.objects);
      any = any || !files.masks.back().empty();
    }
    if (any) list.files.push_back(std::move(files));
    else list.bad.push_back({picture, picture.string() + ": there is no mask of that name, of any class"});
  }
  return list;
}

std::map<std::string, fs::path> files_of(const fs::path& folder, RegionList& list) {
  std::map<std::string, fs::path> out;
  const FolderImages found = pictures_below(folder);
  list.bad.insert(list.bad.end(), found.left_out.begin(), found.left_out.end());
  for (const fs::path& file : found.files) out[name_of(file)] = file;
  return out;
}

// Right inside, not in folders of classes.
bool holds_files(const fs::path& folder) {
  if (!fs::is_directory(folder)) return false;
  const auto entries = entries_of(folder);
  return std::any_of(entries.begin(), entries.end(), [](const fs::path& p) { return !fs::is_directory(p); });
}

// The folder of a class, if there is one.
ClassFiles class_folder(const fs::path& folder, const std::string& name, bool only, RegionList& list) {
  for (const char* part : {"masks", "objects", "labels"}) {
    const fs::path apart = folder / part / name;
    const bool objects = std::string(part) != "masks";
    if (fs::is_directory(apart)) return {{}, files_of(apart, list), objects};
    if (only && holds_files(folder / part)) return {{}, files_of(folder / part, list), objects};
  }
  fail(folder.string(), ": expected masks/", name, " or objects/", name, " beside images",
       only ? ", or masks, objects or labels with the files of the one class" : "");
}

std::vector<std::string> patterns_of(const Yaml& y) {
  std::vector<std::string> out;
  if (y.items().empty()) out.push_back(y.scalar());
  for (const Yaml& item : y.items()) out.push_back(item.scalar());
  return out;
}

ClassFiles class_pattern(const Yaml& data, const std::string& name) {
  for (const char* part : {"masks", "objects"}) {
    if (!data.has(part) || !data.at(part).has(name)) continue;
    const Yaml& y = data.at(part).at(name);
    check(y.scalar().find(kName) != std::string::npos, y.where(), ": ", name, ": expected a path with {name} in it, got '",
          y.scalar(), "'");
    return {y.scalar(), {}, std::string(part) == "objects"};
  }
  fail(data.where(), ": expected masks: or objects: to say where the files of the class '", name, "' are");
}

void check_names(const Yaml& data, const std::vector<std::string>& classes) {
  for (const char* part : {"masks", "objects"})
    if (data.has(part)) data.at(part).only(classes);
}

int number_of(const std::string& text, const std::string& where) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size() && value >= 0, where, ": fold: expected a whole number, got '",
        text, "'");
  return value;
}

std::map<std::string, int> read_folds(const fs::path& file) {
  const Csv table = read_csv(file);
  const std::size_t name = table.column("name"), fold = table.column("fold");
  std::map<std::string, int> out;
  for (const CsvRow& row : table.rows) {
    const std::string where = file.string() + ":" + std::to_string(row.line);
    check(out.emplace(row.fields[name], number_of(row.fields[fold], where)).second, where, ": '", row.fields[name],
          "' stands in the table twice");
  }
  return out;
}

// Moves what the rule takes.
std::vector<RegionFiles> take(std::vector<RegionFiles>& from, const PartRule& rule) {
  const std::vector<bool> takes = rule.takes(from);
  std::vector<RegionFiles> taken, left;
  for (std::size_t i = 0; i < from.size(); ++i) (takes[i] ? taken : left).push_back(std::move(from[i]));
  from = std::move(left);
  return taken;
}

}  // namespace

RegionList list_regions(const fs::path& folder, const std::vector<std::string>& classes) {
  check(fs::is_directory(folder / "images"), folder.string(),
        ": expected the folders images and masks (or objects, labels) inside");
  RegionList list;
  std::vector<ClassFiles> files;
  for (const std::string& name : classes) files.push_back(class_folder(folder, name, classes.size() == 1, list));
  const FolderImages found = pictures_below(folder / "images");
  list.bad.insert(list.bad.end(), found.left_out.begin(), found.left_out.end());
  check(!found.files.empty(), (folder / "images").string(), ": no images");
  return joined(found.files, files, {}, std::move(list));
}

RegionList list_regions(const Yaml& data, const std::vector<std::string>& classes, const fs::path& root) {
  if (data.keys().empty()) return list_regions(root / data.scalar(), classes);
  data.only({"images", "masks", "objects"});
  check_names(data, classes);
  RegionList list;
  std::vector<fs::path> pictures;
  for (const std::string& pattern : patterns_of(data.at("images")))
    for (fs::path& file : matching(pattern, root, list.bad)) pictures.push_back(std::move(file));
  std::vector<ClassFiles> files;
  for (const std::string& name : classes) files.push_back(class_pattern(data, name));
  check(!pictures.empty(), data.at("images").where(), ": no picture matches");
  return joined(std::move(pictures), files, root, std::move(list));
}

PartRule::PartRule(const Yaml& y, const fs::path& folds) : folds_(folds) {
  Args a = y.args();
  names_ = a.list("names", std::vector<std::string>{}, "patterns of file names without extension");
  every_ = a.get("every", 0, "every so many-th picture in the order of names", {0, 1e9});
  from_ = a.get("from", 0, "of `every`: the first", {0, 1e9});
  fold_ = a.get("fold", -1, "those that the table `folds` gives this number", {-1, 1e9});
  a.done();
  const int given = (names_.empty() ? 0 : 1) + (every_ > 0 ? 1 : 0) + (fold_ >= 0 ? 1 : 0);
  check(given == 1, a.where(), ": expected one of names, every and fold, got ", given == 0 ? "none" : "several");
  check(fold_ < 0 || !folds_.empty(), a.where(), ": fold: expected a table `folds` with the columns name and fold");
}

std::vector<bool> PartRule::takes(const std::vector<RegionFiles>& files) const {
  std::vector<bool> out(files.size(), false);
  std::vector<Glob> globs;
  for (const std::string& n : names_) globs.emplace_back(n, Glob::Kind::files);
  const std::map<std::string, int> folds = fold_ >= 0 ? read_folds(folds_) : std::map<std::string, int>{};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = name_of(files[i].picture);
    if (every_ > 0) out[i] = static_cast<int>(i) % every_ == from_ % every_;
    for (const Glob& g : globs) out[i] = out[i] || g.matches(name);
    if (fold_ < 0) continue;
    const auto it = folds.find(name);
    check(it != folds.end(), folds_.string(), ": the table does not name '", name, "'");
    out[i] = it->second == fold_;
  }
  return out;
}

fs::path folds_file(const Yaml& train, const fs::path& root) {
  if (!train.has("folds")) return {};
  const Yaml& y = train.at("folds");
  const fs::path file = root / y.scalar();
  // "recipes/chest.yaml:12" is where the key stands.
  return fs::exists(file) ? file : fs::path(y.where()).parent_path() / y.scalar();
}

RegionParts region_parts(const Yaml& train, const std::vector<std::string>& classes, const fs::path& root) {
  RegionList list = list_regions(train.at("data"), classes, root);
  const fs::path folds = folds_file(train, root);
  RegionParts parts;
  parts.bad = std::move(list.bad);
  for (const auto& [key, part] : {std::pair{"test", &parts.test}, {"validate", &parts.validate}}) {
    if (!train.has(key)) continue;
    *part = take(list.files, PartRule(train.at(key), folds));
    check(!part->empty(), train.at(key).where(), ": no picture belongs to this part");
  }
  parts.train = std::move(list.files);
  check(!parts.train.empty(), train.where(), ": no picture is left to train with");
  return parts;
}

}  // namespace fovea
