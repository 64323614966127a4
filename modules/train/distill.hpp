// Knowledge distillation: a student learns what a teacher says about the same, freely augmented pictures. Logits: Hinton et al. 2015,
// arXiv:1503.02531; feature maps: Romero et al. 2015, arXiv:1412.6550; teacher and student look at the same crop: Beyer et al. 2022,
// arXiv:2106.05237. In a recipe, under `train:`:
//   teacher:
//     model: teacher.safetensors          # or a zoo name
//     logits: 1                           # weight of the divergence of the class probabilities; 0 where the networks name no classes
//     temperature: 1
//     features:                           # pairs of taps; maps of other sizes are resized, of other widths projected
//       - {teacher: backbone.features.18, student: backbone.final, weight: 1}
//     forcing: 0.5                        # share of the pictures with which the student goes on from the teacher's map, drawn for
//                                         # each picture and pair
// With forcing 1 every part of the student between two pairs learns on its own from what the teacher's like part gets and gives (Williams
// and Zipser 1989, doi:10.1162/neco.1989.1.2.270; block by block: Shen et al. 2021, arXiv:2012.04915): a start of few pictures and steps.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "modules/io/yaml.hpp"
#include "modules/model.hpp"
#include "modules/nn/layers.hpp"
#include "modules/train/batch_source.hpp"

namespace fovea {

// The model that a recipe's `teacher:` names; a relative path is relative to `folder`.
Model load_teacher(const Yaml& teacher, const std::filesystem::path& folder);

class Distillation {
 public:
  // `folder`: what a relative path of the teacher's file is relative to. Projections are declared in the student's parameters under "distill.",
  // where the optimiser and checkpoints see them; a saved model leaves them out.
  Distillation(const Yaml& teacher, const Model& student, const std::filesystem::path& folder);

  struct Outcome {
    Var loss;           // scalar
    NamedVars outputs;  // the student's
  };
  // Runs both on the batch.
  Outcome operator()(const Model& student, const Batch& batch) const;
  // The teacher's loss beside the task's own, which counts `weight` times.
  static Var with_own_loss(const Outcome& outcome, const Var& own, double weight);
  const Model& teacher() const { return teacher_; }

 private:
  struct Match {
    std::string teacher, student;
    double weight = 1;
    std::optional<Conv2d> projection;  // absent when the widths agree
  };
  void read_match(const Yaml& y, const Model& student);
  Var led(const Var& mine, const Var& theirs) const;

  Model teacher_;
  double logits_ = 1, temperature_ = 1, forcing_ = 0;
  std::vector<Match> matches_;
};

}  // namespace fovea
