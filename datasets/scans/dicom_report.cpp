#include "datasets/scans/dicom_report.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/dicom_source.hpp"
#include "modules/core/error.hpp"
#include "modules/io/output_file.hpp"

#include <dcmtk/dcmsr/codes/dcm.h>
#include <dcmtk/dcmsr/dsrdoc.h>

namespace fovea {
namespace fs = std::filesystem;
namespace {

using dicom::must;
using dicom::new_uid;
using dicom::text_of;
using Relation = DSRTypes::E_RelationshipType;
using Type = DSRTypes::E_ValueType;

constexpr const char* kManufacturer = "Fovea";
constexpr auto kContains = DSRTypes::RT_contains, kContext = DSRTypes::RT_hasObsContext, kModifier = DSRTypes::RT_hasConceptMod,
               kInferred = DSRTypes::RT_inferredFrom;

const Code kEnglish{"en", "RFC5646", "English"}, kCategory{"276214006", "SCT", "Finding category"};

DSRCodedEntryValue entry(const Code& c) { return {c.value.c_str(), c.scheme.c_str(), c.meaning.c_str()}; }

// CID 100.
Code procedure_of(const std::string& modality) {
  static const std::map<std::string, Code> kKnown{{"CT", {"25045-6", "LN", "CT unspecified body region"}},
                                                  {"MR", {"25056-3", "LN", "MRI unspecified body region"}},
                                                  {"NM", {"49118-3", "LN", "NM unspecified body region"}},
                                                  {"PT", {"44136-0", "LN", "PET unspecified body region"}}};
  const auto found = kKnown.find(modality);
  return found == kKnown.end() ? Code{"363679005", "SCT", "Imaging procedure"} : found->second;
}

class Report {
 public:
  Report(const std::vector<SourceFrame>& sources, const MeasurementReportOptions& options)
      : sources_(sources), options_(options), document_(DSRTypes::DT_ComprehensiveSR) {
    for (const SourceFrame& s : sources)
      if (!headers_.count(s.header)) headers_.emplace(s.header, dicom::parse_header(s.header));
    must(document_.createNewDocument(DSRTypes::DT_ComprehensiveSR), "a report");
    add_evidence();
    add_head();
  }

  void add(const CodedFinding& finding, std::size_t number) {
    const bool placed = options_.segmentation && !finding.on.empty(), planar = sources_.size() == 1;
    enter(kContains, DSRTypes::VT_Container, CODE_DCM_MeasurementGroup);
    must(tree().getCurrentContentItem().setTemplateIdentification(!placed  ? "1501"
                                                                  : planar ? "1410"
                                                                           : "1411",
                                                                  "DCMR"),
         "a template's number");
    put_text(kContext, CODE_DCM_TrackingIdentifier, finding.label);
    put_uid(kContext, CODE_DCM_TrackingUniqueIdentifier, new_uid(options_.seed, ("tracking " + std::to_string(number)).c_str()));
    put_code(kContains, entry(kCategory), entry(finding.codes.category));
    put_code(kContains, CODE_DCM_Finding, entry(finding.codes.type));
    if (placed) refer_to_segment(number, planar);
    for (const CodedMeasure& m : finding.measures) add(m, finding, placed);
    leave();
  }

  void save(const fs::path& file) {
    DcmFileFormat content;
    DcmDataset& data = *content.getDataset();
    must(document_.completeDocument(options_.description.c_str()), "the report's completion");
    must(document_.write(data), "the report is not as the standard says");
    dicom::copy_subject(first(), data);
    dicom::put_times(first(), data, dicom::ContentTime::needed, {DCM_SeriesDate, DCM_InstanceCreationDate},
                     {DCM_SeriesTime, DCM_InstanceCreationTime});
    must(data.putAndInsertString(DCM_SeriesInstanceUID, new_uid(options_.seed, "series").c_str()), "an identifier");
    must(data.putAndInsertString(DCM_SOPInstanceUID, new_uid(options_.seed, "instance").c_str()), "an identifier");
    OutputFile out(file);
    must(content.saveFile(out.temporary().c_str(), EXS_LittleEndianExplicit), "writing");
    out.keep();
  }

 private:
  DcmDataset& first() { return *headers_.at(sources_.front().header); }
  DSRDocumentTree& tree() { return document_.getTree(); }

