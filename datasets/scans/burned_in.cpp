#include "datasets/scans/burned_in.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace fovea {
namespace {

bool often_has_text(const ScanInfo& info) {
  constexpr std::array<std::string_view, 3> kKinds{"Ultrasound", "USVolume", "SecondaryCapture"}, kModalities{"US", "SC", "OT"};
  return std::find(kModalities.begin(), kModalities.end(), info.modality) != kModalities.end() ||
         std::any_of(kKinds.begin(), kKinds.end(),
                     [&](std::string_view kind) { return info.kind.find(kind) != std::string::npos; });
}

}  // namespace

std::string burned_in_reason(const ScanInfo& info) {
  if (info.format != "DICOM" || info.burned_in == false) return {};
  if (info.burned_in == true) return "text is burned into its pixels (Burned In Annotation is YES)";
  return often_has_text(info) ? "it does not say whether text is burned into its pixels (Burned In Annotation), and is of a kind "
                                "that often has some"
                              : std::string();
}

}  // namespace fovea
