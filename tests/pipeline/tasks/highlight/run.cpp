// From pictures and scans to regions in files: places, sizes, what is refused, training and measuring.
#include <cmath>
#include <fstream>
#include <opencv2/imgproc.hpp>

#include "datasets/image.hpp"
#include "datasets/regions/picture.hpp"
#include "datasets/scans/image_stack.hpp"
#include "datasets/scans/nifti_write.hpp"
#include "modules/io/files.hpp"
#include "modules/io/json.hpp"
#include "pipeline/task.hpp"
#include "pipeline/train_run.hpp"
#include "tests/pipeline/tasks/highlight/support.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/write_png.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

JsonValue answer(const fs::path& file) { return read_json(file); }

// Dark but for one bright voxel.
DicomFile slice_with(int column, int row, bool bright, double z, const std::string& orientation) {
  std::vector<Uint16> values(12 * 10, 10);
  if (bright) values[static_cast<std::size_t>(row * 10 + column)] = 190;
  DicomFile file(12, 10, values);
  file.put(DCM_Modality, "CT").put(DCM_SeriesInstanceUID, "1.2.3.4").put(DCM_FrameOfReferenceUID, "1.2.3");
  file.put(DCM_PixelSpacing, "0.8\\0.5").put(DCM_PatientName, "Nobody^Known").put(DCM_BodyPartExamined, "HEAD");
  file.place(-20, 30, z, orientation);
  return file;
}

fs::path beside_json(const fs::path& json, const std::string& more) {
  return json.string().substr(0, json.string().size() - 5) + more;
}

// To 1/1000 mm: files hold places in f32.
Vec3 rounded(Vec3 place) {
  for (double& mm : place) mm = std::round(mm * 1000) / 1000;
  return place;
}

// Where in the patient the voxels of a volume lie that are not 0.
std::vector<Vec3> places_in(const fs::path& file) {
  const ImageStack volume({file}, {}, {});
  std::vector<Vec3> places;
  for (int i = 0; i < volume.size(); ++i) {
    const cv::Mat values = volume.read(i).values;
    for (int y = 0; y < values.rows; ++y)
      for (int x = 0; x < values.cols; ++x)
        if (values.at<float>(y, x) != 0) {
          places.push_back(rounded(volume.slice(i).about.plane->at(x, y, *volume.slice(i).about.spacing)));
        }
  }
  return places;
}

}  // namespace

TEST_CASE("highlight: one bright voxel keeps its place in the patient, from DICOM to NIfTI and JSON", "[pipeline][scans]") {
  const Folder folder;
  fs::create_directories(folder / "study");
  // Slices in an order that their names do not tell, in a plane that is across no axis.
  const std::string orientation = "0.8\\0.6\\0\\0\\0\\-1";
  for (int i = 0; i < 5; ++i) {
    DicomFile file = slice_with(7, 3, i == 2, 0, orientation);
    // Along the normal, which is (-0.6, 0.8, 0).
    file.place(-20 - 0.6 * 2.5 * i, 30 + 0.8 * 2.5 * i, 100, orientation);
    file.put(DCM_InstanceNumber, std::to_string((i * 3) % 5)).save(folder / ("study/IM" + std::to_string((i * 2) % 5)));
  }
  for (const char* tile : {"0", "8"}) {
    INFO("tile " << tile);
    const fs::path out = folder / (std::string("out") + tile);
    const Run run = highlight(threshold_model(), {(folder / "study").string()}, out, {{"tile", tile}});
    REQUIRE(run.result.done == 1);  // one series, one volume
    fs::path json;
    for (const auto& entry : fs::directory_iterator(out))
      if (entry.path().filename().string().starts_with("series-") && entry.path().extension() == ".json") json = entry.path();
    REQUIRE(!json.empty());
    const JsonValue a = answer(json);
    const auto& regions = a.at("pictures").items().at(2).at("classes").items().at(0).at("regions").items();
    REQUIRE(regions.size() == 1);
    // 7 columns of 0.5 mm, 3 rows of 0.8 mm, two slices of 2.5 mm from the first voxel.
    const Vec3 want{-20 + 0.8 * 3.5 - 0.6 * 5, 30 + 0.6 * 3.5 + 0.8 * 5, 100 - 2.4};
    const auto& place = regions[0].at("centre_in_patient_mm").items();
    for (std::size_t k = 0; k < 3; ++k) CHECK(place[k].number() == Approx(want[k]).margin(1e-9));
    CHECK(regions[0].at("area_mm2").number() == Approx(0.4));
    CHECK(a.at("classes").items().at(0).at("volume_mm3").number() == Approx(0.4 * 2.5));

    CHECK(places_in(beside_json(json, ".bright.mask.nii.gz")) == std::vector<Vec3>{rounded(want)});
    CHECK(fs::exists(beside_json(json, ".overlays/0003.png")));

    // Every map lies there, too: what the class was recognised by, and how far looks lie apart, which is where there is something to drop.
    const Run mapped = highlight(two_class_model(), {(folder / "study").string()}, out / "maps",
                                 {{"tile", tile}, {"samples", "16"}, {"maps", "gradcam,uncertainty"}});
    REQUIRE(mapped.result.done == 1);
    const fs::path there = out / "maps" / json.filename();
    for (const char* map : {".bright.gradcam", ".bright.uncertainty", ".dark.uncertainty"}) {
      INFO(map);
      CHECK(places_in(beside_json(there, map + std::string(".nii.gz"))) == std::vector<Vec3>{rounded(want)});
    }
    CHECK(places_in(beside_json(there, ".dark.gradcam.nii.gz")).size() == 5 * 12 * 10 - 1);
    CHECK(fs::exists(beside_json(there, ".maps/0003.bright.gradcam.png")));
    CHECK_FALSE(fs::exists(beside_json(there, ".maps/0001.bright.gradcam.png")));  // it is not there
    CHECK(fs::exists(beside_json(there, ".maps/0001.bright.uncertainty.overlay.png")));
  }
}

