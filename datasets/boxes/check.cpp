#include "datasets/boxes/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>
#include <optional>

#include "datasets/boxes/near_duplicates.hpp"
#include "datasets/boxes/reading.hpp"
#include "datasets/image.hpp"
#include "datasets/walk.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr double kEdge = 0.5, kSameBox = 0.95;

const char* kind_of(AnnotationFault::Kind kind) {
  switch (kind) {
    case AnnotationFault::Kind::degenerate: return "degenerate box";
    case AnnotationFault::Kind::outside: return "box outside";
    case AnnotationFault::Kind::unknown_class: return "unknown class";
    case AnnotationFault::Kind::no_picture: return "missing file";
    case AnnotationFault::Kind::unreadable: break;
  }
  return "unreadable annotation";
}

bool is_missing(const fs::path& file) {
  std::error_code error;
  return fs::status(file, error).type() == fs::file_type::not_found;
}

// What one picture has to say, gathered on any thread.
struct Looked {
  std::vector<Finding> findings;
  std::optional<PictureSketch> sketch;
  std::exception_ptr failure;
};

class Picture {
 public:
  Picture(const BoxPart& part, const AnnotatedImage& image) : part_(part), image_(image) {}

  Looked look() {
    try {
      read();
    } catch (const std::exception& e) {
      try {
        const BadFile bad = bad_file(image_.file, e);
        add(Severity::error, is_missing(image_.file) ? "missing file" : "unreadable file", bad.reason);
      } catch (...) { looked_.failure = std::current_exception(); }
    }
    for (const Annotation& a : image_.annotations) check_place(a);
    find_double();
    return std::move(looked_);
  }

 private:
  void add(Severity severity, const char* kind, const std::string& text) {
    looked_.findings.push_back({severity, kind, part_.name, image_.file, text});
  }

  std::string name_of(const Annotation& a) const {
    const auto label = static_cast<std::size_t>(a.label);
    return fmt::format("'{}' {}", label < part_.data.classes.size() ? part_.data.classes[label] : "?", shown(a.box));
  }

  void read() {
    check_no_pipe(image_.file);
    const cv::Mat pixels = read_image(image_.file).pixels;
    size_ = pixels.size();
    looked_.sketch.emplace(pixels);
    if (image_.size.empty() || image_.size == size_) return;
    add(Severity::error, "other size",
        fmt::format("the annotations say {}x{}, the picture has {}x{}", image_.size.width, image_.size.height, size_.width,
                    size_.height));
  }

  void check_place(const Annotation& a) {
    const cv::Size size = size_.empty() ? image_.size : size_;
    if (size.empty()) return;
    const std::string where = fmt::format("a picture of {}x{}", size.width, size.height);
    if (clipped(a.box, size).area() <= 0) add(Severity::error, "box outside", name_of(a) + " lies beside " + where);
    else if (a.box.x1 < -kEdge || a.box.y1 < -kEdge || a.box.x2 > size.width + kEdge || a.box.y2 > size.height + kEdge)
      add(Severity::warning, "box over the edge", name_of(a) + " reaches over the edge of " + where);
  }

  // By their left edges: boxes so alike begin within 5 % of a width.
  void find_double() {
    std::vector<const Annotation*> sorted;
    for (const Annotation& a : image_.annotations) sorted.push_back(&a);
    std::sort(sorted.begin(), sorted.end(), [](const Annotation* a, const Annotation* b) { return a->box.x1 < b->box.x1; });
    for (std::size_t i = 0; i < sorted.size(); ++i)
      for (std::size_t j = i + 1; j < sorted.size(); ++j) {
        const Annotation &a = *sorted[i], &b = *sorted[j];
        if (b.box.x1 - a.box.x1 > (1 - kSameBox) * a.box.width()) break;
        if (a.label != b.label || iou(a.box, b.box) <= kSameBox) continue;
        add(Severity::warning, "duplicate box", name_of(a) + " is there twice");
        break;  // one finding a box, however often it is there
      }
  }

  const BoxPart& part_;
  const AnnotatedImage& image_;
  cv::Size size_;
  Looked looked_;
};

// The same through links.
std::string identity(const fs::path& file) {
  if (const auto id = file_id(file)) return fmt::format("{} {}", id->device, id->inode);
  return fs::absolute(file).lexically_normal().string();
}

class Checker {
 public:
  explicit Checker(const std::vector<BoxPart>& parts) : parts_(parts) {}

  BoxCheck run() {
    collect_classes();
    for (const BoxPart& part : parts_) {
      add_faults(part);
      count(part);
      find_twice(part);
      look_at(part);
    }
    return std::move(result_);
  }

