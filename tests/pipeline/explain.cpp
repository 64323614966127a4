// Explaining images: maps on the image's own pixels through letterbox, crop, strides and paddings, and the files of a run.
#include <cmath>

#include "datasets/preprocess.hpp"
#include "modules/autograd/tap.hpp"
#include "modules/explain/layers.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/ops/pool2d.hpp"
#include "pipeline/file_run.hpp"
#include "pipeline/sinks/bars.hpp"
#include "pipeline/sinks/report.hpp"
#include "pipeline/sinks/report_explain.hpp"
#include "pipeline/stages/explain_images.hpp"
#include "pipeline/stages/load.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/images.hpp"

using namespace fovea;
using fovea::test::fails_with;
using fovea::test::Folder;
namespace fs = std::filesystem;

namespace {

const std::string kRecipe =
    "fovea: 1\nmodel:\n  backbone: {type: resnet18, layers: [1, 1], widths: [8, 16], stem_width: 8}\n"
    "  head: {type: classify, classes: [cat, dog, owl]}\n"
    "preprocess: {size: [48, 64], resize: letterbox}\n";

ExplainOptions with(const std::string& method, const std::string& layer = "") {
  ExplainOptions o;
  o.method = method;
  o.layer = layer;
  o.details.window = 16;
  o.details.samples = o.details.steps = 4;
  return o;
}

Image picture(int width, int height, std::uint64_t seed = 1) { return {test::noise(width, height, CV_8UC3, seed), false, {}}; }

cv::Point brightest(const cv::Mat& heat) {
  cv::Mat known = heat.clone();
  known.setTo(-1e9, heat != heat);
  cv::Point at;
  cv::minMaxLoc(known, nullptr, nullptr, nullptr, &at);
  return at;
}

// Windows summed by strided, padded convolutions: the map is brightest where the picture is.
Var stack(const Var& x) {
  Var y = x;
  for (const int kernel : {7, 3})
    y = conv2d(y, Var(Tensor::full({1, y.dim(1), kernel, kernel}, 0.1)), {},
               {.stride = {2, 2}, .pad_begin = {kernel / 2, kernel / 2}, .pad_end = {kernel / 2, kernel / 2}});
  return tap("map", avg_pool2d(y, {.kernel = 3, .stride = 2, .pad = 1}));
}

// A bright square of the picture, followed through preprocessing and `stack` and back onto the picture.
void follow(cv::Size size, const Preprocess& p, cv::Point2d at) {
  cv::Mat pixels(size, CV_8UC3, cv::Scalar::all(0));
  pixels(cv::Rect(static_cast<int>(at.x) - 1, static_cast<int>(at.y) - 1, 3, 3)).setTo(cv::Scalar::all(255));
  const Preprocessed in = preprocess(pixels, p);
  const auto layer = explain::layers_of(stack, in.tensor.shape()).back();
  TapScope taps("map");
  stack(Var(in.tensor));
  const explain::Map map{"map", layer.grid, taps.kept[0].second.value().values()};
  const cv::Mat heat = place_map(map, in.geometry);
  REQUIRE(heat.size() == size);
  // The centre of the brightest cells' common weight: linear windows are symmetric about it.
  double sum = 0, x = 0, y = 0;
  const double floor = *std::min_element(map.values.begin(), map.values.end());
  for (std::int64_t i = 0; i < map.grid.cells(); ++i) {
    const double w = map.values[static_cast<std::size_t>(i)] - floor;
    const cv::Point2d place =
        in.geometry.to_source(cv::Point2d(map.grid.start_x + static_cast<double>(i % map.grid.width) * map.grid.stride_x,
                                          map.grid.start_y + static_cast<double>(i / map.grid.width) * map.grid.stride_y));
    sum += w, x += w * place.x, y += w * place.y;
  }
  const double cell_x = map.grid.stride_x * in.geometry.scale_x, cell_y = map.grid.stride_y * in.geometry.scale_y;
  CHECK(std::abs(x / sum - at.x) < 0.25 * cell_x);
  CHECK(std::abs(y / sum - at.y) < 0.25 * cell_y);
  CHECK(std::abs(brightest(heat).x - at.x) <= 0.5 * cell_x + 1);
  CHECK(std::abs(brightest(heat).y - at.y) <= 0.5 * cell_y + 1);
}

Preprocess sized(int height, int width, Preprocess::Resize resize) {
  Preprocess p;
  p.height = height, p.width = width, p.resize = resize;
  p.mean = p.pad = {0, 0, 0}, p.stddev = {1, 1, 1};
  p.crop_fraction = 0.9;
  return p;
}

void write_image(const fs::path& file, const Image& image) {
  const auto bytes = encode_image(image, "png");
  write_file_atomically(file, bytes.data(), bytes.size());
}

}  // namespace

