// Headers without whom they are about: DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile.
#pragma once

#include <string>

#include "datasets/scans/pseudonyms.hpp"

namespace fovea {

// What read_header() gave, for objects that are made of it. Kept is only what the writers of objects need and the profile lets stand: what kind of picture it
// is, of which part of the body. Unique identifiers become others, the same ones everywhere, name and number of the patient one id;
// dates, times and all else are gone, and what must be there is empty. Error where it cannot be read.
std::string deidentified(const std::string& header, const Pseudonyms& pseudonyms);

}  // namespace fovea
