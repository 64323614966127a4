#include "datasets/scans/dicom.hpp"
#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/in_process.hpp"
#include "modules/core/error.hpp"

namespace fovea {

std::vector<std::pair<std::string, std::string>> read_patient_in_process(const std::filesystem::path& file) {
  std::vector<std::pair<std::string, std::string>> out;
  if (!is_dicom(file)) return out;
  dicom::start();
  DcmFileFormat content;
  const OFCondition loaded = content.loadFile(file.c_str());
  check(loaded.good(), file.string(), ": damaged or truncated DICOM: ", loaded.text());
  // Names stand in the file's own alphabet; one that dcmtk does not know stays as it is.
  static_cast<void>(content.getDataset()->convertToUTF8());
  const dicom::Item data{content.getDataset(), file.string()};
  const std::pair<const char*, DcmTagKey> kAttributes[] = {{"patient", DCM_PatientName},
                                                           {"patient id", DCM_PatientID},
                                                           {"born", DCM_PatientBirthDate},
                                                           {"sex", DCM_PatientSex},
                                                           {"age", DCM_PatientAge},
                                                           {"study date", DCM_StudyDate},
                                                           {"accession number", DCM_AccessionNumber},
                                                           {"institution", DCM_InstitutionName},
                                                           {"physician", DCM_ReferringPhysicianName},
                                                           {"study", DCM_StudyInstanceUID},
                                                           {"series", DCM_SeriesInstanceUID}};
  for (const auto& [name, tag] : kAttributes)
    if (std::string value = data.text(tag); !value.empty()) out.emplace_back(name, std::move(value));
  return out;
}

}  // namespace fovea
