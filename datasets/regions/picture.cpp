#include "datasets/regions/picture.hpp"

#include <algorithm>
#include <map>
#include <opencv2/imgproc.hpp>

#include "datasets/preprocess.hpp"
#include "datasets/resample.hpp"
#include "datasets/scans/stack_reader.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// A file of masks or objects, a slice at a time; nothing where the class is absent.
class TruthFile {
 public:
  TruthFile(const fs::path& file, int slices) {
    if (file.empty()) return;
    stack_.emplace(std::vector<fs::path>{file}, std::nullopt, ImageStack::Options{});
    check(stack_->size() == slices, file.string(), ": expected ", slices, " slices as its picture has, got ", stack_->size());
  }
  cv::Mat values(int i, cv::Size size) const {
    cv::Mat out = cv::Mat::zeros(size, CV_32S);
    if (!stack_) return out;
    const cv::Mat read = stack_->read(i).values;
    const std::string file = stack_->slice(i).file.string();
    check(read.channels() == 1, file, ": expected a mask of one channel, got ", read.channels());
    check(read.size() == size, file, ": expected a mask of ", size.width, "x", size.height, " pixels as its picture, got ",
          read.cols, "x", read.rows);
    read.convertTo(out, CV_32S);
    return out;
  }

 private:
  std::optional<ImageStack> stack_;
};

RegionTruth truth_of(const std::vector<TruthFile>& classes, const RegionFiles& files, int i, cv::Size size) {
  RegionTruth truth;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const cv::Mat values = classes[c].values(i, size);
    truth.masks.push_back(cv::Mat(values != 0) / 255);
    truth.objects.push_back(files.objects[c] ? values : cv::Mat());
  }
  return truth;
}

cv::Mat shrunk_mask(const cv::Mat& mask, const Geometry& g) {
  cv::Mat share = resample(mask, g.resized(), g.content - cv::Point(g.shift_x, g.shift_y), Preprocess::Interpolation::area);
  return cv::Mat(share >= 0.5) / 255;
}

// The value at the pixel's centre.
cv::Mat shrunk_objects(const cv::Mat& objects, const Geometry& g) {
  cv::Mat out(g.content.size(), CV_32S);
  for (int y = 0; y < out.rows; ++y)
    for (int x = 0; x < out.cols; ++x) {
      const cv::Point2d at = g.to_source(cv::Point2d(x + g.content.x, y + g.content.y));
      out.at<int>(y, x) =
          objects.at<int>(std::clamp(cvRound(at.y), 0, objects.rows - 1), std::clamp(cvRound(at.x), 0, objects.cols - 1));
    }
  return out;
}

std::map<int, cv::Rect> boxes_of(const cv::Mat& objects) {
  std::map<int, cv::Rect> boxes;
  for (int y = 0; y < objects.rows; ++y)
    for (int x = 0; x < objects.cols; ++x)
      if (const int id = objects.at<int>(y, x); id != 0) {
        const cv::Rect pixel(x, y, 1, 1);
        const auto [it, fresh] = boxes.emplace(id, pixel);
        if (!fresh) it->second |= pixel;
      }
  return boxes;
}

}  // namespace

std::vector<RegionPicture> read_region_picture(const RegionFiles& files, const Preprocess& p) {
  const auto stack =
      std::make_shared<const ImageStack>(std::vector<fs::path>{files.picture}, std::nullopt, ImageStack::Options{});
  std::vector<TruthFile> classes;
  for (const fs::path& mask : files.masks) classes.emplace_back(mask, stack->size());
  StackReader reader(stack, p);
  std::vector<RegionPicture> out;
  for (int i = 0; i < stack->size(); ++i) {
    cv::Mat values = reader.values(i);
    RegionTruth truth = truth_of(classes, files, i, values.size());
    out.push_back({files, std::move(values), std::move(truth), stack->slice(i).about.spacing});
  }
  return out;
}

RegionPictures read_region_pictures(const std::vector<RegionFiles>& files, const Preprocess& p) {
  RegionPictures out;
  for (const RegionFiles& f : files) try {
      for (RegionPicture& picture : read_region_picture(f, p)) out.all.push_back(std::move(picture));
    } catch (const std::exception& e) { out.bad.push_back(bad_file(f.picture, e)); }
  return out;
}

RegionPicture fitted(const RegionPicture& picture, const Preprocess& p) {
  if (p.resize == Preprocess::Resize::none) return picture;
  const Geometry g = geometry_of(picture.values.size(), p);
  RegionPicture out{picture.files,
                    resample(picture.values, g.resized(), g.content - cv::Point(g.shift_x, g.shift_y), p.interpolation),
                    {},
                    picture.spacing};
  for (const cv::Mat& mask : picture.truth.masks) out.truth.masks.push_back(shrunk_mask(mask, g));
  for (const cv::Mat& objects : picture.truth.objects)
    out.truth.objects.push_back(objects.empty() ? cv::Mat() : shrunk_objects(objects, g));
  return out;
}

cv::Mat object_distance(const cv::Mat& objects) {
  cv::Mat out = cv::Mat::zeros(objects.size(), CV_32F);
  for (const auto& [id, box] : boxes_of(objects)) {
    cv::Mat mask = cv::Mat::zeros(box.height + 2, box.width + 2, CV_8U);  // what lies beyond the picture is no part of the object
    cv::Mat(objects(box) == id).copyTo(mask(cv::Rect(1, 1, box.width, box.height)));
    cv::Mat distance;
    cv::distanceTransform(mask, distance, cv::DIST_L2, cv::DIST_MASK_PRECISE);
    double most = 0;
    cv::minMaxLoc(distance, nullptr, &most);
    const cv::Mat inside = distance(cv::Rect(1, 1, box.width, box.height));
    cv::Mat(inside / most).copyTo(out(box), mask(cv::Rect(1, 1, box.width, box.height)));
  }
  return out;
}

cv::Mat signed_distance(const cv::Mat& mask) {
  const int inside = cv::countNonZero(mask);
  const auto far = static_cast<float>(std::max(mask.rows, mask.cols));
  if (inside == 0 || inside == static_cast<int>(mask.total())) return {mask.size(), CV_32F, cv::Scalar(inside == 0 ? far : -far)};
  cv::Mat out, in;
  cv::distanceTransform(mask == 0, out, cv::DIST_L2, cv::DIST_MASK_PRECISE);
  cv::distanceTransform(mask != 0, in, cv::DIST_L2, cv::DIST_MASK_PRECISE);
  return cv::Mat(out - in);
}

}  // namespace fovea
