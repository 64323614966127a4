#include "datasets/scans/dicom_segmentation.hpp"

#include <algorithm>
#include <map>

#include "datasets/scans/dicom_frames.hpp"
#include "datasets/scans/dicom_source.hpp"
#include "modules/core/error.hpp"
#include "modules/io/output_file.hpp"

#include <dcmtk/dcmfg/fgderimg.h>
#include <dcmtk/dcmfg/fgfracon.h>
#include <dcmtk/dcmfg/fgpixmsr.h>
#include <dcmtk/dcmfg/fgplanor.h>
#include <dcmtk/dcmfg/fgplanpo.h>
#include <dcmtk/dcmseg/segdoc.h>
#include <dcmtk/dcmseg/segment.h>

namespace fovea {
namespace fs = std::filesystem;
namespace {

using dicom::decimal_string;
using dicom::must;
using dicom::new_uid;
using dicom::text_of;

constexpr const char* kManufacturer = "Fovea";

CodeSequenceMacro code_of(const Code& c) { return CodeSequenceMacro(c.value.c_str(), c.scheme.c_str(), c.meaning.c_str()); }

// The source image of a derivation.
const Code kSourceImage{"121322", "DCM", "Source image for image processing operation"},
    kSegmentation{"113076", "DCM", "Segmentation"};

class Writer {
 public:
  Writer(const std::vector<SourceFrame>& sources, cv::Size size, const SegmentationOptions& options)
      : sources_(sources), options_(options) {
    for (const SourceFrame& s : sources)
      if (!headers_.count(s.header)) headers_.emplace(s.header, dicom::parse_header(s.header));
    in_space_ =
        !text_of(first(), DCM_FrameOfReferenceUID).empty() &&
        std::all_of(sources.begin(), sources.end(), [](const SourceFrame& s) { return s.about.plane && s.about.spacing; });
    create(size);
    add_series();
    add_references();
    must(object_->importFromSourceImage(first()), "patient and study of the source are not as the standard says");
    add_shared();
    if (in_space_) return;
    must(object_->getFrameOfReference().setFrameOfReferenceUID(new_uid(options_.seed, "space").c_str()), "a frame of reference");
  }

  void add_segment(const CodedSegment& info) {
    DcmSegment* made = nullptr;
    must(DcmSegment::create(made, info.label.c_str(), code_of(info.codes.category), code_of(info.codes.type),
                            DcmSegTypes::SAT_AUTOMATIC, options_.algorithm.c_str()),
         "a segment's label or codes");
    std::unique_ptr<DcmSegment> segment(made);
    Uint16 number = 0;
    must(object_->addSegment(segment.get(), number), "adding a segment");
    segment.release();  // the object owns it now
  }

  void add_frame(std::size_t segment, std::size_t source, const cv::Mat& mask) {
    const SourceFrame& from = sources_[source];
    FGFrameContent content;
    must(content.setStackID("1"), "the stack");
    must(content.setInStackPositionNumber(static_cast<Uint32>(source + 1)), "a place in the stack");
    must(content.setDimensionIndexValues(static_cast<Uint32>(segment + 1), 0), "an index");
    must(content.setDimensionIndexValues(static_cast<Uint32>(source + 1), 1), "an index");
    const std::unique_ptr<FGDerivationImage> derivation(derivation_of(from));
    OFVector<FGBase*> groups;
    groups.push_back(&content), groups.push_back(derivation.get());
    const Vec3 o = plane_of(source).origin;
    const std::unique_ptr<FGPlanePosPatient> place(FGPlanePosPatient::createMinimal(
        decimal_string(o[0]).c_str(), decimal_string(o[1]).c_str(), decimal_string(o[2]).c_str()));
    check(place != nullptr, "DICOM: a place in the patient cannot be written");
    groups.push_back(place.get());
    const cv::Mat dense = mask.isContinuous() ? mask : mask.clone();
    must(object_->addFrame(dense.data, static_cast<Uint16>(segment + 1), groups), "adding a frame");
  }

