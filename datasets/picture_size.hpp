// How large a picture is, without making pixels of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace fovea {

// Width and height as read_image gives them, EXIF orientation applied. The headers of PNG, JPEG, BMP and WebP tell; pictures of
// other formats, and those whose header is damaged, are decoded. Throws as read_image does; damage behind the header is not
// seen.
cv::Size picture_size(const std::filesystem::path& file);
cv::Size picture_size(const std::vector<std::uint8_t>& bytes, const std::string& name);

}  // namespace fovea
