#include "datasets/captions/check.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <set>

#include "datasets/boxes/near_duplicates.hpp"
#include "datasets/boxes/reading.hpp"
#include "datasets/image.hpp"
#include "datasets/text/words.hpp"
#include "datasets/walk.hpp"
#include "modules/core/threads.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

struct Looked {
  std::optional<PictureSketch> sketch;
  std::optional<std::string> reason;  // why it cannot be read
  std::exception_ptr failure;
};

Looked look(const fs::path& file) {
  Looked looked;
  try {
    check_no_pipe(file);
    looked.sketch.emplace(read_image(file).pixels);
  } catch (const std::exception& e) {
    try {
      looked.reason = bad_file(file, e).reason;
    } catch (...) { looked.failure = std::current_exception(); }
  }
  return looked;
}

class Checker {
 public:
  CaptionsCheck run(const std::vector<CaptionedSource>& sources) {
    for (const CaptionedSource& s : sources) {
      for (const BadFile& b : s.data.left_out) add_left_out(b, s);
      std::vector<std::string> splits = splits_of(s.data);
      const auto& all = s.data.pictures;
      if (std::any_of(all.begin(), all.end(), [](const CaptionedPicture& p) { return p.split.empty(); })) splits.emplace_back();
      for (const std::string& split : splits) check_part(s, split, splits.size() > 1);
    }
    return std::move(result_);
  }

 private:
  struct Seen {
    std::string name;
    std::vector<PictureSketch> sketches;
    std::vector<fs::path> files;
  };

  void add(Severity severity, const char* kind, const std::string& part, const fs::path& file, const std::string& text) {
    result_.findings.push_back({severity, kind, part, file, text});
  }

  void add_left_out(const BadFile& b, const CaptionedSource& source) {
    std::error_code ignored;
    const char* kind = b.file == source.data.source  ? "unreadable caption"
                       : fs::exists(b.file, ignored) ? "no captions"
                                                     : "missing file";
    add(Severity::error, kind, source.name, b.file, b.reason);
  }

  void check_part(const CaptionedSource& source, const std::string& split, bool one_of_several) {
    const std::string own = !split.empty() ? split : one_of_several ? "no split" : source.name.empty() ? "all" : "";
    const std::string name = source.name + (source.name.empty() || own.empty() ? "" : " ") + own;
    std::vector<const CaptionedPicture*> pictures;
    for (const CaptionedPicture& p : source.data.pictures)
      if (p.split == split) pictures.push_back(&p);
    count(name, pictures);
    std::vector<Looked> looked(pictures.size());
    parallel_blocks(std::ssize(looked), [&](std::int64_t i) {
      looked[static_cast<std::size_t>(i)] = look(pictures[static_cast<std::size_t>(i)]->file);
    });
    Seen seen{name, {}, {}};
    for (std::size_t i = 0; i < looked.size(); ++i) {
      if (looked[i].failure) std::rethrow_exception(looked[i].failure);
      if (looked[i].reason) add(Severity::error, "unreadable file", name, pictures[i]->file, *looked[i].reason);
      if (!looked[i].sketch) continue;
      seen.sketches.push_back(std::move(*looked[i].sketch));
      seen.files.push_back(pictures[i]->file);
    }
    find_near(seen);
    seen_.push_back(std::move(seen));
  }

  void count(const std::string& name, const std::vector<const CaptionedPicture*>& pictures) {
    CaptionsCheck::Part part{name, pictures.size()};
    std::set<std::string> vocabulary;
    std::size_t words = 0;
    part.fewest = pictures.front()->captions.size();
    for (const CaptionedPicture* p : pictures) {
      part.captions += p->captions.size();
      part.fewest = std::min(part.fewest, p->captions.size()), part.most = std::max(part.most, p->captions.size());
      std::set<std::vector<std::string>> said;
      for (const std::string& caption : p->captions) {
        auto all = words_of(caption);
        words += all.size();
        vocabulary.insert(all.begin(), all.end());
        if (!said.insert(std::move(all)).second)
          add(Severity::warning, "repeated caption", name, p->file, shown(caption) + " is there twice");
      }
    }
    part.words = static_cast<double>(words) / static_cast<double>(part.captions);
    part.vocabulary = vocabulary.size();
    result_.parts.push_back(part);
  }

  void find_near(const Seen& seen) {
    for (const Seen& before : seen_) {
      const auto found = near_duplicates(seen.sketches, before.sketches);
      for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i])
          add(Severity::warning, "near duplicate", seen.name, seen.files[i],
              near_duplicate_text(*found[i], before.files[found[i]->index], before.name));
    }
  }

  std::vector<Seen> seen_;
  CaptionsCheck result_;
};

}  // namespace

CaptionsCheck check_captions(const std::vector<CaptionedSource>& sources) { return Checker().run(sources); }

}  // namespace fovea