TEST_CASE("highlight: slices as channels, learned and run alike", "[pipeline][scans]") {
  const Folder folder;
  const auto volume = [&](const fs::path& file, const std::vector<int>& bright, double value, int type) {
    fs::create_directories(file.parent_path());
    NiftiWriter writer(file, {12, 10, 5, PixelSpacing{1, 1}, Plane{}, 2.0}, type);
    for (int i = 0; i < 5; ++i) {
      cv::Mat slice(10, 12, type, cv::Scalar(0));
      if (std::find(bright.begin(), bright.end(), i) != bright.end()) slice(cv::Rect(3, 4, 2, 2)).setTo(value);
      writer.add(slice);
    }
    writer.finish();
  };
  volume(folder / "data/images/v.nii.gz", {0, 3}, 190, CV_32F);
  volume(folder / "data/masks/bright/v.nii.gz", {1, 4}, 1, CV_8U);  // the class is what was bright one slice before
  Model m = Model::from_recipe(
      "fovea: 1\nmodel:\n  head: {type: highlight, classes: [bright]}\npreprocess: {channels: 3, neighbours: true, resize: none, "
      "window: [200, 100], mean: 0, std: 1}\n");
  m.params()->load(
      {{"conv.weight", Tensor::from(std::vector<float>{100, 0, 0}, {1, 3, 1, 1})}, {"conv.bias", Tensor::full({1}, -50)}});
  const auto pictures = read_region_pictures(list_regions(folder / "data", {"bright"}).files, m.preprocess());
  REQUIRE(pictures.all.size() == 5);
  CHECK(pictures.all[4].values.channels() == 3);
  CHECK(cv::countNonZero(pictures.all[4].truth.masks[0]) == 4);
  CHECK(pictures.all[4].values.at<cv::Vec3f>(4, 3)[0] == Approx(0.95));  // slice 3
  CHECK(pictures.all[4].values.at<cv::Vec3f>(4, 3)[2] == 0);             // slice 4, for want of another
  const auto evaluator = task_of(m).evaluator();
  evaluator->open(m, {folder / "data"}, DType::f32);
  evaluator->add(0);
  // Slice 0 repeats itself in front of the volume: one picture of five has what is no truth.
  CHECK(evaluator->score() == Approx(4.0 / 5));
  highlight(m, {(folder / "data/images/v.nii.gz").string()}, folder / "out");
  const ImageStack mask({folder / "out/v.nii.gz.bright.mask.nii.gz"}, {}, {});
  for (int i = 0; i < 5; ++i) CHECK(cv::countNonZero(mask.read(i).values) == (i == 0 || i == 1 || i == 4 ? 4 : 0));
  NiftiWriter flat(folder / "data/masks/bright/v.nii.gz", {12, 10, 1, {}, {}, {}}, CV_8U);
  flat.add(cv::Mat::zeros(10, 12, CV_8U));
  flat.finish();
  const auto short_of = read_region_pictures(list_regions(folder / "data", {"bright"}).files, m.preprocess());
  CHECK(short_of.bad.at(0).reason.find("expected 5 slices as its picture has, got 1") != std::string::npos);
  CHECK(fails_with(
      [&] {
        Model::from_recipe(
            "fovea: 1\nmodel: {head: {type: highlight, classes: [a]}}\npreprocess: {channels: 4, neighbours: true}\n");
      },
      "neighbours: expected an odd number"));
}