  // An item below the one at hand, which it then is.
  void enter(Relation relation, Type type, const DSRCodedEntryValue& concept_name) {
    must(tree().addContentItem(relation, type, DSRTypes::AM_belowCurrent) > 0 ? EC_Normal : EC_IllegalParameter,
         "an item of the report");
    must(tree().getCurrentContentItem().setConceptName(concept_name), "an item's code");
  }
  void leave() { tree().goUp(); }
  void put_text(Relation relation, const DSRCodedEntryValue& concept_name, const std::string& text) {
    enter(relation, DSRTypes::VT_Text, concept_name);
    must(tree().getCurrentContentItem().setStringValue(text.c_str()), "a text of the report");
    leave();
  }
  void put_code(Relation relation, const DSRCodedEntryValue& concept_name, const DSRCodedEntryValue& value) {
    enter(relation, DSRTypes::VT_Code, concept_name);
    must(tree().getCurrentContentItem().setCodeValue(value), "a code of the report");
    leave();
  }
  void put_uid(Relation relation, const DSRCodedEntryValue& concept_name, const std::string& uid) {
    enter(relation, DSRTypes::VT_UIDRef, concept_name);
    must(tree().getCurrentContentItem().setStringValue(uid.c_str()), "an identifier of the report");
    leave();
  }
  void put_image(Relation relation, const DSRCodedEntryValue& concept_name, const DSRImageReferenceValue& image) {
    enter(relation, DSRTypes::VT_Image, concept_name);
    must(tree().getCurrentContentItem().setImageReference(image, OFFalse), "a reference of the report");
    leave();
  }

  void add_evidence() {
    auto& evidence = document_.getCurrentRequestedProcedureEvidence();
    const std::string study = text_of(first(), DCM_StudyInstanceUID);
    for (const auto& [bytes, data] : headers_) {
      const std::string series = text_of(*data, DCM_SeriesInstanceUID), instance = text_of(*data, DCM_SOPInstanceUID);
      const std::string sop_class = text_of(*data, DCM_SOPClassUID);
      check(!study.empty() && !series.empty() && !instance.empty() && !sop_class.empty(),
            "DICOM: nothing can refer to a source without the unique identifiers of its study, of its series and of itself");
      must(evidence.addItem(study.c_str(), series.c_str(), sop_class.c_str(), instance.c_str()), "a source's identifiers");
    }
    if (const auto& s = options_.segmentation)
      must(evidence.addItem(study.c_str(), s->series.c_str(), UID_SegmentationStorage, s->instance.c_str()), "the segmentation");
  }

  // TID 1500 down to the measurements, with who measured: TID 1204, 1001 to 1004.
  void add_head() {
    must(document_.setSpecificCharacterSet("ISO_IR 192"), "the character set");
    must(document_.setSeriesDescription(options_.description.c_str()), "the description");
    must(document_.setSeriesNumber("1002"), "the series' number");
    must(document_.setManufacturer(kManufacturer), "the manufacturer");
    must(document_.setManufacturerModelName(options_.algorithm.c_str()), "the model");
    must(document_.setSoftwareVersions(options_.software.c_str()), "the version");
    must(tree().addContentItem(DSRTypes::RT_isRoot, DSRTypes::VT_Container) > 0 ? EC_Normal : EC_IllegalParameter, "the root");
    must(tree().getCurrentContentItem().setConceptName(CODE_DCM_ImagingMeasurementReport), "the title");
    must(tree().getCurrentContentItem().setTemplateIdentification("1500", "DCMR"), "the template's number");
    put_code(kModifier, CODE_DCM_LanguageOfContentItemAndDescendants, entry(kEnglish));
    put_code(kContext, CODE_DCM_ObserverType, CODE_DCM_Device);
    put_uid(kContext, CODE_DCM_DeviceObserverUID, uid_of_device());
    put_text(kContext, CODE_DCM_DeviceObserverName, options_.description);
    put_text(kContext, CODE_DCM_DeviceObserverManufacturer, kManufacturer);
    put_text(kContext, CODE_DCM_DeviceObserverModelName, options_.algorithm + " (" + options_.software + ")");
    put_code(kModifier, CODE_DCM_ProcedureReported, entry(procedure_of(text_of(first(), DCM_Modality))));
    enter(kContains, DSRTypes::VT_Container, CODE_DCM_ImagingMeasurements);
  }
  // The same wherever this model of this version measures.
  std::string uid_of_device() const { return new_uid(options_.algorithm + '\0' + options_.software, "device"); }

