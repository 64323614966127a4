#include <algorithm>
#include <cmath>
#include <set>

#include "modules/autograd/tap.hpp"
#include "modules/io/name_map.hpp"

namespace fovea {
namespace {

// What wrappers, compilers and checkpoints put in front of every name, in any combination.
constexpr std::string_view kWrappers[] = {"_orig_mod.",        "module.",         "model.",      "ema.",        "model_ema.",
                                          "student.",          "backbone.",       "state_dict.", "net.",        "network.",
                                          "encoder.",          "state_dict_ema.", "params.",     "params_ema.", "teacher.",
                                          "model_state_dict.", "net_g.",          "generator."};
constexpr const char* kCounter = "num_batches_tracked";  // old files lack it, and only a momentum of "none" would need it

// What a compiled module of a larger one leaves in the middle of names (in front it is one of the wrappers); no layer is called so.
std::string without_compiler(std::string name) {
  constexpr std::string_view kCompiled = "._orig_mod.";
  for (std::size_t at; (at = name.find(kCompiled)) != std::string::npos;) name.erase(at, kCompiled.size() - 1);
  return name;
}

// The chains of wrappers' words that names begin with: "", "module.", "module.model.", ...; the shortest first.
std::vector<std::string> prefixes_of(const std::map<std::string, Tensor>& tensors) {
  constexpr std::size_t kMost = 16;
  std::set<std::pair<std::size_t, std::string>> found{{0, ""}};
  for (const auto& [name, value] : tensors) {
    std::size_t at = 0;
    for (bool more = true; more && found.size() < kMost;) {
      more = false;
      for (const std::string_view word : kWrappers)
        if (name.compare(at, word.size(), word) == 0) {
          at += word.size(), more = true;
          found.emplace(at, name.substr(0, at));
          break;
        }
    }
  }
  std::vector<std::string> out;
  for (const auto& [length, prefix] : found) out.push_back(prefix);
  return out;
}

struct Translation {
  std::string source, prefix;
  std::map<std::string, std::string> ours;  // their name -> ours; "": known and not needed
  std::size_t known = 0;
};

Translation translate(const NameMap& map, const std::string& prefix, const std::vector<NameRule>& own, const ParamStore& params,
                      const std::map<std::string, Tensor>& tensors) {
  Translation t{map.source, prefix, {}, 0};
  for (const auto& [name, value] : tensors) {
    std::optional<std::string> to = renamed(own, name);
    if (!to && name.rfind(prefix, 0) == 0) to = renamed(map.rules, without_compiler(name.substr(prefix.size())));
    if (!to) continue;
    const std::string ours = resolve(*to, params);
    t.known += params.find(ours) != nullptr;
    t.ours[name] = ours;
  }
  return t;
}

// The table and prefix under which most names are known.
Translation best_translation(const std::string& backbone, const std::vector<NameRule>& own, const ParamStore& params,
                             const std::map<std::string, Tensor>& tensors) {
  constexpr std::size_t kMostTensors = 100'000;
  check(tensors.size() <= kMostTensors, "the file holds ", tensors.size(), " tensors, more than any network");
  Translation best;
  const std::vector<std::string> prefixes = prefixes_of(tensors);
  for (const NameMap& map : name_maps_for(backbone))
    for (const std::string& prefix : prefixes) {
      Translation t = translate(map, prefix, own, params, tensors);
      if (t.known > best.known || best.source.empty()) best = std::move(t);
    }
  return best;
}

bool in_slot(const std::string& name, const std::vector<SlotRules::Offer>& slots) {
  return std::any_of(slots.begin(), slots.end(), [&](const SlotRules::Offer& o) {
    return std::any_of(o.blocks.begin(), o.blocks.end(),
                       [&](const std::string& block) { return name.rfind(o.path + "." + block, 0) == 0; });
  });
}

bool in_head(const std::string& name) { return name.rfind("head.", 0) == 0; }
std::string parent(const std::string& name) { return name.substr(0, name.rfind('.')); }

// O x (I k k) holds the same values as O x I x k x k: a linear layer that others write as a convolution.
Tensor fitted(const Tensor& value, const Shape& shape) {
  const int a = value.rank(), b = shape.rank();
  const bool same = value.size() == shape.elements() && a > 0 && b > 0 && value.dim(0) == shape[0] &&
                    ((a == 2 && b == 4) || (a == 4 && b == 2) || (a == 1 && b == 0));
  return same || (value.size() == 1 && shape.elements() == 1) ? value.reshape(shape) : value;
}

std::string first_few(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 5 ? text + ", ... (" + std::to_string(names.size()) + ")" : text;
}

// Whose file this looks like.
std::string guess(const std::map<std::string, Tensor>& tensors) {
  for (const NameMap& map : name_maps())
    for (const auto& [name, value] : tensors)
      if (glob_match(map.sign, name)) return "; it looks like " + map.source + "'s " + map.backbone;
  return "";
}

void check_same_network(const Translation& t, const ParamStore& params, const std::string& backbone,
                        const std::map<std::string, Tensor>& tensors) {
  check(!tensors.empty(), "the file holds no tensors");
  std::size_t wanted = 0;
  for (const ParamStore::Entry& e : params.entries()) wanted += !in_head(e.name) && !e.name.ends_with(kCounter);
  std::size_t counters = 0;
  for (const auto& [theirs, ours] : t.ours) counters += ours.ends_with(kCounter);
  const std::size_t known = t.known - std::min(t.known, counters);
  check(known > 0 && 2 * known >= std::min(wanted, tensors.size()), "these are not weights of ",
        backbone.empty() ? "this network" : backbone, ": ", known, " of the file's ", tensors.size(),
        " tensors are known to it. The file has ", tensors.begin()->first, ", the network wants ", params.entries().front().name,
        guess(tensors), ". Names of its own: --names");
}

constexpr std::int64_t kColours = 3;

// Whether weights differ in what they read alone, and the file's read three colours.
bool is_stem(const Shape& theirs, const Shape& ours) {
  return theirs.rank() == 4 && ours.rank() == 4 && theirs[1] == kColours && ours[1] != kColours && theirs[0] == ours[0] &&
         theirs[2] == ours[2] && theirs[3] == ours[3];
}

// O x 3 x k x k to O x channels x k x k.
Tensor with_channels(const Tensor& weight, std::int64_t channels, StemChannels how) {
  check(how == StemChannels::repeat || channels == 1, "--stem sum makes one channel of three, and this network takes ", channels,
        "; --stem repeat makes any number");
  const Tensor dense = weight.to(DType::f32).contiguous(Layout::row_major);
  const std::int64_t area = weight.dim(2) * weight.dim(3);
  Tensor out = Tensor::zeros({weight.dim(0), channels, weight.dim(2), weight.dim(3)});
  const float factor = how == StemChannels::sum ? 1.0f : static_cast<float>(kColours) / static_cast<float>(channels);
  for (std::int64_t o = 0; o < weight.dim(0); ++o)
    for (std::int64_t c = 0; c < (how == StemChannels::sum ? kColours : channels); ++c) {
      const float* from = dense.data<float>() + (o * kColours + c % kColours) * area;
      float* to = out.data<float>() + (o * channels + (how == StemChannels::sum ? 0 : c)) * area;
      for (std::int64_t i = 0; i < area; ++i) to[i] += factor * from[i];
    }
  return out;
}

// The values under our names, as far as they fit.
std::map<std::string, Tensor> gather_values(const Translation& t, const ParamStore& params,
                                            const std::map<std::string, Tensor>& tensors, StemChannels stem,
                                            ImportReport& report) {
  std::map<std::string, Tensor> values;
  std::map<std::string, std::string> from;
  for (const auto& [theirs, value] : tensors) {
    const auto it = t.ours.find(theirs);
    const ParamStore::Entry* entry = it == t.ours.end() ? nullptr : params.find(it->second);
    if (!entry) {
      if (it == t.ours.end() || !it->second.empty()) report.unused.push_back(theirs);
      continue;
    }
    const auto [first, is_new] = from.emplace(entry->name, theirs);
    check(is_new, "both ", first->second, " and ", theirs, " would become ", entry->name);
    check_finite(theirs, value);
    const Shape& wanted = entry->value.shape();
    const bool adapts = is_stem(value.shape(), wanted) && stem != StemChannels::refuse;
    const Tensor fit = adapts ? with_channels(value, wanted[1], stem) : fitted(value, wanted);
    if (adapts)
      report.stem = entry->name + ": 3 channels " + (stem == StemChannels::sum ? "summed into " : "repeated to ") +
                    std::to_string(wanted[1]);
    if (fit.shape() == entry->value.shape()) values[entry->name] = fit;
    else if (!in_head(entry->name))
      report.reshaped.push_back(
          entry->name + ": expected " + wanted.str() + ", the file has " + value.shape().str() +
          (is_stem(value.shape(), wanted) ? " (--stem sum or repeat makes other channels of its three)" : ""));
  }
  return values;
}

// A layer of the head is taken whole or not at all.
void leave_torn_layers(const ParamStore& params, std::map<std::string, Tensor>& values) {
  std::set<std::string> torn;
  for (const ParamStore::Entry& e : params.entries())
    if (in_head(e.name) && !values.count(e.name) && !e.name.ends_with(kCounter)) torn.insert(parent(e.name));
  std::erase_if(values, [&](const auto& v) { return in_head(v.first) && torn.count(parent(v.first)); });
}

void sort_missing(const ParamStore& params, const std::vector<SlotRules::Offer>& slots,
                  const std::map<std::string, Tensor>& values, ImportReport& report) {
  const std::set<std::string> reshaped = [&] {
    std::set<std::string> names;
    for (const std::string& text : report.reshaped) names.insert(text.substr(0, text.find(':')));
    return names;
  }();
  for (const ParamStore::Entry& e : params.entries()) {
    if (values.count(e.name)) report.loaded.push_back(e.name);
    else if (in_head(e.name)) report.fresh_head.push_back(e.name);
    else if (in_slot(e.name, slots)) report.in_slots.push_back(e.name);
    else if (!e.name.ends_with(kCounter) && !reshaped.count(e.name)) report.missing.push_back(e.name);
  }
}

}  // namespace

void check_finite(const std::string& name, const Tensor& value) {
  if (!is_floating(value.dtype())) return;
  const Tensor dense = value.to(DType::f32).contiguous(Layout::row_major);
  const float* v = dense.data<float>();
  const auto bad = std::count_if(v, v + dense.size(), [](float f) { return !std::isfinite(f); });
  check(bad == 0, name, ": ", bad, " of ", value.size(), " values are NaN or infinite; these weights cannot be used");
}

ImportReport import_weights(ParamStore& params, const std::vector<SlotRules::Offer>& slots, const std::string& backbone,
                            const std::map<std::string, Tensor>& tensors, const ImportOptions& options) {
  const Translation t = best_translation(backbone, options.own, params, tensors);
  check_same_network(t, params, backbone, tensors);
  ImportReport report;
  report.source = t.source;
  report.prefix = t.prefix;
  auto values = gather_values(t, params, tensors, options.stem, report);
  leave_torn_layers(params, values);
  sort_missing(params, slots, values, report);
  // A head that is given up for another leaves its tensors over.
  std::vector<std::string> stray;
  for (const std::string& name : report.unused)
    if (const auto it = t.ours.find(name); it == t.ours.end() || !in_head(it->second)) stray.push_back(name);
  if (!options.partial) {
    check(report.reshaped.empty(), "another width or depth? ", first_few(report.reshaped));
    check(report.missing.empty(), "the file has no value for ", first_few(report.missing), "; --partial leaves them fresh");
    check(stray.empty(), "the network has no place for ", first_few(stray), "; --partial leaves them out");
  }
  params.load(values, false);
  return report;
}

}  // namespace fovea
