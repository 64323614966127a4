#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>

#include "datasets/scans/dicom.hpp"
#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/dicom_source.hpp"
#include "datasets/scans/in_process.hpp"
#include "modules/core/error.hpp"

namespace fovea {
namespace {

constexpr Uint32 kLongestValue = 1 << 16;

// Pixels, overlays, private attributes, and whatever else is long.
bool left_out(DcmElement& element) {
  const DcmTag& tag = element.getTag();
  const bool pixels = tag == DCM_PixelData || tag == DCM_FloatPixelData || tag == DCM_DoubleFloatPixelData;
  const bool overlay = (tag.getGroup() & 0xff00) == 0x6000 || (tag.getGroup() & 0xff00) == 0x5000;
  return pixels || overlay || tag.getGroup() % 2 != 0 || (element.ident() != EVR_SQ && element.getLength() > kLongestValue);
}

void strip(DcmItem& item) {
  for (unsigned long i = item.card(); i-- > 0;) {
    DcmElement* element = item.getElement(i);
    if (left_out(*element)) {
      delete item.remove(i);
      continue;
    }
    auto* sequence = dynamic_cast<DcmSequenceOfItems*>(element);
    for (unsigned long k = 0; sequence && k < sequence->card(); ++k) strip(*sequence->getItem(k));
  }
}

}  // namespace

std::string read_header_in_process(const std::filesystem::path& file) {
  if (!is_dicom(file)) return {};
  dicom::start();
  DcmFileFormat content;
  const OFCondition loaded = content.loadFile(file.c_str());
  check(loaded.good(), file.string(), ": damaged or truncated DICOM: ", loaded.text());
  DcmDataset& data = *content.getDataset();
  strip(data);
  if (data.convertToUTF8().bad()) data.findAndDeleteElement(DCM_SpecificCharacterSet);
  return dicom::header_bytes(data);
}

}  // namespace fovea
