#include "pipeline/stages/save.hpp"

#include <cerrno>

#include "modules/io/files.hpp"
#include "pipeline/sources/work_list.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

bool only_this_name(int error) {
  switch (error) {
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case EILSEQ:
    case EINVAL:
    case ELOOP:
    case EFBIG: return true;
    default: return false;
  }
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw FileError(folder.string() + ": cannot make the folder: " + error.message(), error.value());
}

}  // namespace

void write_output(const fs::path& file, const std::function<void()>& write) {
  try {
    make_folder(file.parent_path());
    write();
  } catch (const FileError& e) {
    if (only_this_name(e.code)) throw;
    throw EnvironmentError(e.what());
  }
}

void save_png(Frame& frame, const fs::path& file, const cv::Mat& pixels) {
  const auto bytes = encode_image(Image{pixels, pixels.channels() == 1, {}}, "png");
  write_output(file, [&] { write_file_atomically(file, bytes.data(), bytes.size()); });
  frame.written.push_back(file);
}

void SaveImage::process(std::span<Frame> batch) {
  for (Frame& frame : batch) {
    const Image image = frame.results.take(kOutput);
    const auto bytes = encode_image(image, format_of(frame.output), options_);
    write_output(frame.output, [&] { write_file_atomically(frame.output, bytes.data(), bytes.size()); });
  }
}

}  // namespace fovea