 private:
  void add(Severity severity, const char* kind, const BoxPart& part, const fs::path& file, const std::string& text) {
    result_.findings.push_back({severity, kind, part.name, file, text});
  }

  void collect_classes() {
    for (const BoxPart& part : parts_)
      for (const std::string& name : part.data.classes)
        if (place_of_.emplace(name, result_.classes.size()).second) result_.classes.push_back(name);
  }

  void add_faults(const BoxPart& part) {
    for (const AnnotationFault& f : part.data.faults) add(Severity::error, kind_of(f.kind), part, f.file, f.reason);
    for (const BadFile& b : part.data.bad) {
      const bool skipped = b.fault == Fault::skipped;
      add(skipped ? Severity::warning : Severity::error,
          skipped              ? "skipped file"
          : is_missing(b.file) ? "missing file"
                               : "unreadable file",
          part, b.file, b.reason);
    }
    if (part.data.classes != parts_.front().data.classes)
      add(Severity::warning, "other classes", part, {},
          fmt::format("expected those of '{}' in this order: {}; got {}", parts_.front().name,
                      fmt::join(parts_.front().data.classes, ", "), fmt::join(part.data.classes, ", ")));
  }

  void count(const BoxPart& part) {
    BoxCheck::Part counts{part.name, part.data.images.size(), 0, 0, 0, std::vector<std::size_t>(result_.classes.size(), 0)};
    for (const AnnotatedImage& image : part.data.images) {
      counts.empty += image.annotations.empty();
      for (const Annotation& a : image.annotations) {
        const auto label = static_cast<std::size_t>(a.label);
        check(a.label >= 0 && label < part.data.classes.size(), image.file.string(), ": expected a label below ",
              part.data.classes.size(), ", got ", a.label);
        ++(a.ignored ? counts.ignored : counts.objects);
        if (!a.ignored) ++counts.of_class[place_of_.at(part.data.classes[label])];
      }
    }
    for (std::size_t c = 0; c < result_.classes.size(); ++c)
      if (counts.of_class[c] == 0)
        add(Severity::warning, "class without objects", part, {}, fmt::format("'{}' has no objects", result_.classes[c]));
    result_.parts.push_back(std::move(counts));
  }

  void find_twice(const BoxPart& part) {
    for (const AnnotatedImage& image : part.data.images) {
      const auto [first, fresh] = seen_.emplace(identity(image.file), std::pair(&part, &image));
      if (fresh) continue;
      const auto& [other_part, other] = first->second;
      add(Severity::error, "listed twice", part, image.file,
          fmt::format("the same picture as {}{}", other->file.string(),
                      other_part == &part ? "" : fmt::format(" in '{}'", other_part->name)));
    }
  }

  void look_at(const BoxPart& part) {
    std::vector<Looked> all(part.data.images.size());
    parallel_blocks(std::ssize(all), [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      all[at] = Picture(part, part.data.images[at]).look();
    });
    sketches_.emplace_back();
    files_.emplace_back();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].failure) std::rethrow_exception(all[i].failure);
      std::move(all[i].findings.begin(), all[i].findings.end(), std::back_inserter(result_.findings));
      if (!all[i].sketch) continue;
      sketches_.back().push_back(std::move(*all[i].sketch));
      files_.back().push_back(part.data.images[i].file);
    }
    find_near(part);
  }

  // Pictures of this part in those before it. The same file is listed twice: that was said already.
  void find_near(const BoxPart& part) {
    const auto& sketches = sketches_.back();
    for (std::size_t before = 0; before + 1 < sketches_.size(); ++before) {
      const auto found = near_duplicates(sketches, sketches_[before]);
      for (std::size_t i = 0; i < found.size(); ++i) {
        if (!found[i]) continue;
        const fs::path &file = files_.back()[i], &other = files_[before][found[i]->index];
        if (identity(file) == identity(other)) continue;
        add(Severity::warning, "near duplicate", part, file, near_duplicate_text(*found[i], other, parts_[before].name));
      }
    }
  }

  const std::vector<BoxPart>& parts_;
  std::map<std::string, std::size_t> place_of_;
  std::map<std::string, std::pair<const BoxPart*, const AnnotatedImage*>> seen_;
  std::vector<std::vector<PictureSketch>> sketches_;  // a list a part
  std::vector<std::vector<fs::path>> files_;
  BoxCheck result_;
};

}  // namespace

BoxCheck check_boxes(const std::vector<BoxPart>& parts) { return Checker(parts).run(); }

}  // namespace fovea