  WrittenObject save(const fs::path& file) {
    DcmFileFormat content;
    DcmDataset& data = *content.getDataset();
    must(object_->writeDataset(data), "the object is not as the standard says");
    if (!in_space_) {
      take_places_off(data);
      must(data.putAndInsertString(DCM_PatientOrientation, text_of(first(), DCM_PatientOrientation).c_str()), "the orientation");
    }
    dicom::copy_subject(first(), data);
    dicom::copy_body_part(first(), data);
    dicom::put_times(first(), data, dicom::ContentTime::needed, {DCM_SeriesDate}, {DCM_SeriesTime});
    WrittenObject written{new_uid(options_.seed, "series"), new_uid(options_.seed, "instance"), {}};
    must(data.putAndInsertString(DCM_SeriesInstanceUID, written.series.c_str()), "an identifier");
    must(data.putAndInsertString(DCM_SOPInstanceUID, written.instance.c_str()), "an identifier");
    OutputFile out(file);
    must(content.saveFile(out.temporary().c_str(), EXS_LittleEndianExplicit), "writing");
    out.keep();
    return written;
  }

 private:
  DcmDataset& first() { return *headers_.at(sources_.front().header); }

  void create(cv::Size size) {
    const IODGeneralEquipmentModule::EquipmentInfo equipment(kManufacturer, options_.algorithm.c_str(), "0",
                                                             options_.software.c_str());
    const ContentIdentificationMacro content("1", "SEGMENTATION", options_.description.c_str(), kManufacturer);
    DcmSegmentation* made = nullptr;
    const auto rows = static_cast<Uint16>(size.height), columns = static_cast<Uint16>(size.width);
    must(options_.fractional ? DcmSegmentation::createFractionalSegmentation(made, rows, columns, DcmSegTypes::SFT_PROBABILITY,
                                                                             255, equipment, content)
                             : DcmSegmentation::createBinarySegmentation(made, rows, columns, equipment, content),
         "a segmentation of this size");
    object_.reset(made);
  }

  void add_series() {
    IODGeneralSeriesModule& series = object_->getSeries();
    must(series.setSeriesDescription(options_.description.c_str()), "the description");
    must(series.setSeriesNumber("1000"), "the series' number");
  }

  // Every source, by its series.
  void add_references() {
    std::map<std::string, IODSeriesAndInstanceReferenceMacro::ReferencedSeriesItem*> series;
    for (const auto& [bytes, data] : headers_) {
      const std::string uid = text_of(*data, DCM_SeriesInstanceUID);
      check(!uid.empty() && !text_of(*data, DCM_SOPInstanceUID).empty() && !text_of(*data, DCM_SOPClassUID).empty(),
            "DICOM: nothing can refer to a source without the unique identifiers of its series and of itself");
      auto& item = series[uid];
      if (item == nullptr) {
        item = new IODSeriesAndInstanceReferenceMacro::ReferencedSeriesItem();  // the list owns it
        object_->getCommonInstanceReference().getReferencedSeriesItems().push_back(item);
        must(item->setSeriesInstanceUID(uid.c_str()), "the source's series has no identifier");
      }
      must(item->addReference(text_of(*data, DCM_SOPClassUID).c_str(), text_of(*data, DCM_SOPInstanceUID).c_str()),
           "the source has no identifier");
    }
  }

  void add_shared() {
    IODMultiframeDimensionModule& dimensions = object_->getDimensions();
    const std::string made = new_uid(options_.seed, "dimensions");
    const OFString uid(made.c_str());
    must(dimensions.addDimensionIndex(DCM_ReferencedSegmentNumber, uid, DCM_SegmentIdentificationSequence,
                                      "ReferencedSegmentNumber"),
         "a dimension");
    must(in_space_ ? dimensions.addDimensionIndex(DCM_ImagePositionPatient, uid, DCM_PlanePositionSequence, "Position")
                   : dimensions.addDimensionIndex(DCM_InStackPositionNumber, uid, DCM_FrameContentSequence, "Picture"),
         "a dimension");
    const PixelSpacing spacing = sources_.front().about.spacing.value_or(PixelSpacing{});
    FGPixelMeasures measures;
    must(measures.setPixelSpacing((decimal_string(spacing.rows) + "\\" + decimal_string(spacing.columns)).c_str()),
         "the spacing");
    const std::string thickness = text_of(first(), DCM_SliceThickness);
    if (!thickness.empty()) static_cast<void>(measures.setSliceThickness(thickness.c_str()));
    else must(measures.setSliceThickness("1"), "the slices' thickness");
    must(object_->addForAllFrames(measures), "the spacing");
    const Plane plane = plane_of(0);
    const Vec3 &a = plane.along_columns, &b = plane.along_rows;
    const std::unique_ptr<FGPlaneOrientationPatient> orientation(FGPlaneOrientationPatient::createMinimal(
        decimal_string(a[0]).c_str(), decimal_string(a[1]).c_str(), decimal_string(a[2]).c_str(), decimal_string(b[0]).c_str(),
        decimal_string(b[1]).c_str(), decimal_string(b[2]).c_str()));
    check(orientation != nullptr, "DICOM: the orientation cannot be written");
    must(object_->addForAllFrames(*orientation), "the orientation");
  }

