#include "pipeline/tasks/highlight/series.hpp"

#include "datasets/scans/scan.hpp"
#include "modules/core/fingerprint.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

// Empty for files that stand for themselves.
std::string series_of(const fs::path& file) {
  try {
    if (!is_scan(file)) return {};
    const ScanInfo info = open_scan(file)->info();
    return info.frames == 1 ? info.series : std::string();
  } catch (const std::exception&) { return {}; }  // the run itself says why
}

}  // namespace

InputMapping series_mapping() {
  return {.parts = {}, .group = [](const Input& input) {
            const std::string series = series_of(input.file);
            if (series.empty()) return input.relative.string();
            return (input.relative.parent_path() / ("series-" + fingerprint(series).substr(0, 8))).string();
          }};
}

}  // namespace fovea
