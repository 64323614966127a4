#include "pipeline/tasks/detect/loss.hpp"

#include <algorithm>
#include <cmath>

#include "modules/autograd/cast.hpp"
#include "modules/core/threads.hpp"
#include "modules/nn/losses.hpp"
#include "modules/ops/binary.hpp"
#include "modules/ops/concat.hpp"
#include "modules/ops/permute.hpp"
#include "modules/ops/reduce.hpp"
#include "modules/ops/reshape.hpp"
#include "modules/ops/slice.hpp"
#include "modules/ops/softmax.hpp"
#include "modules/ops/take.hpp"
#include "modules/ops/unary.hpp"

namespace fovea {
namespace {

Objects objects_of(const Batch& batch, std::int64_t picture) {
  const Tensor &boxes = batch.targets.at("boxes"), &labels = batch.targets.at("labels");
  const std::int64_t most = labels.dim(1);
  const float* corner = boxes.data<float>() + picture * most * 4;
  const auto* label = labels.data<std::int64_t>() + picture * most;
  Objects out;
  for (std::int64_t i = 0; i < most; ++i, corner += 4) {
    const BoxF box{corner[0], corner[1], corner[2], corner[3]};
    if (label[i] >= 0) out.boxes.push_back(box), out.labels.push_back(label[i]);
    else if (label[i] < -1) out.ignored.push_back(box), out.ignored_labels.push_back(-2 - label[i]);
  }
  return out;
}

// A prediction that answers for an object.
struct Positive {
  std::int64_t row = 0;  // of its level's box map seen as rows, (picture, row, column, prediction)
  DetectGrid::Place place;
  BoxF box;
  float weight = 0;
};

// What a batch's predictions should be: of every level the classes' targets and weights, and those that have a box.
struct Targets {
  std::vector<Tensor> classes, weights;  // N x A C x H x W, channels-last
  std::vector<std::vector<Positive>> positives;
  double total = 0;  // of the class targets
};

class TargetMaker {
 public:
  TargetMaker(const DetectGrid& grid, const DetectMaps& maps, const DetectLossOptions& options, std::int64_t pictures)
      : grid_(grid), maps_(maps), options_(options) {
    const std::int64_t channels = grid.coding().per_position() * grid.classes();
    for (const DetectGrid::Level& level : grid.levels()) {
      const Shape shape{pictures, channels, level.height, level.width};
      targets_.classes.push_back(Tensor::zeros(shape, DType::f32, Layout::channels_last));
      targets_.weights.push_back(Tensor::full(shape, 1, DType::f32, Layout::channels_last));
    }
    targets_.positives.resize(grid.levels().size());
  }

  void add(std::int64_t picture, const Objects& objects) {
    std::vector<BoxF> boxes(static_cast<std::size_t>(grid_.size()));
    for (std::int64_t i = 0; i < grid_.size(); ++i)
      boxes[static_cast<std::size_t>(i)] = grid_.decode(grid_.places()[static_cast<std::size_t>(i)], maps_.box(picture, i));
    const Assignment all = assign(grid_, objects, {maps_, picture, boxes}, options_.assign);
    for (std::int64_t i = 0; i < grid_.size(); ++i) put(picture, i, objects, all);
  }
  Targets& result() { return targets_; }

 private:
  void put(std::int64_t picture, std::int64_t i, const Objects& objects, const Assignment& all) {
    const std::size_t l = grid_.level_of(i);
    const DetectGrid::Level& level = grid_.levels()[l];
    const std::int64_t row = picture * level.positions() * grid_.coding().per_position() + i - level.begin;
    float* target = targets_.classes[l].data<float>() + row * grid_.classes();
    float* weight = targets_.weights[l].data<float>() + row * grid_.classes();
    const auto at = static_cast<std::size_t>(i);
    const DetectGrid::Place& place = grid_.places()[at];
    const std::int32_t object = all.object[at];
    if (object == Assignment::kLeftOut) std::fill_n(weight, grid_.classes(), 0.0f);
    for (const std::int64_t label : objects.ignored_labels)
      if (object < 0 && lies_in_ignored(place, objects, label)) weight[label] = 0;
    if (object < 0) return;
    const float share = options_.quality ? all.target[at] : 1;
    target[objects.labels[static_cast<std::size_t>(object)]] = share;
    targets_.total += share;
    targets_.positives[l].push_back({row, place, objects.boxes[static_cast<std::size_t>(object)], share});
  }