  // dcmseg writes no object without a frame of reference, and with one asks for spacing and places: where nobody knows them they are made up, and
  // taken off again.
  Plane plane_of(std::size_t source) const {
    if (in_space_) return *sources_[source].about.plane;
    return {{0, 0, static_cast<double>(source)}, {1, 0, 0}, {0, 1, 0}};
  }
  void take_places_off(DcmDataset& data) const {
    for (const DcmTagKey& tag : {DCM_FrameOfReferenceUID, DCM_PositionReferenceIndicator})
      static_cast<void>(data.findAndDeleteElement(tag));
    for (const DcmTagKey& groups : {DCM_SharedFunctionalGroupsSequence, DCM_PerFrameFunctionalGroupsSequence}) {
      DcmItem* frame = nullptr;
      for (long i = 0; data.findAndGetSequenceItem(groups, frame, i).good(); ++i) {
        for (const DcmTagKey& tag : {DCM_PlanePositionSequence, DCM_PlaneOrientationSequence})
          static_cast<void>(frame->findAndDeleteElement(tag));
        if (!sources_.front().about.spacing) static_cast<void>(frame->findAndDeleteElement(DCM_PixelMeasuresSequence));
      }
    }
  }

  FGDerivationImage* derivation_of(const SourceFrame& from) {
    DcmDataset& data = *headers_.at(from.header);
    ImageSOPInstanceReferenceMacro* made = nullptr;
    must(ImageSOPInstanceReferenceMacro::create(text_of(data, DCM_SOPClassUID).c_str(), text_of(data, DCM_SOPInstanceUID).c_str(),
                                                made),
         "a reference to the source");
    const std::unique_ptr<ImageSOPInstanceReferenceMacro> reference(made);
    if (dicom::is_multi_frame(text_of(data, DCM_SOPClassUID)))
      must(reference->addReferencedFrameNumber(static_cast<Uint16>(from.frame + 1)), "a frame of the source");
    auto derivation = std::make_unique<FGDerivationImage>();
    DerivationImageItem* item = nullptr;
    must(derivation->addDerivationImageItem(code_of(kSegmentation), options_.algorithm.c_str(), item), "a derivation");
    auto source = std::make_unique<SourceImageItem>();
    source->getImageSOPInstanceReference() = *reference;
    source->getPurposeOfReferenceCode() = code_of(kSourceImage);
    item->getSourceImageItems().push_back(source.release());
    return derivation.release();
  }

  const std::vector<SourceFrame>& sources_;
  const SegmentationOptions& options_;
  std::map<std::string, std::unique_ptr<DcmDataset>> headers_;
  std::unique_ptr<DcmSegmentation> object_;
  bool in_space_ = false;
};

}  // namespace

WrittenObject write_segmentation(const fs::path& file, const std::vector<SourceFrame>& sources,
                                 const std::vector<CodedSegment>& segments, const std::vector<std::vector<cv::Mat>>& masks,
                                 const SegmentationOptions& options) {
  check(!sources.empty() && !segments.empty() && masks.size() == segments.size(),
        "segmentation: expected sources, and masks for each of ", segments.size(), " segments");
  for (const auto& of_segment : masks)
    for (const cv::Mat& m : of_segment)
      check(of_segment.size() == sources.size() && m.type() == CV_8U && m.size() == masks[0][0].size(),
            "segmentation: expected a mask of 8 bits for each of ", sources.size(), " sources, all of one size");
  dicom::start();
  Writer writer(sources, masks[0][0].size(), options);
  for (const CodedSegment& s : segments) writer.add_segment(s);
  int frames = 0;
  std::vector<int> first(segments.size());
  for (std::size_t s = 0; s < segments.size(); ++s)
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (cv::countNonZero(masks[s][i]) == 0) continue;
      writer.add_frame(s, i, masks[s][i]), ++frames;
      if (first[s] == 0) first[s] = frames;
    }
  if (frames == 0) writer.add_frame(0, 0, masks[0][0]);  // an object without a frame is none
  WrittenObject written = writer.save(file);
  written.first_frames = std::move(first);
  return written;
}

}  // namespace fovea
