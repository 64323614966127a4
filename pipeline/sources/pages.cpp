#include "pipeline/sources/pages.hpp"

#include <charconv>
#include <string_view>

namespace fovea {
namespace {

constexpr std::string_view kPage = "page";

}  // namespace

InputMapping page_mapping() {
  return {.parts = [](const Input& input) {
    std::vector<Input> pages;
    const std::size_t count = count_pages(input.file);
    for (std::size_t i = 0; count > 1 && i < count; ++i) {
      pages.push_back(input);
      pages.back().part = std::string(kPage) + std::to_string(i + 1);
    }
    return pages;
  }};
}

std::optional<std::size_t> page_of(const std::string& part) {
  std::size_t number = 0;
  if (!part.starts_with(kPage)) return std::nullopt;
  const auto [end, error] = std::from_chars(part.data() + kPage.size(), part.data() + part.size(), number);
  return error == std::errc() && end == part.data() + part.size() && number > 0 ? std::optional(number - 1) : std::nullopt;
}

Image read_part(const std::filesystem::path& file, const std::string& part) { return read_image(file, page_of(part)); }

}  // namespace fovea
