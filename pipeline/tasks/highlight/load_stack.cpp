#include <fmt/format.h>

#include <algorithm>

#include "pipeline/sources/pages.hpp"
#include "pipeline/tasks/highlight/stages.hpp"

namespace fovea {
namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// Whether a value that a scan says of itself is none of those that are asked for. One that it does not say is no reason.
bool another(const std::vector<std::string>& asked, const std::string& said) {
  return !asked.empty() && !said.empty() &&
         std::none_of(asked.begin(), asked.end(), [&](const std::string& a) { return upper(a) == upper(said); });
}

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

std::string of_scan(const Accepts& a, const ScanInfo& info) {
  if (!a.modality.empty() && info.modality.empty())
    return "no model for a scan that does not say its modality; this one takes " + joined(a.modality);
  if (another(a.modality, info.modality))
    return "no model for the modality " + info.modality + "; this one takes " + joined(a.modality);
  if (another(a.body_part, info.body_part))
    return "no model for the body part " + info.body_part + "; this one takes " + joined(a.body_part);
  if (another(a.view, info.view)) return "no model for the view " + info.view + "; this one takes " + joined(a.view);
  return {};
}

}  // namespace

std::string unaccepted(const Accepts& a, const ImageStack& stack) {
  if (!stack.is_scan())
    return a.pictures ? std::string() : "no model for pictures that are no scans; this one takes " + joined(a.modality);
  if (std::string reason = of_scan(a, stack.info()); !reason.empty()) return reason;
  const auto& spacing = stack.slice(0).about.spacing;
  if (a.spacing && spacing && (spacing->columns < (*a.spacing)[0] || spacing->columns > (*a.spacing)[1]))
    return fmt::format("no model for {:.4g} mm a pixel; this one takes {:g} to {:g}", spacing->columns, (*a.spacing)[0],
                       (*a.spacing)[1]);
  return {};
}

void LoadStack::process(std::span<Frame> frames) {
  for (Frame& frame : frames) {
    if (frame.stream) continue;
    const auto files = frame.members.empty() ? std::vector<std::filesystem::path>{frame.input} : frame.members;
    auto stack = std::make_shared<const ImageStack>(files, page_of(frame.part), options_);
    const std::string reason = unaccepted(accepts_, *stack);
    check(reason.empty() || force_, reason, " (--force runs it all the same)");
    frame.notes.insert(frame.notes.end(), stack->notes().begin(), stack->notes().end());
    frame.results.put(kStack, std::move(stack));
  }
}

}  // namespace fovea
