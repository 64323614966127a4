// Where the frames of a DICOM object lie and how their values count: from the object, or from the functional groups of an enhanced one.
#pragma once

#include "datasets/scans/dicom_items.hpp"
#include "datasets/scans/scan.hpp"

namespace fovea::dicom {

FrameInfo read_frame_info(const Item& data, int frame);
std::optional<VoiLut> read_voi_lut(const Item& data);

}  // namespace fovea::dicom
