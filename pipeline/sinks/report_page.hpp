// The fixed parts of the report's page.
#pragma once

namespace fovea {

extern const char* const kPageHead;    // up to <body>
extern const char* const kPageScript;  // the sliders

}  // namespace fovea