TEST_CASE("highlight: a model refuses what it was not made for, unless it is forced to", "[pipeline][scans]") {
  const Folder folder;
  slice_with(7, 3, true, 0, "1\\0\\0\\0\\1\\0").save(folder / "ct.dcm");
  write_png(folder / "photo.png", cv::Mat(10, 12, CV_8UC1, cv::Scalar(200)));
  const std::vector<std::string> ct{(folder / "ct.dcm").string()}, photo{(folder / "photo.png").string()};
  const auto refused = [&](const std::string& accepts, const std::vector<std::string>& input) {
    static int count = 0;
    const Run run = highlight(threshold_model("accepts: " + accepts + "\n"), input, folder / ("r" + std::to_string(count++)));
    return run.result.quarantined == 1 ? run.reasons.at(0) : std::string();
  };
  CHECK(refused("{modality: [CT]}", ct).empty());
  CHECK(refused("{modality: [DX, CR]}", ct).find("no model for the modality CT; this one takes DX, CR") != std::string::npos);
  CHECK(refused("{body_part: [chest]}", ct).find("no model for the body part HEAD") != std::string::npos);
  CHECK(refused("{body_part: [head]}", ct).empty());
  CHECK(refused("{view: [PA]}", ct).empty());  // the file says nothing of views
  CHECK(refused("{spacing: [0.6, 2]}", ct).find("no model for 0.5 mm a pixel; this one takes 0.6 to 2") != std::string::npos);
  CHECK(refused("{pictures: false, modality: [CT]}", photo).find("no model for pictures that are no scans") != std::string::npos);
  CHECK(refused("{modality: [CT]}", photo).empty());
  CHECK(fails_with([&] { threshold_model("accepts: {modality: [CT], site: x}\n"); }, "site"));
  CHECK(fails_with([&] { threshold_model("accepts: {spacing: [2, 1]}\n"); }, "spacing: expected [smallest, largest] in mm"));

  const Run forced = highlight(threshold_model("accepts: {modality: [MR]}\n"), ct, folder / "forced", {{"force", "true"}});
  CHECK(forced.result.done == 1);
  CHECK(answer(folder / "forced/ct.dcm.json").at("forced").text().find("was not made for") != std::string::npos);
}

TEST_CASE("highlight: no file that is written holds the patient's name", "[pipeline][scans]") {
  const Folder folder;
  fs::create_directories(folder / "in");
  slice_with(7, 3, true, 0, "1\\0\\0\\0\\1\\0").save(folder / "in/ct.dcm");
  std::ofstream(folder / "in/broken.dcm", std::ios::binary) << std::string(128, '\0') + "DICM" + "Nobody^Known";
  const Run run = highlight(threshold_model(), {(folder / "in").string()}, folder / "out");
  CHECK(run.result.done == 1);
  CHECK(run.result.quarantined == 1);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "out")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const auto bytes = read_file(entry.path());
    const std::string text(bytes.begin(), bytes.end());
    INFO(entry.path());
    CHECK(text.find("Nobody") == std::string::npos);
  }
  CHECK(files >= 6);
}

