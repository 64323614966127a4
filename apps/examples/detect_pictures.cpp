// Finds objects in one picture after another and draws them: what a loop over the frames of a video does, too.
// usage: detect_pictures MODEL PICTURE...   writes PICTURE.boxes.png
#include <cstdio>
#include <opencv2/imgproc.hpp>

#include "datasets/boxes/detections.hpp"
#include "pipeline/tasks/detect/detector.hpp"

int main(int argc, char** argv) try {
  using namespace fovea;
  check(argc > 2, "usage: detect_pictures MODEL PICTURE...");
  const Detector detector(Model::load(argv[1]));
  for (int i = 2; i < argc; ++i) {
    cv::Mat frame = read_photo(argv[i]);
    for (const Detection& d : detector.run(frame).detections) {
      std::printf("%s %.2f\n", detector.classes().at(static_cast<std::size_t>(d.label)).c_str(), d.score);
      cv::rectangle(frame, to_pixels(d.box), {0, 255, 0}, 2);
    }
    Image drawn;
    drawn.pixels = frame;
    const auto png = encode_image(drawn, "png");
    write_file_atomically(std::string(argv[i]) + ".boxes.png", png.data(), png.size());
  }
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
