#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "modules/core/threads.hpp"
#include "modules/plan/algorithm.hpp"
#include "modules/plan/convolution.hpp"
#include "modules/plan/memory.hpp"
#include "modules/plan/plan_state.hpp"
#include "modules/plan/steps/steps.hpp"

namespace fovea::plan {
namespace {

// Whether oneDNN fuses all of it; with the residual where it lies or read from elsewhere.
std::shared_ptr<const dnn::PreparedConv> fused(const Mutable& g, const Node& n, bool in_place) {
  return dnn::PreparedConv::make(fused_convolution(g, n, std::get<Convolve>(n.work), in_place));
}

std::vector<Algorithm> algorithms(const Mutable& g, bool tune) {
  std::vector<Algorithm> all;
  for (const Node& n : g.nodes) {
    const auto* c = std::get_if<Convolve>(&n.work);
    all.push_back(c ? algorithm_for(g, n, *c, tune) : Algorithm::direct);
  }
  return all;
}

class Emitter {
 public:
  Emitter(const Mutable& g, const Options& options)
      : g_(g),
        algorithms_(algorithms(g, options.tune)),
        life_(g, [&](const Node& n) { return in_place(n); }),
        blocks_(life_.blocks()),
        state_(std::make_shared<Plan::State>(g, options.shared ? options.shared : std::make_shared<SharedConstants>())) {}

  std::shared_ptr<Plan::State> run() {
    for (std::size_t i = 0; i < g_.nodes.size(); ++i) prepare(g_.nodes[i], static_cast<int>(i));
    state_->memory = {place(blocks_), life_.bytes_without_sharing(), 0};
    for (std::size_t i = 0; i < g_.values.size(); ++i) held_.push_back(0);
    for (const Node& n : g_.nodes)
      if (std::holds_alternative<Eager>(n.work))
        for (const Id id : n.outputs) held_[static_cast<std::size_t>(id)] = ++state_->held;
    for (std::size_t i = 0; i < g_.nodes.size(); ++i) add(g_.nodes[i], i);
    for (const Id id : g_.inputs) state_->inputs.push_back(g_.shape(id));
    for (const Id id : g_.outputs) state_->outputs.push_back(kept(id, {false, state_->outputs.size()}));
    for (const Kept& k : g_.taps) state_->taps.push_back({k.name, kept(k.value, {true, state_->taps.size()})});
    free_held();
    state_->threads = threads();
    state_->constants.freeze();
    return std::move(state_);
  }

 private:
  // Primitives and workspaces come first: they are blocks of the arena, alive during one step.
  void prepare(const Node& n, int step) {
    std::size_t bytes = 0;
    prepared_.emplace_back();
    if (const auto* c = std::get_if<Convolve>(&n.work)) bytes = prepare_convolution(n, *c, static_cast<std::size_t>(step));
    if (const auto* c = std::get_if<Compute>(&n.work)) bytes = static_cast<std::size_t>(c->bound.workspace) * sizeof(float);
    if (std::holds_alternative<GlobalStatistics>(n.work))
      bytes = static_cast<std::size_t>(global_workspace(g_.shape(n.inputs[0]))) * sizeof(float);
    if (const auto* l = std::get_if<LineStatistics>(&n.work))
      bytes = static_cast<std::size_t>(LineKernel(l->lines, g_.shape(n.inputs[0])).workspace()) * sizeof(float);
    workspaces_.push_back(blocks_.size());
    blocks_.push_back({bytes, step, step});
  }

  // Whether a convolution may write over its residual, and a chain over a value that it reads several times.
  bool in_place(const Node& n) const {
    if (const auto* s = std::get_if<Sweep>(&n.work)) return chain(n, *s).at_once();
    const auto step = static_cast<std::size_t>(&n - g_.nodes.data());
    return winograd(step) || algorithms_[step] == Algorithm::dots || fused(g_, n, true);
  }
  bool winograd(std::size_t step) const { return winograd_side(algorithms_[step]).has_value(); }
  Winograd winograd(const Node& n, std::size_t step, const Convolve& c) const {
    return {c.options, g_.shape(n.inputs[0]), g_.shape(n.outputs[0]), *winograd_side(algorithms_[step])};
  }

