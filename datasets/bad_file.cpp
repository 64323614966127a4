#include "datasets/bad_file.hpp"

#include <new>
#include <opencv2/core.hpp>
#include <system_error>

#include "modules/core/memory.hpp"
#include "modules/io/files.hpp"

namespace fovea {

bool is_passing(const std::exception& e) {
  if (const auto* file = dynamic_cast<const FileError*>(&e)) return passes(file->code);
  if (const auto* system = dynamic_cast<const std::system_error*>(&e)) return passes(system->code().value());  // threads, too
  if (const auto* opencv = dynamic_cast<const cv::Exception*>(&e)) return opencv->code == cv::Error::StsNoMem;
  return dynamic_cast<const std::bad_alloc*>(&e) || dynamic_cast<const memory::OutOfMemory*>(&e);
}

BadFile bad_file(const std::filesystem::path& file, const std::exception& e) {
  if (is_passing(e)) throw;
  return {file, e.what()};
}

}  // namespace fovea
