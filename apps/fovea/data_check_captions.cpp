// fovea data check --captions: what is wrong with pictures and their captions.
#include <fmt/format.h>

#include <iostream>

#include "apps/fovea/data.hpp"
#include "apps/fovea/findings.hpp"
#include "datasets/captions/check.hpp"
#include "pipeline/sinks/progress.hpp"

namespace fovea {
namespace {

using Json = nlohmann::ordered_json;

std::string counts_table(const CaptionsCheck& check) {
  std::size_t width = 5;
  for (const auto& part : check.parts) width = std::max(width, part.name.size());
  std::string text =
      fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "split", width, "pictures", "captions", "each", "words", "different");
  for (const auto& p : check.parts)
    text += fmt::format("{:<{}} {:>9} {:>9} {:>9} {:>9.2f} {:>9}\n", printable(p.name), width, p.pictures, p.captions,
                        p.fewest == p.most ? fmt::format("{}", p.most) : fmt::format("{}-{}", p.fewest, p.most), p.words,
                        p.vocabulary);
  return text;
}

Json to_json(const CaptionsCheck& check) {
  Json splits = Json::array();
  for (const auto& p : check.parts)
    splits.push_back({{"split", p.name},
                      {"pictures", p.pictures},
                      {"captions", p.captions},
                      {"fewest", p.fewest},
                      {"most", p.most},
                      {"mean_length", p.words},
                      {"different_words", p.vocabulary}});
  Json all{{"splits", splits}};
  all.update(findings_json(check.findings));
  return all;
}

}  // namespace

int check_captions(const std::vector<std::string>& sources, const CaptionsSources& from, const std::string& json) {
  std::vector<CaptionedSource> all;
  for (const std::string& source : sources)
    all.push_back({sources.size() == 1 ? "" : source, read_captioned(source, {.images = from.images})});
  const CaptionsCheck check = check_captions(all);
  std::cout << counts_table(check);
  return tell_findings(check.findings, to_json(check), json);
}

}  // namespace fovea