  // Bytes of workspace.
  std::size_t prepare_convolution(const Node& n, const Convolve& c, std::size_t step) {
    if (algorithms_[step] == Algorithm::planes) return static_cast<std::size_t>(planes(g_, n, c).workspace()) * sizeof(float);
    if (algorithms_[step] == Algorithm::dots) return 0;
    if (winograd(step)) return static_cast<std::size_t>(winograd(n, step, c).workspace(threads())) * sizeof(float);
    auto& made = prepared_.back();
    made = fused(g_, n, life_.over(n, n.inputs[3]));
    if (!made) made = dnn::PreparedConv::make(bare_convolution(g_, n, c)), unfused_.push_back(static_cast<int>(step));
    check(made != nullptr, n.path, ": plan: oneDNN has no fast convolution for ", g_.shape(n.inputs[0]));
    return made->scratchpad_bytes();
  }

  Place workspace(std::size_t step) const { return {Place::Kind::arena, blocks_[workspaces_[step]].offset, Shape{}}; }

  // Where a value lies; a constant as it is.
  Place at(Id id) {
    if (id < 0) return {};
    Place p{Place::Kind::arena, 0, g_.shape(id), g_.value(id).type, 0, g_.value(id).rows};
    const auto [from, offset] = root(id);
    const auto input = std::find(g_.inputs.begin(), g_.inputs.end(), from);
    if (g_.constant(id)) p.kind = Place::Kind::constant, p.at = state_->constants.want(id);
    else if (input != g_.inputs.end())
      p.kind = Place::Kind::input, p.at = static_cast<std::size_t>(input - g_.inputs.begin()), p.offset = offset;
    else if (life_.block(id) >= 0) p.at = blocks_[static_cast<std::size_t>(life_.block(id))].offset + life_.offset(id);
    else p.kind = Place::Kind::held, p.at = held_[static_cast<std::size_t>(id)] - 1;
    return p;
  }

  // What a view is a view of in the end, and from which element on.
  std::pair<Id, std::int64_t> root(Id id) const {
    std::int64_t offset = 0;
    for (auto n = g_.nodes.rbegin(); n != g_.nodes.rend(); ++n)
      if (const auto* view = std::get_if<View>(&n->work); view && n->outputs[0] == id) id = n->inputs[0], offset += view->offset;
    return {id, offset};
  }

  // Of an operand that a chain spreads over `full`: constants in f32, in the plan's layout at the rank of the whole.
  Place operand(Id id, const Shape& full) {
    if (id < 0 || !g_.constant(id)) return at(id);
    const auto change = [rank = full.rank()](const Tensor& t) {
      Shape padded;
      for (int i = t.rank(); i < rank; ++i) padded.push_back(1);
      for (const auto d : t.shape()) padded.push_back(d);
      return t.to(DType::f32).reshape(padded).contiguous(rank == 4 ? Layout::channels_last : Layout::row_major);
    };
    return {Place::Kind::constant, state_->constants.want(id, change, fmt::format("operand{}", full.rank())), g_.shape(id)};
  }

  // `key` names the change, so that plans share its result.
  Place constant(Id id, std::function<Tensor(const Tensor&)> change, std::string key) {
    return {Place::Kind::constant, state_->constants.want(id, std::move(change), std::move(key)), Shape{}};
  }

  std::vector<Place> operands(const Node& n, const Links& links) {
    std::vector<Place> positions{at(n.inputs[0])};
    const Shape& full = g_.shape(std::holds_alternative<Sweep>(n.work) ? n.outputs[0] : n.inputs[0]);
    for (std::size_t i = 1; i < n.inputs.size(); ++i) {
      const bool channels = std::any_of(links.begin(), links.end(), [&](const Link& l) {
        return l.kind == Link::Kind::affine && (l.operand == i || l.shift == i);
      });
      positions.push_back(operand(n.inputs[i], channels ? g_.shape(n.inputs[i]) : full));
    }
    return positions;
  }

  Place kept(Id id, Plan::State::Copy copy) {
    Place place = at(id);
    if (place.kind == Place::Kind::arena) state_->entries[made_at_.at(id)].copies.push_back(copy);
    return place;
  }

