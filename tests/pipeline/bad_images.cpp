// Real codecs around a stage that doubles pixels: what users' folders hold.
#include <fstream>

#include "pipeline/file_run.hpp"
#include "pipeline/sources/pages.hpp"
#include "pipeline/stages/load.hpp"
#include "pipeline/stages/save.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/tiff.hpp"

#include <opencv2/imgproc.hpp>

#include "modules/io/files.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::Folder;

namespace {

class DoublePixels final : public Stage {
 public:
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kImage).gives(kOutput).drops(kImage); }
  void process(std::span<Frame> batch) override {
    for (Frame& frame : batch) {
      Image image = frame.results.take(kImage);
      cv::resize(image.pixels, image.pixels, {}, 2, 2, cv::INTER_NEAREST);
      frame.results.put(kOutput, std::move(image));
    }
  }
};

FileRunResult run(const fs::path& in, const fs::path& out, const std::string& format, InputMapping mapping = {}) {
  WorkList work(Inputs({in}, out), out, format, std::move(mapping));
  fs::create_directories(out);
  Ledger ledger(out);
  const auto progress = make_progress(ProgressKind::quiet);
  std::vector<StageSpec> steps;
  steps.push_back({std::make_unique<LoadImage>(), 1, 1});
  steps.push_back({std::make_unique<DoublePixels>(), 2, 1});
  steps.push_back({std::make_unique<SaveImage>(EncodeOptions()), 1, 1});
  return run_files(work, ledger, {{"format", format}}, std::move(steps), *progress);
}

std::vector<std::uint8_t> picture(int type, const std::string& format) {
  Image image;
  image.pixels.create(30, 40, type);
  cv::randu(image.pixels, 0, image.pixels.depth() == CV_16U ? 65535 : 255);
  image.grey = image.pixels.channels() == 1;
  return encode_image(image, format);
}

void write(const fs::path& file, const std::vector<std::uint8_t>& bytes) {
  fs::create_directories(file.parent_path());
  write_file_atomically(file, bytes.data(), bytes.size());
}

}  // namespace

TEST_CASE("bad images are quarantined with their reason, good ones are done", "[pipeline]") {
  Folder dir;
  auto jpeg = picture(CV_8UC3, "jpg");
  write(dir / "in/good.jpg", jpeg);
  jpeg.resize(jpeg.size() / 2);
  write(dir / "in/half.jpg", jpeg);
  write(dir / "in/empty.png", {});
  const std::string text = "I am a text.\n";
  write(dir / "in/text.png", {text.begin(), text.end()});
  write(dir / "in/sub/grey16.png", picture(CV_16UC1, "png"));
  const FileRunResult result = run(dir / "in", dir / "out", "same");
  CHECK((result.done == 2 && result.quarantined == 3 && result.exit_code() == kExitQuarantined));
  for (const char* name : {"half.jpg", "empty.png", "text.png"}) {
    CHECK_FALSE(fs::exists(dir / "out" / name));
    const Ledger ledger(dir / "out");
    const Record* record = ledger.find(dir / "in" / name, name);
    REQUIRE(record);
    CHECK_FALSE(record->reason.empty());
    CHECK(record->reason.find(name) == std::string::npos);  // the name stands beside it already
  }
  const Image grey = read_image(dir / "out/sub/grey16.png");
  CHECK((grey.grey && grey.pixels.type() == CV_16UC1 && grey.pixels.size() == cv::Size(80, 60)));
}

TEST_CASE("what a format cannot hold is said, and another format does it", "[pipeline]") {
  Folder dir;
  write(dir / "in/deep.png", picture(CV_16UC3, "png"));
  CHECK(run(dir / "in", dir / "out", "jpg").quarantined == 1);
  CHECK_FALSE(fs::exists(dir / "out/deep.jpg"));
  const FileRunResult tiff = run(dir / "in", dir / "out", "tif");
  CHECK((tiff.done == 1 && tiff.quarantined == 0));
  CHECK(read_image(dir / "out/deep.tif").pixels.depth() == CV_16U);
  CHECK(Ledger(dir / "out").records().size() == 1);
}

TEST_CASE("each page of a file becomes an output, where that is asked for", "[pipeline]") {
  Folder dir;
  fs::create_directories(dir / "in");
  {
    const test::TiffFile file(dir / "in/scan.tif", 2, 1, 8, 1, PHOTOMETRIC_MINISBLACK);
    file.rows({10, 10}, 1);
    TIFFWriteDirectory(file.tiff);
    TIFFSetField(file.tiff, TIFFTAG_IMAGEWIDTH, 3);
    TIFFSetField(file.tiff, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(file.tiff, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(file.tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    file.rows({20, 20, 20}, 1);
  }
  write(dir / "in/one.png", picture(CV_8UC1, "png"));
  CHECK(run(dir / "in", dir / "first", "png").done == 2);
  CHECK(read_image(dir / "first/scan.png").pixels.cols == 4);
  const FileRunResult all = run(dir / "in", dir / "all", "png", page_mapping());
  CHECK((all.total == 3 && all.done == 3));
  CHECK(read_image(dir / "all/scan.page1.png").pixels.at<std::uint8_t>(0, 0) == 10);
  const cv::Mat second = read_image(dir / "all/scan.page2.png").pixels;
  CHECK((second.cols == 6 && second.at<std::uint8_t>(0, 0) == 20));
  CHECK(fs::exists(dir / "all/one.png"));
  CHECK(run(dir / "in", dir / "all", "png", page_mapping()).up_to_date == 3);
  CHECK((page_of("page2") == 1 && !page_of("page0") && !page_of("frame2") && !page_of("page2x") && !page_of("")));
}