TEST_CASE("explain: a bright spot is found again through letterbox, crop, stride and padding, at odd sizes", "[pipeline]") {
  using R = Preprocess::Resize;
  for (const cv::Size size : {cv::Size(201, 133), cv::Size(97, 151), cv::Size(320, 240)})
    for (const cv::Point2d part : {cv::Point2d(0.4, 0.45), cv::Point2d(0.6, 0.55), cv::Point2d(0.52, 0.4)}) {
      const cv::Point2d at(std::floor(size.width * part.x), std::floor(size.height * part.y));
      follow(size, sized(127, 159, R::letterbox), at);
      follow(size, sized(96, 96, R::letterbox), at);
      follow(size, sized(113, 113, R::crop), at);
      follow(size, sized(128, 90, R::stretch), at);
    }
}

TEST_CASE("explain: a cell's value stands on the pixel of its centre, and what is not seen has none", "[pipeline]") {
  const Preprocess p = sized(40, 40, Preprocess::Resize::crop);
  Preprocess whole = p;
  whole.crop_fraction = 1;
  const Geometry g = geometry_of({60, 40}, whole);  // the middle 40 columns, pixel for pixel
  const explain::Map map{"m", {2, 2, 8, 8, 16, 16}, {1, 2, 3, 4}};
  const cv::Mat heat = place_map(map, g);
  CHECK(heat.at<float>(8, 10 + 8) == 1);
  CHECK(heat.at<float>(24, 10 + 24) == 4);
  CHECK(heat.at<float>(16, 10 + 16) == 2.5f);
  CHECK(std::isnan(heat.at<float>(8, 9)));
  CHECK(std::isnan(heat.at<float>(8, 50)));
  CHECK_FALSE(std::isnan(heat.at<float>(0, 10)));
  CHECK_FALSE(std::isnan(heat.at<float>(39, 49)));
}

TEST_CASE("explain: every method gives maps of the image's size with what they need to be understood", "[pipeline]") {
  const Model model = Model::from_recipe(kRecipe);
  for (const explain::Method& method : explain::methods()) {
    if (!method.needs_score) continue;  // this network holds no attention
    INFO(method.name);
    ExplainOptions options = with(method.name);
    options.faithfulness = method.name == "grad_cam";
    const Explained e = Explainer(model, options).run(picture(75, 50));
    REQUIRE(e.maps.size() == 1);
    CHECK(e.maps[0].heat.size() == cv::Size(75, 50));
    CHECK(e.facts["predicted"].size() == 3);
    CHECK(e.facts["target"]["index"] == e.facts["predicted"][0]["index"]);
    CHECK(e.facts["maps"][0]["exact"] == true);
    CHECK(e.facts["geometry"]["image"]["width"] == 75);
    if (options.faithfulness) CHECK(e.facts["maps"][0]["faithfulness"]["deletion_auc"].get<double>() > 0);
  }
}

TEST_CASE("explain: the class is the most probable one unless it is given, by name or index", "[pipeline]") {
  const Model model = Model::from_recipe(kRecipe);
  ExplainOptions options = with("grad_cam", "backbone.layer1");
  for (const char* target : {"owl", "2"}) {
    options.target = target;
    const Explained e = Explainer(model, options).run(picture(30, 30));
    CHECK(e.facts["target"]["class"] == "owl");
    CHECK(e.maps[0].name == "grad_cam.backbone.layer1");
  }
}

TEST_CASE("explain: what makes no sense is refused before any work, with what would", "[pipeline]") {
  const Model model = Model::from_recipe(kRecipe);
  const auto refused = [&](const ExplainOptions& o, const std::string& text) {
    return fails_with([&] { Explainer(model, o); }, text);
  };
  CHECK(refused(with("grad_kam"), "no method is called 'grad_kam'; did you mean 'grad_cam'?"));
  CHECK(refused(with("grad_cam", "backbone.layer9"), "did you mean 'backbone.layer"));
  CHECK(refused(with("grad_cam", "backbone.layer9"), "backbone.layer1, backbone.layer2"));
  CHECK(refused(with("attention"), "this network has no layer that attention can use"));
  CHECK(refused(with("occlusion", "backbone.layer1"), "looks at the pixels and takes no layer"));
  ExplainOptions options = with("grad_cam");
  options.target = "dgo";
  CHECK(refused(options, "the model has no such class; did you mean 'dog'?"));
  options.target = "3";
  CHECK(refused(options, "expected an index of 0 to 2"));
  CHECK(fails_with([&] { Explainer(model, with("grad_cam")).check_statistics(); },
                   "this network has no layer that --statistics can use"));
  const Model upscale = Model::from_recipe("fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 32, blocks: 1}\n");
  CHECK(fails_with([&] { Explainer(upscale, with("grad_cam")); }, "grad_cam explains a score, and the task of a2n"));
}