  Chain chain(const Node& n, const Sweep& s) const {
    const Id y = n.outputs[0];
    return Chain(s.links, g_.shape(y), of_chain(n), g_.value(y).type);
  }

  std::vector<Chain::Operand> of_chain(const Node& n) const {
    std::vector<Chain::Operand> out;
    for (const Id id : n.inputs) out.push_back({g_.shape(id), g_.value(id).type});
    return out;
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Convolve& c) {
    if (algorithms_[i] == Algorithm::planes) return make(n, i, c, planes(g_, n, c));
    if (algorithms_[i] == Algorithm::dots) return make(n, c, *dots(g_, n, c));
    if (winograd(i)) return make(n, i, c, winograd(n, i, c));
    const auto made = prepared_[i];
    const auto weight = [made](const Tensor& w) { return made->reorder(plain_weight(w)); };
    ConvolveParts p{.made = made,
                    .call = state_->calls.size(),
                    .x = at(n.inputs[0]),
                    .residual = at(n.inputs[3]),
                    .y = at(n.outputs[0]),
                    .scratchpad = workspace(i)};
    state_->calls.push_back(made);
    p.weight = constant(n.inputs[1], weight, made->weight_layout());
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    if (std::find(unfused_.begin(), unfused_.end(), static_cast<int>(i)) != unfused_.end()) p.behind = behind(n, c);
    return convolve_step(std::move(p));
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Convolve& c, const Planes& problem) {
    PlanesParts p{.problem = problem, .x = at(n.inputs[0]), .y = at(n.outputs[0]), .workspace = workspace(i), .after = c.after};
    p.weight = constant(
        n.inputs[1], [problem](const Tensor& w) { return problem.weight(w); }, problem.turned ? "turned planes" : "planes");
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    return planes_step(std::move(p));
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Convolve& c, const Winograd& winograd) {
    WinogradParts p{.problem = winograd,
                    .x = at(n.inputs[0]),
                    .residual = at(n.inputs[3]),
                    .y = at(n.outputs[0]),
                    .workspace = workspace(i),
                    .after = c.after};
    const auto weight = [winograd](const Tensor& w) { return winograd.transform(plain_weight(w)); };
    p.weight = constant(n.inputs[1], weight, fmt::format("winograd{}x{}", winograd.side().rows, winograd.side().columns));
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    return winograd_step(std::move(p));
  }

  std::unique_ptr<Step> make(const Node& n, const Convolve& c, const Dots& problem) {
    DotsParts p{.problem = problem, .x = at(n.inputs[0]), .residual = at(n.inputs[3]), .y = at(n.outputs[0]), .after = c.after};
    p.weight = constant(n.inputs[1], plain_weight, "plain");
    if (n.inputs[2] >= 0) p.bias = operand(n.inputs[2], g_.shape(n.inputs[2]));
    return dots_step(std::move(p));
  }

  // Residual and activation of a convolution that oneDNN would not fuse them into.
  Chain behind(const Node& n, const Convolve& c) const {
    Links links;
    const Chain::Operand y{g_.shape(n.outputs[0]), g_.value(n.outputs[0]).type};
    if (n.inputs[3] >= 0) links.push_back({.kind = Link::Kind::binary, .binary = sum_of_two(), .operand = 1});
    if (c.after) links.push_back({.kind = Link::Kind::pointwise, .pointwise = *c.after});
    return {links, y.shape, {y, y}, y.type};
  }

