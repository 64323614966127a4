// Text burned into pixels, as ultrasound machines and secondary captures do with the patient's name.
#pragma once

#include <string>

#include "datasets/scans/scan.hpp"

namespace fovea {

// Why the pixels of a DICOM file may name somebody: it says so (Burned In Annotation is YES), or it does not say that they do not and is of a kind that often
// does: ultrasound, secondary capture, modality OT. Empty for all else, and for formats that say nothing of it.
std::string burned_in_reason(const ScanInfo& info);

}  // namespace fovea