  void refer_to_segment(std::size_t number, bool planar) {
    const WrittenObject& s = *options_.segmentation;
    DSRImageReferenceValue reference(UID_SegmentationStorage, s.instance.c_str());
    if (!planar) {
      reference.getSegmentList().addItem(static_cast<Uint16>(number + 1));
      put_image(kContains, CODE_DCM_ReferencedSegment, reference);
      return put_uid(kContains, CODE_DCM_SourceSeriesForSegmentation, text_of(first(), DCM_SeriesInstanceUID));
    }
    reference.getFrameList().addItem(s.first_frames.at(number));
    put_image(kContains, CODE_DCM_ReferencedSegmentationFrame, reference);
    put_image(kContains, CODE_DCM_SourceImageForSegmentation, image(sources_.front()));
  }

  DSRImageReferenceValue image(const SourceFrame& source) {
    DcmDataset& data = *headers_.at(source.header);
    const std::string sop_class = text_of(data, DCM_SOPClassUID);
    // Unchecked: dcmtk does not count doses of radiotherapy among the images.
    DSRImageReferenceValue reference(sop_class.c_str(), text_of(data, DCM_SOPInstanceUID).c_str(), OFFalse);
    if (dicom::is_multi_frame(sop_class)) reference.getFrameList().addItem(source.frame + 1);
    return reference;
  }

  void add(const CodedMeasure& measure, const CodedFinding& finding, bool placed) {
    enter(kContains, DSRTypes::VT_Num, entry(measure.what));
    const DSRNumericMeasurementValue value(dicom::decimal_string(measure.value).c_str(), entry(measure.unit));
    must(tree().getCurrentContentItem().setNumericValue(value), "a number of the report");
    if (measure.derivation) put_code(kModifier, CODE_DCM_Derivation, entry(*measure.derivation));
    if (!placed) refer_to_sources(finding.on);
    leave();
  }
  // Where it was looked for, if it is nowhere.
  void refer_to_sources(const std::vector<std::size_t>& on) {
    for (std::size_t i = 0; i < sources_.size(); ++i)
      if (on.empty() || std::find(on.begin(), on.end(), i) != on.end())
        put_image(kInferred, CODE_DCM_SourceOfMeasurement, image(sources_[i]));
  }

  const std::vector<SourceFrame>& sources_;
  const MeasurementReportOptions& options_;
  std::map<std::string, std::unique_ptr<DcmDataset>> headers_;
  DSRDocument document_;
};

}  // namespace

void write_measurement_report(const fs::path& file, const std::vector<SourceFrame>& sources,
                              const std::vector<CodedFinding>& findings, const MeasurementReportOptions& options) {
  check(!sources.empty() && !findings.empty(), "report: expected sources and what to say of them");
  dicom::start();
  Report report(sources, options);
  for (std::size_t i = 0; i < findings.size(); ++i) report.add(findings[i], i);
  report.save(file);
}

Code ucum_unit(const std::string& unit) {
  static const std::map<std::string, Code> kKnown{{"HU", {"[hnsf'U]", "UCUM", "Hounsfield unit"}},
                                                  {"BQML", {"Bq/ml", "UCUM", "Becquerels per milliliter"}},
                                                  {"GML", {"g/ml", "UCUM", "Grams per milliliter"}},
                                                  {"MGML", {"mg/ml", "UCUM", "Milligrams per milliliter"}},
                                                  {"GY", {"Gy", "UCUM", "Gray"}},
                                                  {"PCT", {"%", "UCUM", "Percent"}},
                                                  {"CNTS", {"{counts}", "UCUM", "Counts"}}};
  if (const auto found = kKnown.find(unit); found != kKnown.end()) return found->second;
  constexpr std::size_t kLongest = 14;  // of 16 characters
  const bool fits = !unit.empty() && unit.size() <= kLongest && std::all_of(unit.begin(), unit.end(), [](char c) {
    return c > ' ' && c < 127 && c != '{' && c != '}' && c != '\\';
  });
  return fits ? Code{"{" + unit + "}", "UCUM", unit} : Code{"1", "UCUM", "no units"};
}

Code intensity_of(const std::string& modality) {
  if (modality == "CT") return {"112031", "DCM", "Attenuation Coefficient"};
  if (modality == "MR") return {"110852", "DCM", "MR signal intensity"};
  return {"INTENSITY", "99FOVEA", "Intensity"};
}

}  // namespace fovea
