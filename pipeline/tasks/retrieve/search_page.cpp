#include <fmt/format.h>

#include <algorithm>

#include "datasets/image.hpp"
#include "datasets/preprocess.hpp"
#include "modules/autograd/apply.hpp"
#include "modules/explain/grid.hpp"
#include "pipeline/sinks/heatmap.hpp"
#include "pipeline/sinks/report_html.hpp"
#include "pipeline/sinks/report_page.hpp"
#include "pipeline/sinks/report_pictures.hpp"
#include "pipeline/stages/explain.hpp"
#include "pipeline/tasks/retrieve/search.hpp"

namespace fovea {
namespace fs = std::filesystem;
namespace {

constexpr int kSide = 360, kWordSide = 200;  // longest sides, pixels
constexpr std::size_t kMapped = 12;          // pictures with maps of the words
constexpr std::size_t kWords = 16;           // of which there are maps

constexpr const char* kNothingInto = "<p class=\"soft\">No picture of the folder can be read.</p>\n";

// The picture as it is shown, small: it is what lies under the maps, too.
struct Shown {
  Image small;
  Geometry geometry;  // of the network's input on it
};

Shown shown(const fs::path& file, const Preprocess& p) {
  const cv::Mat whole = displayable(read_image(file));
  Shown s;
  s.small.pixels = shrunk(whole, kSide);
  s.geometry = geometry_of(s.small.pixels.size(), p);
  return s;
}

// Words at which the picture is looked at, each with its map.
std::string word_maps(const Shown& picture, const Tensor& values, const RetrieveHead& head, const Query& query) {
  const NoGrad no_grad;
  const Shape& s = values.shape();
  const Tensor found =
      head.found(Var(values.to(DType::f32).reshape({1, s[0], s[1], s[2]})), Var(query.encoded.blocks.at(0).values)).value();
  std::string text = "<div class=\"maps\">\n";
  for (std::size_t t = 1; t + 1 < query.tokens.size() && t <= kWords; ++t) {
    const auto row = static_cast<std::int64_t>(t);
    explain::Map map{query.tokens[t],
                     explain::even_grid(s[1], s[2], picture.geometry.network.height, picture.geometry.network.width),
                     found.slice(0, row, row + 1).values()};
    const Image overlay = heat_overlay(picture.small, place_map(map, picture.geometry));
    text += fmt::format("<figure><img src=\"{}\" alt=\"\"><figcaption>{}</figcaption></figure>\n",
                        jpeg_uri(shrunk(overlay.pixels, kWordSide), 80), html(query.tokens[t]));
  }
  return text + "</div>\n";
}

std::string article(std::size_t rank, const fs::path& file, const Hit& hit, const Model& model, const RetrieveHead& head,
                    const Tensor& values, const Query& query) {
  std::string text = fmt::format("<article><header><h3>{}. {}</h3><span class=\"soft\">{:.4f}</span></header>\n", rank,
                                 html(hit.name), hit.score);
  try {
    const Shown picture = shown(file, model.preprocess());
    text += fmt::format("<div class=\"pictures\"><figure><img src=\"{}\" alt=\"\"></figure></div>\n",
                        jpeg_uri(picture.small.pixels, 85));
    if (head.options().scan && rank <= kMapped) text += word_maps(picture, values, head, query);
  } catch (const std::exception& e) { text += fmt::format("<p class=\"soft\">no picture: {}</p>\n", html(e.what())); }
  return text + "</article>\n";
}

}  // namespace

std::string search_page(const fs::path& folder, const std::vector<Hit>& hits, const Model& model, const RetrieveHead& head,
                        const SearchIndex& index, const Query& query) {
  std::string page = kPageHead;
  page += fmt::format("<h1>{}</h1>\n<p class=\"soft\">The {} best of {} pictures in {}, by {}.</p>\n", html(query.text),
                      hits.size(), index.entries().size(), html(folder.string()), html(model.name()));
  if (!query.unknown.empty()) {
    std::string words;
    for (const std::string& word : query.unknown) words += (words.empty() ? "" : ", ") + word;
    page += fmt::format("<p>Words that the model does not know: {}.</p>\n", html(words));
  }
  if (head.options().scan && !hits.empty())
    page += fmt::format(
        "<p class=\"soft\">Below each of the first {} pictures: where the network looks for each word, each map in colours "
        "of its own. A word that is not in the picture has a map, too.</p>\n",
        std::min(kMapped, hits.size()));
  if (hits.empty()) page += kNothingInto;
  for (std::size_t i = 0; i < hits.size(); ++i)
    page += article(i + 1, folder / hits[i].name, hits[i], model, head, index.entries().at(hits[i].name).values, query);
  return page + kPageScript;
}

}  // namespace fovea