  const DetectGrid& grid_;
  const DetectMaps& maps_;
  const DetectLossOptions& options_;
  Targets targets_;
};

NamedTensors values_of(const NamedVars& outputs) {
  NamedTensors out;
  for (const auto& [name, v] : outputs) out.add(name, v.value());
  return out;
}

// What is computed in: f32, or f64 where the network is a reference.
DType compute_type(const Var& map) { return map.dtype() == DType::f64 ? DType::f64 : DType::f32; }

// A map's numbers of the given rows: (rows, channels of one prediction).
Var rows_of(const Var& map, std::int64_t channels, const std::vector<Positive>& positives) {
  std::vector<std::int64_t> index;
  for (const Positive& p : positives) index.push_back(p.row);
  const Var rows = reshape(permute(map, {0, 2, 3, 1}), {-1, channels});
  return cast(index_select(rows, 0, Var(Tensor::from(index, {static_cast<std::int64_t>(index.size())}))), compute_type(map));
}

// A constant with a row of so many numbers for each; 0: one number.
template <class F>
Var column(const std::vector<Positive>& positives, std::int64_t width, DType type, const F& values) {
  std::vector<float> out;
  for (const Positive& p : positives) values(p, out);
  const auto rows = static_cast<std::int64_t>(positives.size());
  return Var(Tensor::from(out, width == 0 ? Shape{rows} : Shape{rows, width}).to(type));
}

// Distances in strides: (R, 4) from (R, 4) or (R, 4 bins).
Var distances_of(const Var& z, int bins) {
  if (bins == 0) return softplus(z);
  std::vector<float> numbers;
  for (int b = 0; b < bins; ++b) numbers.push_back(static_cast<float>(b));
  const Var share = softmax(reshape(z, {z.dim(0) * 4, bins}), 1);
  return reshape(sum(share * Var(Tensor::from(numbers, {1, bins}).to(z.dtype())), {1}, false), {z.dim(0), 4});
}

// Corners, (R, 4), as DetectGrid::decode has them.
Var corners_of(const Var& z, const BoxCoding& coding, const std::vector<Positive>& positives) {
  const Var middle = column(positives, 4, z.dtype(), [](const Positive& p, auto& out) {
    out.insert(out.end(), {p.place.x, p.place.y, p.place.x, p.place.y});
  });
  if (coding.anchors.empty()) {
    const Var step = column(positives, 4, z.dtype(), [](const Positive& p, auto& out) {
      const float s = p.place.stride;
      out.insert(out.end(), {-s, -s, s, s});
    });
    return middle + distances_of(z, coding.bins) * step;
  }
  const Var size = column(positives, 2, z.dtype(), [](const Positive& p, auto& out) {
    out.insert(out.end(), {p.place.width, p.place.height});
  });
  const Var shift = slice(z, 1, 0, 2) * size, half = scale(exp(clamp(slice(z, 1, 2, 4), -100, 4)) * size, 0.5);
  return middle + concat({shift - half, shift + half}, 1);
}

// Distribution focal loss of the true distances: cross-entropy with the two bins beside each, as near as it is to them.
Var bin_loss(const Var& z, int bins, const std::vector<Positive>& positives) {
  const Var target = column(positives, 4 * bins, z.dtype(), [&](const Positive& p, std::vector<float>& out) {
    const float d[] = {p.place.x - p.box.x1, p.place.y - p.box.y1, p.box.x2 - p.place.x, p.box.y2 - p.place.y};
    for (const float side : d) {
      const float bin = std::clamp(side / p.place.stride, 0.0f, static_cast<float>(bins) - 1.001f);
      const auto low = static_cast<std::size_t>(bin);
      const std::size_t begin = out.size();
      out.resize(begin + static_cast<std::size_t>(bins), 0.0f);
      out[begin + low] = p.weight * (1 - (bin - static_cast<float>(low)));
      out[begin + low + 1] = p.weight * (bin - static_cast<float>(low));
    }
  });
  const Shape rows{z.dim(0) * 4, bins};
  return soft_cross_entropy(reshape(z, rows), reshape(target, rows), {.reduction = Reduction::sum});
}

}  // namespace

Var detect_loss(const NamedVars& outputs, const Batch& batch, const BoxCoding& coding, std::int64_t classes,
                const DetectLossOptions& options) {
  const Tensor& image = batch.input();
  const DetectGrid grid(coding, classes, image.dim(2), image.dim(3));
  const DetectMaps maps(values_of(outputs), grid);
  TargetMaker maker(grid, maps, options, image.dim(0));
  for (std::int64_t n = 0; n < image.dim(0); ++n) maker.add(n, objects_of(batch, n));
  const Targets& targets = maker.result();
  const double share = 1 / std::max(targets.total, 1.0);
  Var total;
  const auto add = [&](const Var& loss, double weight) {
    const Var part = scale(loss, weight * share);
    total = total.defined() ? total + part : part;
  };
  for (std::size_t l = 0; l < grid.levels().size(); ++l) {
    const std::string stride = std::to_string(grid.levels()[l].stride);
    add(focal_loss(outputs.at("class." + stride), Var(targets.classes[l]), Var(targets.weights[l]), options.classes),
        options.class_weight);
    const std::vector<Positive>& positives = targets.positives[l];
    if (positives.empty()) continue;
    const Var z = rows_of(outputs.at("box." + stride), coding.box_channels(), positives);
    const Var box = column(positives, 4, z.dtype(), [](const Positive& p, auto& out) {
      out.insert(out.end(), {p.box.x1, p.box.y1, p.box.x2, p.box.y2});
    });
    const Var weight = column(positives, 0, z.dtype(), [](const Positive& p, auto& out) { out.push_back(p.weight); });
    add(box_loss(corners_of(z, coding, positives), box, weight, options.boxes), options.box_weight);
    if (coding.bins > 0) add(bin_loss(z, coding.bins, positives), options.bin_weight);
  }
  return total;
}

DetectLossOptions read_detect_loss(Args& a, bool anchors) {
  DetectLossOptions o;
  const std::string kind = a.get("assign", anchors ? "max_iou" : "task_aligned",
                                 "which predictions answer for an object: task_aligned, atss, or max_iou (anchors)");
  o.assign.kind = assignment_called(kind, a.where());
  check(o.assign.kind != AssignOptions::Kind::max_iou || anchors, a.where(),
        ": assign: max_iou compares anchors, and the head has none");
  o.assign.top = a.get("assign_top", o.assign.kind == AssignOptions::Kind::atss ? 9 : 13,
                       "predictions an object (task_aligned), or of each level (atss)", {1, 1000});
  const std::string classes = a.get("class_loss", anchors ? "focal" : "quality", "quality, focal or cross_entropy");
  check(classes == "quality" || classes == "focal" || classes == "cross_entropy", a.where(),
        ": class_loss: expected quality, focal or cross_entropy, got '", classes, "'");
  o.quality = classes != "focal";
  if (classes == "focal") o.classes = {.gamma = 2, .alpha = 0.25};
  if (classes == "cross_entropy") o.classes.gamma = 0;
  o.boxes = box_loss_called(a.get("box_loss", "giou", "iou, giou, diou or ciou"), a.where() + ": box_loss");
  o.class_weight = a.get("class_weight", o.class_weight, "of the classes' loss", {0, 1000});
  o.box_weight = a.get("box_weight", o.box_weight, "of the boxes' loss", {0, 1000});
  o.bin_weight = a.get("bin_weight", o.bin_weight, "of the distances' distributions, where the head has bins", {0, 1000});
  return o;
}

}  // namespace fovea
