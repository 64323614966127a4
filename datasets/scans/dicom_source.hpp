// The attributes of source images, for objects that refer to them.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <memory>
#include <string>

namespace fovea::dicom {

// What read_header() gave, fit for another object: dates and times of the old form ("1997.04.24") in today's, and without values that their kind does not
// allow. Error.
std::unique_ptr<DcmDataset> parse_header(const std::string& bytes);

std::string new_uid();

// Empty where it is absent.
std::string text_of(DcmItem& item, const DcmTagKey& tag);

// Whether objects of a class hold several frames, so that one of them can be referred to.
bool is_multi_frame(const std::string& sop_class);

// At most 16 characters, as a decimal string may have.
std::string decimal_string(double value);

// Throws Error with what was tried and dcmtk's reason.
void must(const OFCondition& done, const char* what);

}  // namespace fovea::dicom