TEST_CASE("highlight: pictures get millimetres only from who knows them", "[pipeline]") {
  const Folder folder;
  cv::Mat picture(40, 50, CV_8UC1, cv::Scalar(0));
  picture(cv::Rect(10, 10, 20, 10)).setTo(255);
  write_png(folder / "p.png", picture);
  highlight(threshold_model(), {(folder / "p.png").string()}, folder / "px");
  const JsonValue px = answer(folder / "px/p.png.json");
  CHECK(px.at("classes").items().at(0).at("pixels").number() == 200);
  CHECK_FALSE(px.at("classes").items().at(0).has("area_mm2"));
  highlight(threshold_model(), {(folder / "p.png").string()}, folder / "mm", {{"spacing", "0.5,0.25"}});
  CHECK(answer(folder / "mm/p.png.json").at("classes").items().at(0).at("area_mm2").number() == Approx(200 * 0.125));
  const cv::Mat mask = read_image(folder / "px/p.png.bright.mask.png").pixels;
  CHECK(cv::countNonZero(mask != picture) == 0);
  CHECK(read_image(folder / "px/p.png.bright.probability.png").pixels.type() == CV_16U);
  highlight(threshold_model(), {(folder / "p.png").string()}, folder / "few", {{"write", "mask"}});
  CHECK(fs::exists(folder / "few/p.png.bright.mask.png"));
  CHECK_FALSE(fs::exists(folder / "few/p.png.bright.probability.png"));
  CHECK_FALSE(fs::exists(folder / "few/p.png.overlay.png"));
  CHECK(fails_with(
      [&] {
        highlight(threshold_model(), {(folder / "p.png").string()}, folder / "x", {{"spacing", "0"}});
      },
      "--spacing: expected millimetres"));
  CHECK(fails_with(
      [&] {
        highlight(threshold_model(), {(folder / "p.png").string()}, folder / "x", {{"window", "wide"}});
      },
      "expected WIDTH:LEVEL"));
  CHECK(fails_with(
      [&] {
        highlight(threshold_model(), {(folder / "p.png").string()}, folder / "x", {{"write", "video"}});
      },
      "--write: expected overlay"));
}

TEST_CASE("highlight: trained on pictures with regions, measured, and its masks scored alike", "[pipeline]") {
  const Folder folder;
  for (int i = 0; i < 14; ++i) {
    cv::RNG random(static_cast<std::uint64_t>(i) + 1);
    const cv::Size size(40 + i % 3, 36);
    cv::Mat picture(size, CV_8UC1), objects = cv::Mat::zeros(size, CV_8U), square = objects.clone();
    random.fill(picture, cv::RNG::UNIFORM, 20, 90);
    for (int k = 1; k <= 3; ++k) {
      const cv::Point at(random.uniform(5, size.width - 5), random.uniform(5, size.height - 5));
      cv::circle(picture, at, 4, cv::Scalar(210), cv::FILLED), cv::circle(objects, at, 4, cv::Scalar(k), cv::FILLED);
    }
    const cv::Rect box(random.uniform(0, size.width - 6), random.uniform(0, size.height - 6), 6, 6);
    cv::rectangle(picture, box, cv::Scalar(0), cv::FILLED), square(box).setTo(255);
    const std::string name = std::to_string(10 + i) + ".png";
    write_png(folder / "data/images" / name, picture);
    write_png(folder / "data/objects/disc" / name, objects);
    write_png(folder / "data/masks/square" / name, square);
  }
  const std::string recipe =
      "fovea: 1\nmodel:\n  backbone: {type: resnet18, widths: [8, 8, 16, 16], stem_width: 8, features: [layer1, layer2]}\n"
      "  neck: {type: unet_decoder, gate: attention_gate}\n  head: {type: highlight, classes: [disc, square], objects: true, "
      "deep_supervision: losses}\n"
      "preprocess: {channels: 1, resize: none, mean: 0.3, std: 0.3}\n"
      "train:\n  task: highlight\n  data: data\n  test: {every: 7}\n  validate: {every: 6}\n  crop: 32\n  batch: 4\n  balance: "
      "0.5\n  steps: 120\n  score: dice\n"
      "  losses: {cross_entropy: 1, dice: 1, focal: 1, focal_tversky: 0.5, cl_dice: 0.1, boundary: 0.1, distance: 2, "
      "class_weights: [1, 1], positive_weights: [1, 2]}\n"
      "  augment: {flip: 0.5, rotate90: true, scale: [0.9, 1.1]}\n  log_every: 60\n  validate_every: 60\n  optimizer: {type: "
      "adam, lr: 0.01}\n";
  std::ofstream(folder / "recipe.yaml") << recipe;
  std::atomic<bool> stop{false};
  REQUIRE(train(Yaml::parse(recipe, "recipe"), {folder.path(), folder / "run"}, stop));
  const Model model = Model::load((folder / "run/best.safetensors").string());
  const Task& task = task_of(model);
  const auto evaluator = task.evaluator();
  OptionList options;
  evaluator->add_options(options);
  options.set("data-root", folder.path().string());
  evaluator->open(model, {folder / "recipe.yaml"}, DType::f32);
  REQUIRE(evaluator->batches() == 2);
  for (std::int64_t i = 0; i < evaluator->batches(); ++i) evaluator->add(i);
  CHECK(evaluator->score() > 0.5);  // calling everything both gives 0.2
  CHECK(evaluator->table().find("objects") != std::string::npos);

  // The written masks and objects give the very numbers of the evaluation.
  const Run run =
      highlight(model, {(folder / "data/images/10.png").string(), (folder / "data/images/17.png").string()}, folder / "out");
  REQUIRE(run.result.done == 2);
  const auto score = [&](const std::string& what, const std::string& kind, bool objects) {
    const auto scorer = std::move(task.scorers().at(0));
    OptionList o;
    scorer->add_options(o);
    o.set("ANSWERS", (folder / ("out/{name}.png." + what + ".png")).string());
    o.set("TRUTH", (folder / ("data/" + kind + "/{name}.png")).string());
    if (objects) o.set("objects", "true");
    scorer->run();
    return scorer->json();
  };
  const auto measured = evaluator->json();
  CHECK(score("square.mask", "masks/square", false).at("classes").at(0).at("dice").get<double>() ==
        Approx(measured.at("classes").at(1).at("dice").get<double>()));
  CHECK(score("disc.objects", "objects/disc", true).at("classes").at(0).at("objects").at("f1").get<double>() ==
        Approx(measured.at("classes").at(0).at("objects").at("f1").get<double>()));
  CHECK(score("disc.probability", "objects/disc", false).at("classes").at(0).at("roc_auc").get<double>() ==
        Approx(measured.at("classes").at(0).at("roc_auc").get<double>()).epsilon(1e-4));
}

