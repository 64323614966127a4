#include "datasets/labelled.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

#include "datasets/csv.hpp"
#include "datasets/image.hpp"
#include "datasets/walk.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

struct NamedFile {
  fs::path file;
  std::string label, where;
};

// "photos/train" and "photos/validate" are two data sets, not the classes "train" and "validate".
void check_no_parts(const fs::path& root, const std::vector<fs::path>& folders) {
  static const std::set<std::string> parts{"dev", "test",  "testing",  "train",     "training",
                                           "val", "valid", "validate", "validation"};
  std::string names;
  for (const fs::path& folder : folders) {
    std::string name = folder.filename().string();
    names += (names.empty() ? "'" : ", '") + name + "'";
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!parts.contains(name)) return;
  }
  fail(root.string(), ": expected one folder of images for each class, found ", names,
       ", which are called as the parts of a data set; give them apart (train: data: ", folders.front().string(),
       ", validate: ...), or name real classes of these names in a .csv file");
}

std::string first_of(const std::vector<BadFile>& left_out) {
  return left_out.empty() ? "" : "; left out: " + std::to_string(left_out.size()) + ", the first: " + left_out.front().reason;
}

void read_folder(const fs::path& root, std::vector<NamedFile>& out, std::vector<BadFile>& left_out) {
  std::vector<fs::path> folders;
  for (const fs::path& entry : entries_of(root)) {
    if (fs::is_directory(entry)) folders.push_back(entry);
    else
      check(!is_image_extension(entry), entry.string(),
            ": an image beside the class folders belongs to no class; move it into one");
  }
  check(!folders.empty(), root.string(), ": expected one folder of images for each class, found no folder");
  check_no_parts(root, folders);
  for (const fs::path& folder : folders) {
    const FolderImages found = images_below(folder);
    check(!found.files.empty(), folder.string(), ": the class '", folder.filename().string(),
          "' has no images; remove the folder or fill it", first_of(found.left_out));
    for (const fs::path& f : found.files) out.push_back({f, folder.filename().string(), folder.string()});
    left_out.insert(left_out.end(), found.left_out.begin(), found.left_out.end());
  }
}

void read_table(const fs::path& file, std::vector<NamedFile>& out) {
  const Csv csv = read_csv(file);
  const std::size_t path = csv.column("path"), label = csv.column("label");
  check(!csv.rows.empty(), file.string(), ": no lines below the header");
  for (const CsvRow& row : csv.rows) {
    const std::string where = file.string() + ":" + std::to_string(row.line);
    check(!row.fields[path].empty() && !row.fields[label].empty(), where, ": the path or the label is empty");
    out.push_back({(file.parent_path() / row.fields[path]).lexically_normal(), row.fields[label], where});
  }
}

void check_unique(const std::vector<NamedFile>& found) {
  std::map<fs::path, const NamedFile*> seen;
  for (const NamedFile& n : found) {
    const auto [it, fresh] = seen.emplace(n.file, &n);
    check(fresh || it->second->label == n.label, n.where, ": ", n.file.string(), " is '", n.label, "' here and '",
          it->second->label, "' in ", it->second->where);
  }
}

}  // namespace

LabelledData read_labelled(const std::vector<fs::path>& sources, const std::vector<std::string>& classes) {
  LabelledData data;
  std::vector<NamedFile> found;
  for (const fs::path& source : sources) {
    std::string extension = source.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::tolower(c); });
    if (fs::is_directory(source)) read_folder(source, found, data.left_out);
    else {
      check(extension == ".csv", source.string(), ": expected a folder with one folder for each class, or a .csv file");
      read_table(source, found);
    }
  }
  check(!found.empty(), "labelled data: no sources");
  check_unique(found);
  data.classes = classes;
  if (classes.empty()) {
    std::set<std::string> names;
    for (const NamedFile& n : found) names.insert(n.label);
    data.classes.assign(names.begin(), names.end());
  }
  std::map<std::string, std::int64_t> index;
  // By position: names may repeat (ImageNet has two cranes), and then the first is meant.
  for (std::size_t i = 0; i < data.classes.size(); ++i) index.emplace(data.classes[i], static_cast<std::int64_t>(i));
  for (const NamedFile& n : found) {
    const auto it = index.find(n.label);
    check(it != index.end(), n.where, ": '", n.label, "' is none of the model's ", data.classes.size(), " classes (",
          data.classes.front(), ", ...)");
    data.samples.push_back({n.file, it->second});
  }
  return data;
}

Split split(const std::vector<Sample>& samples, double share, std::uint64_t seed) {
  check(share >= 0 && share < 1, "split: expected a share for validation in [0, 1), got ", share);
  std::map<std::int64_t, std::vector<std::size_t>> by_class;
  for (std::size_t i = 0; i < samples.size(); ++i) by_class[samples[i].label].push_back(i);
  std::vector<bool> validates(samples.size(), false);
  for (const auto& [label, members] : by_class) {
    const auto n = static_cast<std::int64_t>(members.size());
    const auto count = std::min<std::int64_t>(n - 1, std::llround(share * static_cast<double>(n)));
    for (std::int64_t k = 0; k < count; ++k)
      validates[members[static_cast<std::size_t>(shuffled(k, n, seed, static_cast<std::uint64_t>(label) + 1))]] = true;
  }
  Split out;
  for (std::size_t i = 0; i < samples.size(); ++i) (validates[i] ? out.validation : out.training).push_back(samples[i]);
  return out;
}

std::vector<std::int64_t> class_counts(const std::vector<Sample>& samples, std::size_t count) {
  std::vector<std::int64_t> counts(count, 0);
  for (const Sample& s : samples) {
    check(s.label >= 0 && static_cast<std::size_t>(s.label) < count, s.file.string(), ": label ", s.label, " of ", count,
          " classes");
    ++counts[static_cast<std::size_t>(s.label)];
  }
  return counts;
}

}  // namespace fovea
