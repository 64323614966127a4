// fovea data show SOURCE -o OUT: pictures, chosen at random, with their boxes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <opencv2/imgproc.hpp>
#include <optional>

#include "apps/fovea/data.hpp"
#include "datasets/boxes/reading.hpp"
#include "datasets/photos.hpp"
#include "modules/io/files.hpp"
#include "pipeline/errors.hpp"
#include "pipeline/exit_codes.hpp"
#include "pipeline/sinks/box_overlay.hpp"
#include "pipeline/sinks/drawn_text.hpp"
#include "pipeline/sinks/progress.hpp"
#include "pipeline/sinks/report_pictures.hpp"

namespace fovea {
namespace {

namespace fs = std::filesystem;

struct Settings {
  BoxSources from;
  std::string source, out;
  std::int64_t seed = 0;
  int count = 12;
};

struct Chosen {
  const AnnotatedImage* image;
  const std::vector<std::string>* classes;
};

// The first of an order that the seed makes.
std::vector<Chosen> choose(const std::vector<BoxPart>& parts, const Settings& s) {
  std::vector<Chosen> all, chosen;
  for (const BoxPart& part : parts)
    for (const AnnotatedImage& image : part.data.images) all.push_back({&image, &part.data.classes});
  const std::int64_t n = std::ssize(all);
  for (std::int64_t i = 0; i < std::min<std::int64_t>(n, s.count); ++i)
    chosen.push_back(all[static_cast<std::size_t>(shuffled(i, n, static_cast<std::uint64_t>(s.seed), 0))]);
  return chosen;
}

std::vector<DrawnBox> boxes_of(const Chosen& c, double scale = 1) {
  std::vector<DrawnBox> boxes;
  for (const Annotation& a : c.image->annotations) {
    DrawnBox b = drawn(a, *c.classes);
    b.box = {b.box.x1 * scale, b.box.y1 * scale, b.box.x2 * scale, b.box.y2 * scale};
    boxes.push_back(std::move(b));
  }
  return boxes;
}

void write_picture(const fs::path& file, const cv::Mat& bgr) {
  const std::string extension = file.extension().string();
  const auto bytes = encode_image({bgr, false, {}}, extension.size() > 1 ? extension.substr(1) : "png");
  write_file_atomically(file, bytes.data(), bytes.size());
}

// Pictures in cells of one size, each with its name below.
class Sheet {
 public:
  explicit Sheet(std::size_t count)
      : columns_(std::max(1, static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count)))))),
        canvas_(rows(count) * kHeight, columns_ * kWidth, CV_8UC3, cv::Scalar::all(255)) {}

  void add(const Chosen& c, const cv::Mat& bgr) {
    constexpr int kRoomX = kWidth - 2 * kMargin, kRoomY = kHeight - 2 * kMargin - kCaption, kMostLarger = 8;
    const cv::Point cell(static_cast<int>(next_ % columns_) * kWidth, static_cast<int>(next_ / columns_) * kHeight);
    ++next_;
    const double scale =
        std::min({static_cast<double>(kRoomX) / bgr.cols, static_cast<double>(kRoomY) / bgr.rows, double{kMostLarger}});
    cv::Mat fitted;
    const cv::Size size(std::max(1, static_cast<int>(bgr.cols * scale)), std::max(1, static_cast<int>(bgr.rows * scale)));
    cv::resize(bgr, fitted, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
    const cv::Point at = cell + cv::Point((kWidth - size.width) / 2, kMargin + (kRoomY - size.height) / 2);
    box_overlay({fitted, false, {}}, boxes_of(c, scale)).copyTo(canvas_(cv::Rect(at, size)));
    const std::string name = drawable(c.image->file.filename().string()).substr(0, kMostLetters);
    cv::putText(canvas_, name, cell + cv::Point(kMargin, kHeight - kMargin), cv::FONT_HERSHEY_SIMPLEX, 0.45, cv::Scalar::all(60),
                1, cv::LINE_AA);
  }

  const cv::Mat& canvas() const { return canvas_; }

 private:
  static constexpr int kWidth = 496, kHeight = 396, kMargin = 8, kCaption = 20;
  static constexpr std::size_t kMostLetters = 58;

  int rows(std::size_t count) const { return std::max(1, (static_cast<int>(count) + columns_ - 1) / columns_); }

  int columns_, next_ = 0;
  cv::Mat canvas_;
};

