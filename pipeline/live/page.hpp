// The files of the live page. They are constants: nothing of a run is written into them, it comes as JSON and is shown as text.
#pragma once

namespace fovea {

inline constexpr const char* kHtml = "text/html; charset=utf-8";

extern const char* const kLivePage;
extern const char* const kLiveStyle;
extern const char* const kLiveScript;
extern const char* const kLiveIcon;
// For whoever comes without the cookie: where to find the address.
extern const char* const kLiveEntrance;

}  // namespace fovea
