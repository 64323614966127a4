#include "pipeline/sinks/report.hpp"

#include <opencv2/imgproc.hpp>

#include "modules/io/files.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/tasks/upscale/article.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::Folder;

namespace {

void write_picture(const fs::path& file, cv::Size size, int type, int value) {
  Image image;
  image.pixels = cv::Mat(size, type, cv::Scalar::all(value));
  image.grey = image.pixels.channels() == 1;
  const auto bytes = encode_image(image, "png");
  fs::create_directories(file.parent_path());
  write_file_atomically(file, bytes.data(), bytes.size());
}

std::string text_of(const fs::path& file) {
  const auto bytes = read_file(file);
  return {bytes.begin(), bytes.end()};
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

Record done(const fs::path& input, const std::string& output) {
  Record record;
  record.input = input.string();
  record.output = output;
  record.seconds = 1.5;
  return record;
}

}  // namespace

TEST_CASE("every kind of image can be displayed", "[pipeline]") {
  Image image;
  image.pixels = cv::Mat(2, 2, CV_16UC1, cv::Scalar(65535));
  CHECK(displayable(image).at<cv::Vec3b>(0, 0) == cv::Vec3b(255, 255, 255));
  image.pixels = cv::Mat(2, 2, CV_8UC4, cv::Scalar(0, 0, 200, 0));
  CHECK(displayable(image).at<cv::Vec3b>(1, 1) == cv::Vec3b(255, 255, 255));  // transparent: the white below
  image.pixels = cv::Mat(2, 2, CV_8UC4, cv::Scalar(10, 20, 200, 255));
  CHECK(displayable(image).at<cv::Vec3b>(1, 1) == cv::Vec3b(10, 20, 200));
}

TEST_CASE("the detail shown is where the edges are", "[pipeline]") {
  cv::Mat image(400, 600, CV_8UC3, cv::Scalar::all(128));
  for (int i = 0; i < 12; ++i) cv::line(image, {420 + 8 * i, 250}, {420 + 8 * i, 340}, cv::Scalar::all(i % 2 ? 255 : 0), 3);
  const cv::Rect part = most_detailed(image, 120);
  CHECK(part.size() == cv::Size(120, 120));
  CHECK((part & cv::Rect(420, 250, 92, 90)).area() > 0.85 * 92 * 90);
  CHECK(most_detailed(cv::Mat(5, 9, CV_8UC3, cv::Scalar::all(1)), 100) == cv::Rect(0, 0, 9, 5));
  CHECK(most_detailed(cv::Mat(1, 1, CV_8UC3, cv::Scalar::all(1)), 100) == cv::Rect(0, 0, 1, 1));
}

TEST_CASE("pictures show input and output at one size", "[pipeline]") {
  Folder dir;
  write_picture(dir / "in.png", {37, 23}, CV_8UC1, 90);
  write_picture(dir / "out.png", {111, 69}, CV_8UC1, 90);
  const EntryPictures p = make_entry_pictures(dir / "in.png", dir / "out.png", {dir / "out.png", dir / "out.png"});
  CHECK((p.input == cv::Size(37, 23) && p.output == cv::Size(111, 69) && p.detail == cv::Size(111, 69)));
  CHECK(p.maps.size() == 2);
  CHECK(p.before.starts_with("data:image/jpeg;base64,/9j/"));
  CHECK((p.before == p.after && p.detail_before == p.detail_after));  // one grey stays that grey, however enlarged
}

TEST_CASE("a report stands alone and covers the whole ledger", "[pipeline]") {
  Folder dir;
  const fs::path out = dir / "out";
  for (const char* name : {"a <b>&\xff.png", "gone.png"}) {
    write_picture(dir / name, {20, 20}, CV_8UC3, 50);
    write_picture(out / name, {40, 40}, CV_8UC3, 50);
  }
  fs::remove(dir / "gone.png");
  Ledger ledger(out);
  ledger.append(done(dir / "a <b>&\xff.png", "a <b>&\xff.png"));
  ledger.append(done(dir / "gone.png", "gone.png"));
  Record bad = done("/in/<bad>.png", "bad.png");
  bad.state = Record::State::quarantined;
  bad.reason = "the file is \"empty\"";
  ledger.append(bad);
  const fs::path file =
      write_report(out, ledger, {{{"format", "same"}}, {{"model", "m & m"}}, {}, 2, {.title = "t"}, upscaled_article});
  const std::string page = text_of(file);
  CHECK(page.find("a &lt;b&gt;&amp;\xef\xbf\xbd.png") != std::string::npos);
  CHECK(page.find("&lt;bad&gt;") != std::string::npos);
  CHECK(page.find("&quot;empty&quot;") != std::string::npos);
  CHECK(page.find("m &amp; m") != std::string::npos);
  CHECK(page.find("no pictures: ") != std::string::npos);  // its input is gone; the rest is shown
  CHECK(count_of(page, "data:image/jpeg;base64,") == 4);
  CHECK(page.find("://") == std::string::npos);
  CHECK(page.find("src=\"data:") != std::string::npos);
}

TEST_CASE("a report of many images shows some and counts all", "[pipeline]") {
  Folder dir;
  const fs::path out = dir / "out";
  write_picture(dir / "in.png", {8, 8}, CV_8UC3, 1);
  write_picture(out / "x.png", {16, 16}, CV_8UC3, 1);
  Ledger ledger(out);
  for (std::size_t i = 0; i < 100; ++i) {
    const std::string name = std::to_string(1000 + i) + ".png";
    fs::create_hard_link(out / "x.png", out / name);
    ledger.append(done(dir / "in.png", name));
  }
  const std::string page = text_of(write_report(out, ledger, {{}, {}, {}, 1, {.title = "t", .shown = 60}, upscaled_article}));
  CHECK(count_of(page, "<article>") == 60);
  CHECK(page.find("60 of 100") != std::string::npos);
  CHECK(count_of(page, "<td class=\"n\">") == 100);
}

TEST_CASE("pictures behind a slider lie beside the page, whatever they are called", "[pipeline]") {
  Folder dir;
  std::vector<std::string> files;
  for (int i = 1; i <= 300; ++i) files.push_back("a \"b\" 100%/<ä>#.overlays/" + std::to_string(1000 + i) + ".png");
  write_picture(dir / files.front(), {40, 30}, CV_8UC3, 50);
  const std::string text = picture_slider(dir.path(), files, "x < \"y\"");
  CHECK(text.find("data-folder=\"a%20%22b%22%20100%25/%3C%C3%A4%3E%23.overlays/\"") != std::string::npos);
  CHECK(text.find("src=\"a%20%22b%22%20100%25/%3C%C3%A4%3E%23.overlays/1001.png\" width=\"40\" height=\"30\"") !=
        std::string::npos);
  CHECK(text.find("data-files=\"1001.png 1002.png ") != std::string::npos);
  CHECK(text.find("max=\"300\"") != std::string::npos);
  CHECK(text.find("x &lt; &quot;y&quot;: <output>picture 1001 (1 of 300)</output>") != std::string::npos);
  CHECK(text.size() < 300 * 12);  // nothing of the pictures is in the page
  CHECK_THROWS(picture_slider(dir.path(), {"gone.png", "other.png"}, ""));
}
