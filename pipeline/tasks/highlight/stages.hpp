// Reading an input, highlighting its pictures, and writing what was found, as stages.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "datasets/scans/stack_reader.hpp"
#include "modules/io/accepts.hpp"
#include "modules/io/codes.hpp"
#include "pipeline/sources/key_file.hpp"
#include "pipeline/stage.hpp"
#include "pipeline/tasks/highlight/answer.hpp"
#include "pipeline/tasks/highlight/highlighter.hpp"
#include "pipeline/tasks/highlight/overlay.hpp"

namespace fovea {

// Opens the input: the frame's file, or all files of a series. "no model for ..." where the model was made for others.
class LoadStack final : public Stage {
 public:
  LoadStack(ImageStack::Options options, Accepts accepts, bool force)
      : options_(std::move(options)), accepts_(std::move(accepts)), force_(force) {}
  std::string_view name() const override { return "load"; }
  Contract contract() const override { return Contract().gives(kStack); }
  void process(std::span<Frame> frames) override;

 private:
  ImageStack::Options options_;
  Accepts accepts_;
  bool force_;
};

// Why a model does not take an input; empty: it does.
std::string unaccepted(const Accepts& accepts, const ImageStack& stack);

class HighlightStack final : public Stage {
 public:
  HighlightStack(std::shared_ptr<const Highlighter> highlighter, RegionRules rules, Accepts accepts)
      : highlighter_(std::move(highlighter)), rules_(std::move(rules)), accepts_(std::move(accepts)) {}
  std::string_view name() const override { return "model"; }
  Contract contract() const override { return Contract().needs(kStack).gives(kHighlighted).drops(kStack); }
  void process(std::span<Frame> frames) override;

 private:
  FoundPicture look_at(StackReader& reader, const ImageStack& stack, int i) const;

  std::shared_ptr<const Highlighter> highlighter_;
  RegionRules rules_;
  Accepts accepts_;
};

struct SaveHighlightsOptions {
  bool overlay = true, mask = true, probability = true, nifti = false;
  bool uncertainty = false;  // its numbers also where those of the probability are not asked for
  bool segmentation = false, fractional = false, capture = false, report = false;  // DICOM objects
  std::vector<ClassCodes> codes;                                                   // one a class
  std::string model;                   // its name, for objects that say what made them
  std::shared_ptr<const KeyFile> key;  // where nobody may be told from the results; else null
  std::string seed;                    // then: of all unique identifiers, the settings' own
  bool allow_burned_in = false;        // then, too: pixels that may show a name
  HighlightDrawing drawing;
  double map_opacity = 0.5;
};

// For the output "scan.dcm.json", of an input of one picture: "scan.dcm.overlay.png" to look at, and for each class "scan.dcm.<class>.mask.png" (255 where it is; where
// objects are told apart "<class>.objects.png", their numbers), "<class>.probability.png" and "<class>.uncertainty.png" (16 bits, 65535 is 1); each map as
// "<map>.png" to look at and "<map>.npy", that of the uncertainty as "<class>.uncertainty.overlay.png". Of several pictures "scan.dcm.overlays/0001.png",
// "scan.dcm.maps/0001.<map>.png" and so on, and volumes "<class>.mask.nii.gz", "<class>.probability.nii.gz", "<map>.nii.gz" with the place in the patient where it
// is known. Of DICOM files, where asked for, "scan.dcm.seg.dcm", "scan.dcm.sr.dcm" and the overlay as "scan.dcm.overlay.dcm". The JSON comes last. With a key, what
// shows the pixels of a file whose pixels may name somebody is withheld, and the JSON says so.
class SaveHighlights final : public Stage {
 public:
  SaveHighlights(std::vector<std::string> classes, bool objects, DType precision, const SaveHighlightsOptions& options)
      : classes_(std::move(classes)), objects_(objects), precision_(precision), options_(options) {}
  std::string_view name() const override { return "save"; }
  Contract contract() const override { return Contract().needs(kHighlighted).drops(kHighlighted); }
  void process(std::span<Frame> frames) override;

 private:
  void save_picture(Frame& frame, const FoundPicture& found) const;
  void save_overlays(Frame& frame, const HighlightAnswer& answer, class DicomOutputs& dicom) const;
  void save_maps(Frame& frame, const HighlightAnswer& answer, bool shown) const;
  void save_volumes(Frame& frame, const HighlightAnswer& answer) const;
  std::vector<std::string> showing_pixels(const HighlightAnswer& answer) const;
  void save_answer(Frame& frame, const HighlightAnswer& answer, const std::string& burned_in) const;
  void save_map_volumes(Frame& frame, const HighlightAnswer& answer) const;

  std::vector<std::string> classes_;
  bool objects_;
  DType precision_;
  SaveHighlightsOptions options_;
};

// What a note begins with about outputs that would show pixels that may name somebody.
inline constexpr const char* kWithheld = "withheld: ";

}  // namespace fovea
