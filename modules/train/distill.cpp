#include "modules/train/distill.hpp"

#include <algorithm>

#include "modules/autograd/apply.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/nn/training.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/resize.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/unary.hpp"
#include "modules/ops/where.hpp"

namespace fovea {
namespace {

constexpr const char* kPrefix = "backbone.";
constexpr const char* kLogits = "logits";  // the output that class probabilities are made of

// The channels of a tapped map that is no feature of the backbone; 0 where there is no such map.
std::int64_t traced_width(const Model& model, const std::string& tap) {
  std::int64_t width = 0;
  trace({{1, model.channels(), 64, 64}}, [&](const Vars& in) {
    const TapScope taps(tap);
    const Var out = model.forward(in[0]);
    for (const auto& [name, value] : taps.kept)
      if (value.shape().rank() == 4) width = value.dim(1);
    return Vars{out};
  });
  return width;
}

std::int64_t width_of(const Model& model, const std::string& tap, const std::string& where) {
  std::string all;
  std::vector<std::string> known;
  for (const Feature& f : model.features()) {
    if (kPrefix + f.name == tap) return f.channels;
    known.push_back(kPrefix + f.name);
    all += (all.empty() ? "" : ", ") + known.back();
  }
  if (const std::int64_t width = traced_width(model, tap); width > 0) return width;
  const std::string near = nearest(tap, known);
  fail(where, ": ", model.name(), " has no feature '", tap, "'", near.empty() ? "" : "; did you mean '" + near + "'?",
       "; it has ", all);
}

Var found(const std::vector<std::pair<std::string, Var>>& kept, const std::string& name) {
  const auto it = std::find_if(kept.begin(), kept.end(), [&](const auto& tap) { return tap.first == name; });
  check(it != kept.end(), "distillation: the tap '", name, "' did not come up; is it behind the head's feature?");
  return it->second;
}

std::string any_of(const std::vector<std::string>& names) {
  std::string glob = "{";
  for (const std::string& n : names) glob += (glob.size() > 1 ? "," : "") + n;
  return glob + "}";
}

// sum (mine - theirs)^2 / sum theirs^2: of no scale, 1 for a student that gives nothing.
Var map_loss(Var mine, const Var& theirs) {
  if (mine.dim(2) != theirs.dim(2) || mine.dim(3) != theirs.dim(3))
    mine = resize(mine, theirs.dim(2), theirs.dim(3), Resize::bilinear);
  const Var difference = mine - theirs;
  const double energy = std::max(1e-12, sum(theirs * theirs, {0, 1, 2, 3}, false).value().item());
  return scale(sum(difference * difference, {0, 1, 2, 3}, false), 1 / energy);
}

// Divergence of the student's class probabilities from the teacher's, a mean over the batch; times T^2, so that gradients keep their size.
Var logits_loss(const Var& mine, const Var& theirs, double temperature) {
  const Var teacher = log_softmax(scale(theirs, 1 / temperature), 1), probabilities = softmax(scale(theirs, 1 / temperature), 1);
  const Var terms = probabilities * (teacher - log_softmax(scale(mine, 1 / temperature), 1));
  return scale(sum(terms, {0, 1}, false), temperature * temperature / static_cast<double>(mine.dim(0)));
}

}  // namespace

Model load_teacher(const Yaml& teacher, const std::filesystem::path& folder) {
  const std::string name = teacher.at("model").scalar();
  return Model::load(std::filesystem::exists(folder / name) ? (folder / name).string() : name);
}

Distillation::Distillation(const Yaml& y, const Model& student, const std::filesystem::path& folder)
    : teacher_(load_teacher(y, folder)) {
  y.only({"model", "logits", "temperature", "features", "forcing"});
  Args args = y.args();
  logits_ = args.get("logits", student.classes().empty() ? 0.0 : 1.0, "weight of the class probabilities");
  temperature_ = args.get("temperature", 1.0, "softens the class probabilities");
  forcing_ = args.get("forcing", 0.0, "share of the pictures with which the student goes on from the teacher's maps");
  check(logits_ >= 0 && temperature_ > 0, y.where(), ": teacher: expected logits >= 0 and temperature > 0");
  check(forcing_ >= 0 && forcing_ <= 1, y.where(), ": teacher: expected forcing from 0 to 1, got ", forcing_);
  check(logits_ == 0 || teacher_.classes() == student.classes(), y.where(), ": teacher: its ", teacher_.classes().size(),
        " classes are not the ", student.classes().size(), " of this recipe; write them alike, or set logits: 0");
  if (y.has("features"))
    for (const Yaml& item : y.at("features").items()) read_match(item, student);
  for (const Match& m : matches_)
    check(forcing_ == 0 || !m.projection, y.where(), ": teacher: forcing needs maps of one width; ", m.student,
          " is not as wide as ", m.teacher);
  check(logits_ > 0 || !matches_.empty(), y.where(), ": teacher: nothing to learn: logits is 0 and there are no features");
}

void Distillation::read_match(const Yaml& y, const Model& student) {
  y.only({"teacher", "student", "weight"});
  Args args = y.args();
  Match match{y.at("teacher").scalar(), y.at("student").scalar(), args.get("weight", 1.0, "in the loss"), std::nullopt};
  check(match.weight > 0, y.where(), ": weight: expected more than 0, got ", match.weight);
  const std::int64_t out = width_of(teacher_, match.teacher, y.where()), in = width_of(student, match.student, y.where());
  const Scope place(student.params(), "distill." + std::to_string(matches_.size()));
  if (in != out) match.projection.emplace(place, Conv2d::Options{.in = in, .out = out});
  matches_.push_back(std::move(match));
}

// The teacher's map for the pictures that it leads, the student's own for the others.
Var Distillation::led(const Var& mine, const Var& theirs) const {
  check(mine.shape() == theirs.shape(), "distillation: forcing needs maps of one size, got ", mine.shape(), " and the teacher's ",
        theirs.shape());
  Tensor forced = Tensor::empty({mine.dim(0), 1, 1, 1}, DType::boolean);
  bool all = true;
  for (std::int64_t i = 0; i < mine.dim(0); ++i) all &= forced.data<bool>()[i] = Training::random().uniform() < forcing_;
  const Var given(theirs.value().to(mine.dtype()));
  return all ? given : where(Var(forced), given, mine);
}

Var Distillation::with_own_loss(const Outcome& outcome, const Var& own, double weight) {
  return outcome.loss + scale(own, weight);
}

Distillation::Outcome Distillation::operator()(const Model& student, const Batch& batch) const {
  std::vector<std::string> theirs, mine;
  for (const Match& m : matches_) theirs.push_back(m.teacher), mine.push_back(m.student);
  Var teacher_logits;
  std::vector<std::pair<std::string, Var>> teacher_maps;
  {
    NoGrad no_grad;
    NotTraining use;
    TapScope taps(theirs.empty() ? "" : any_of(theirs));
    const NamedVars outputs = teacher_.outputs(Var(batch.input()));
    if (logits_ > 0) teacher_logits = outputs.at(kLogits);
    teacher_maps = taps.kept;
  }
  TapScope taps(mine.empty() ? "" : any_of(mine));
  if (forcing_ > 0 && Training::active())
    taps.onward = [&](const std::string& name, const Var& value) {
      const auto match = std::find_if(matches_.begin(), matches_.end(), [&](const Match& m) { return m.student == name; });
      return led(value, found(teacher_maps, match->teacher));
    };
  Outcome outcome{{}, student.outputs(Var(batch.input()))};
  if (logits_ > 0) outcome.loss = scale(logits_loss(outcome.outputs.at(kLogits), teacher_logits, temperature_), logits_);
  for (const Match& m : matches_) {
    const Var map = found(taps.kept, m.student);
    const Var term = scale(map_loss(m.projection ? (*m.projection)(map) : map, found(teacher_maps, m.teacher)), m.weight);
    outcome.loss = outcome.loss.defined() ? outcome.loss + term : term;
  }
  return outcome;
}

}  // namespace fovea
