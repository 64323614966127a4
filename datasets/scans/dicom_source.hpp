// The attributes of source images, for objects that refer to them.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include <memory>
#include <string>
#include <vector>

namespace fovea::dicom {

// What read_header() gave, fit for another object: dates and times of the old form ("1997.04.24") in today's, and without values that their kind does not
// allow. Error.
std::unique_ptr<DcmDataset> parse_header(const std::string& bytes);
// The other way round.
std::string header_bytes(DcmDataset& data);

// A unique identifier of the moment; with a seed the same one for the same seed and purpose.
std::string new_uid(const std::string& seed = {}, const char* purpose = "");

// Patient and General Study modules, as another object of the same study has them; what must be there is empty where the source lacks it.
void copy_subject(DcmItem& source, DcmItem& object);
// What of it an image shows. On which side is not for objects of several frames.
void copy_body_part(DcmItem& source, DcmItem& object);

inline constexpr const char* kTimesRemoved = "REMOVED";  // of Longitudinal Temporal Information Modified

enum class ContentTime { needed, may_be_empty };
// Content date and time: now; further ones likewise. Of a source whose times were removed, an object tells none: the further ones are left out, and
// those that the standard needs mean nothing.
void put_times(DcmItem& source, DcmItem& object, ContentTime content, const std::vector<DcmTagKey>& dates,
               const std::vector<DcmTagKey>& times);

// Empty where it is absent.
std::string text_of(DcmItem& item, const DcmTagKey& tag);

// Whether objects of a class hold several frames, so that one of them can be referred to.
bool is_multi_frame(const std::string& sop_class);

// At most 16 characters, as a decimal string may have.
std::string decimal_string(double value);

// Throws Error with what was tried and dcmtk's reason.
void must(const OFCondition& done, const char* what);

}  // namespace fovea::dicom