TEST_CASE("explain: damaged weights are named", "[pipeline]") {
  const Model model = Model::from_recipe(kRecipe);
  Var weight = model.params()->find("head.fc.weight")->value;
  weight.set_value(Tensor::full(weight.shape(), std::nan("")));
  CHECK(
      fails_with([&] { Explainer(model, with("grad_cam")); }, "the parameter head.fc.weight holds numbers that are not finite"));
}

TEST_CASE("explain: a network of any size shows its gates at the image's own size", "[pipeline]") {
  const Model model = Model::from_recipe("fovea: 1\nmodel:\n  head: {type: a2n_light, scale: 2, width: 32, blocks: 1}\n");
  const Explained e = Explainer(model, with("attention")).run(picture(33, 21));
  REQUIRE(!e.maps.empty());
  CHECK(e.maps[0].map.grid == explain::pixel_grid(21, 33));
  CHECK_FALSE(e.facts.contains("predicted"));
}

TEST_CASE("explain: a run writes pictures, values, JSON and a report, and quarantines what is no image", "[pipeline]") {
  const Folder folder;
  fs::create_directories(folder / "in/sub");
  write_image(folder / "in/a.png", picture(40, 30));
  write_image(folder / "in/sub/b.png", picture(31, 47, 2));
  write_file_atomically(folder / "in/bad.png", "no image", 8);
  const fs::path out = folder / "out";
  fs::create_directories(out);
  const auto explainer = std::make_shared<Explainer>(Model::from_recipe(kRecipe), with("grad_cam"));
  const auto run_once = [&](Ledger& ledger) {
    WorkList work(Inputs({(folder / "in").string()}, out), out, "+json");
    std::vector<StageSpec> steps;
    steps.push_back({std::make_unique<LoadImage>(), 1, 1});
    steps.push_back({std::make_unique<ExplainImages>(explainer), 2, 1});
    steps.push_back({std::make_unique<SaveExplained>(SaveExplainedOptions{}), 1, 1});
    return run_files(work, ledger, {{"method", "grad_cam"}}, std::move(steps), *make_progress(ProgressKind::quiet));
  };
  Ledger ledger(out);
  const FileRunResult first = run_once(ledger);
  CHECK(first.done == 2);
  CHECK(first.exit_code() == kExitQuarantined);
  for (const char* name :
       {"a.png.json", "a.png.grad_cam.backbone.layer2.png", "a.png.grad_cam.backbone.layer2.npy", "sub/b.png.json"})
    CHECK(fs::exists(out / name));
  const auto bytes = read_file(out / "a.png.json");
  const auto facts = nlohmann::json::parse(bytes.begin(), bytes.end());
  CHECK(facts["maps"][0]["raw"] == "a.png.grad_cam.backbone.layer2.npy");
  CHECK(run_once(ledger).up_to_date == 2);
  const fs::path report =
      write_report(out, ledger, {{}, {}, first, 1, {.title = "Fovea explain", .extra = "<p>more</p>"}, explained_entry});
  const auto page = read_file(report);
  const std::string text(page.begin(), page.end());
  CHECK(text.find("<h1>Fovea explain</h1>") != std::string::npos);
  CHECK(text.find("<p>more</p>") != std::string::npos);
  CHECK(text.find("explained: ") != std::string::npos);
  CHECK(text.find("no pictures") == std::string::npos);
}

TEST_CASE("explain: bars of gates reach from zero to their values", "[pipeline]") {
  const std::string svg = bars_svg("a<b", {0.5, -0.25, 1});
  CHECK(svg.find("a&lt;b (3)") != std::string::npos);
  CHECK(svg.find(">-0.25<") != std::string::npos);
  CHECK(svg.find(">1<") != std::string::npos);
  CHECK(bars_svg("none", {}).ends_with("</svg>\n"));
}