  std::unique_ptr<Step> make(const Node& n, std::size_t, const Sweep& s) {
    return sweep_step(chain(n, s), operands(n, s.links), at(n.outputs[0]));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t i, const GlobalStatistics&) {
    return global_statistics_step(at(n.inputs[0]), at(n.outputs[0]), at(n.outputs[1]), workspace(i));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t, const ChannelStatistics& s) {
    return channel_statistics_step(Chain(s.links, g_.shape(n.inputs[0]), of_chain(n), DType::f32, true), operands(n, s.links),
                                   at(n.outputs[0]), s.mean_first);
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t i, const LineStatistics& s) {
    std::vector<Place> out;
    for (const Id id : n.outputs) out.push_back(at(id));
    return line_statistics_step(LineKernel(s.lines, g_.shape(n.inputs[0])), at(n.inputs[0]), std::move(out), workspace(i));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t, const Window& w) {
    return window_step(w.pool, at(n.inputs[0]), at(n.outputs[0]));
  }
  std::unique_ptr<Step> make(const Node&, std::size_t, const View&) { return nullptr; }
  // What was written into its place at once is not copied.
  std::unique_ptr<Step> make(const Node& n, std::size_t, const Copy& c) {
    std::vector<Place> in;
    for (const Id id : n.inputs) in.push_back(operand(id, id < 0 ? Shape{} : g_.shape(id)));
    const Place y = at(n.outputs[0]);
    std::vector<Copy::Piece> pieces;
    for (const Copy::Piece& p : c.pieces) {
      const auto bytes = [](std::int64_t elements) { return static_cast<std::size_t>(elements) * sizeof(float); };
      const Place& x = in[p.input];
      const bool there =
          p.move.straight() && x.kind == Place::Kind::arena && x.at + bytes(p.move.from) == y.at + bytes(p.move.to);
      if (!there) pieces.push_back(p);
    }
    return pieces.empty() ? nullptr : copy_step(std::move(pieces), std::move(in), y);
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t i, const Compute& c) {
    std::vector<Place> in, out;
    const auto by_rows = [](const Tensor& t) { return t.to(DType::f32).contiguous(Layout::row_major); };
    for (const Id id : n.inputs)
      in.push_back(id >= 0 && c.rows && g_.constant(id) ? constant(id, by_rows, "rows")
                                                        : operand(id, id < 0 ? Shape{} : g_.shape(id)));
    for (const Id id : n.outputs) out.push_back(at(id));
    return compute_step(c, std::move(in), std::move(out), workspace(i));
  }
  std::unique_ptr<Step> make(const Node& n, std::size_t, const Eager& e) {
    std::vector<Place> in, out;
    for (const Id id : n.inputs) in.push_back(at(id));
    for (const Id id : n.outputs) out.push_back(at(id));
    return eager_step(e.op, n.path, std::move(in), std::move(out));
  }

  void add(const Node& n, std::size_t i) {
    auto step = std::visit([&](const auto& work) { return make(n, i, work); }, n.work);
    for (const Id id : n.inputs)
      if (id >= 0 && held_[static_cast<std::size_t>(id)]) last_[id] = state_->entries.size();
    for (const Id id : n.outputs) made_at_[id] = state_->entries.size() - (step ? 0 : 1);  // a view is there with what it views
    if (!step) return;
    Plan::StepInfo info{n.path, step->how(), n.ops, {}, DType::f32, n.multiply_adds, 0};
    for (const auto* ids : {&n.inputs, &n.outputs})
      for (const Id id : *ids)
        if (id >= 0) info.bytes += static_cast<std::size_t>(g_.shape(id).elements()) * size_of(g_.value(id).type);
    for (const Id id : n.outputs)
      if (id >= 0) info.output = g_.shape(id), info.type = g_.value(id).type;
    for (const Id id : n.outputs)
      if (id >= 0 && held_[static_cast<std::size_t>(id)]) last_[id] = state_->entries.size();
    state_->infos.push_back(std::move(info));
    state_->entries.push_back({std::move(step), {}});
  }

  void free_held() {
    for (const auto& [id, entry] : last_)
      if (!g_.value(id).kept) state_->entries[entry].last_reads.push_back(held_[static_cast<std::size_t>(id)] - 1);
  }

  const Mutable& g_;
  std::vector<Algorithm> algorithms_;  // of each node
  Lifetimes life_;
  std::vector<Block> blocks_;
  std::shared_ptr<Plan::State> state_;
  std::vector<std::shared_ptr<const dnn::PreparedConv>> prepared_;
  std::vector<int> unfused_;
  std::vector<std::size_t> workspaces_, held_;
  std::map<Id, std::size_t> last_, made_at_;
};

}  // namespace

std::shared_ptr<Plan::State> emit(const Mutable& g, const Options& options) { return Emitter(g, options).run(); }

}  // namespace fovea::plan