TEST_CASE("highlight: pictures of a camera, one after another", "[pipeline]") {
  const auto operation = task_of(threshold_model()).operation();
  OptionList options;
  operation->add_stream_options(options);
  operation->open(threshold_model(), {});
  const auto analyzer = operation->analyzer(true);
  CHECK(analyzer->maps().empty());  // it has no gates
  cv::Mat picture(60, 80, CV_8UC3, cv::Scalar::all(10));
  picture(cv::Rect(20, 10, 30, 20)).setTo(cv::Scalar::all(250));
  picture(cv::Rect(60, 40, 4, 4)).setTo(cv::Scalar::all(250));
  const auto json = analyzer->follow(analyzer->look(picture, {}), picture, 0, analyzer->threshold());
  REQUIRE(json.at("objects").size() == 2);
  CHECK(json.at("objects")[0].at("box") == std::vector<int>{20, 10, 50, 30});
  CHECK(json.at("objects")[0].at("score").get<double>() > 0.9);
  const cv::Mat drawn = analyzer->draw(picture, "", 0.5);
  CHECK(drawn.size() == picture.size());
  CHECK(cv::norm(drawn, picture, cv::NORM_INF) > 20);
  analyzer->follow(analyzer->look(cv::Mat(60, 80, CV_8UC3, cv::Scalar::all(10)), {}), picture, 0.04, 0.5);
  const auto summary = analyzer->summary();
  CHECK(summary.at("classes")[0].at("frames") == 1);
  CHECK(summary.at("classes")[0].at("regions") == 2);
  CHECK(summary.at("use").get<std::string>().find("not for diagnosis") != std::string::npos);

  const Model gated = Model::from_recipe(
      "fovea: 1\nmodel:\n  backbone: {type: attention_unet, widths: [4, 8], features: [Up_conv2]}\n  head: {type: highlight, "
      "classes: [a]}\n"
      "preprocess: {channels: 1, resize: none, mean: 0.5, std: 0.25}\n");
  const auto other = task_of(gated).operation();
  other->open(gated, {});
  const auto maps = other->analyzer(true)->maps();
  REQUIRE(maps.size() == 1);
  CHECK(maps[0].find("spatial") != std::string::npos);
  CHECK(other->analyzer(false)->maps().empty());
}