// Names of the source's files; of several with one name the later ones get a number.
std::string free_name(std::vector<std::string>& taken, const fs::path& file) {
  const std::string stem = file.stem().string();
  std::string name = stem;
  for (int number = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++number)
    name = stem + "-" + std::to_string(number);
  taken.push_back(name);
  return name + ".png";
}

// None where it cannot be read, which is said.
std::optional<Image> read_or_tell(const fs::path& file) try {
  check_no_pipe(file);
  return read_image(file);
} catch (const std::exception& e) {
  std::cerr << "fovea: left out: " << printable(bad_file(file, e).reason) << "\n";
  return std::nullopt;
}

std::size_t write_sheet(const fs::path& file, const std::vector<Chosen>& chosen) {
  Sheet sheet(chosen.size());
  std::size_t shown = 0;
  for (const Chosen& c : chosen)
    if (const auto image = read_or_tell(c.image->file)) sheet.add(c, displayable(*image)), ++shown;
  write_picture(file, sheet.canvas());
  return shown;
}

std::size_t write_each(const fs::path& folder, const std::vector<Chosen>& chosen) {
  fs::create_directories(folder);
  std::vector<std::string> names;
  for (const Chosen& c : chosen)
    if (const auto image = read_or_tell(c.image->file))
      write_picture(folder / free_name(names, c.image->file), box_overlay(*image, boxes_of(c)));
  return names.size();
}

// Whether it is a picture and not a folder; known before the work.
bool is_sheet(const fs::path& out) try {
  if (out.extension().empty() || fs::is_directory(out)) return false;
  check_can_hold(out.extension().string().substr(1), {1, 1}, CV_8UC3);
  check(fs::is_directory(fs::absolute(out).parent_path()), "-o ", out.string(), ": there is no such folder");
  return true;
} catch (const Error& e) { throw UsageError(e.what()); }

int run_show(Settings& s) {
  const bool sheet = is_sheet(s.out);
  s.from.sources = {s.source};
  const std::vector<BoxPart> parts = read_parts(s.from, true);
  tell_left_out(parts, !s.from.classes.empty());
  const std::vector<Chosen> chosen = choose(parts, s);
  const std::size_t shown = sheet ? write_sheet(s.out, chosen) : write_each(s.out, chosen);
  std::cout << fmt::format("{}: {} picture{}\n", printable(s.out), shown, shown == 1 ? "" : "s");
  return shown < chosen.size() ? kExitQuarantined : kExitDone;
}

}  // namespace

Command data_show_command() {
  auto s = std::make_shared<Settings>();
  Command c{"show", "Draw the boxes of some pictures: a look at what a training would learn from"};
  c.options.word("source", s->source, "COCO file, folder of Pascal VOC, file or folder of YOLO");
  c.options.require();
  c.options.word("-o,--out", s->out, "Picture to write, a sheet of all (.png, .jpg), or a folder for one picture each");
  c.options.require();
  c.options.integer("--count", s->count, 1, 400, "Pictures, chosen at random");
  c.options.integer("--seed", s->seed, 0, INT64_MAX, "Another one chooses others");
  s->from.add_options(c.options);
  c.options.flag("--one-based", s->from.one_based, "Corners of Pascal VOC count pixels from 1, the last one belongs to the box");
  c.run = [s] { return run_show(*s); };
  return c;
}

}  // namespace fovea
