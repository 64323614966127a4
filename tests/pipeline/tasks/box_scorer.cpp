// `fovea eval boxes`: what it reads, writes and says.
#include <fstream>
#include <sstream>

#include "modules/io/json.hpp"
#include "pipeline/tasks/detect/scorer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/shared.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::message_of;

namespace {

void write_text(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// As the command line does.
class Scoring {
 public:
  Scoring() : scorer_(box_scorer()) { scorer_->add_options(options_); }
  Scoring& set(const std::string& name, const std::string& value) {
    options_.set(name, value);
    return *this;
  }
  AnswerScorer& run() {
    scorer_->run();
    return *scorer_;
  }

 private:
  std::unique_ptr<AnswerScorer> scorer_;
  OptionList options_;
};

// Two images; the cat of the first is found, that of the second is taken for a dog.
const std::string kTruth =
    R"({"images":[{"id":4},{"id":2}],
    "categories":[{"id":9,"name":"cat <a>"},{"id":5,"name":"d\u001b[2Jog"},{"id":1,"name":"eel"}],
    "annotations":[{"id":1,"image_id":4,"category_id":9,"bbox":[10,10,20,20],"area":400,"iscrowd":0},
    {"id":2,"image_id":2,"category_id":9,"bbox":[10,10,20,20],"area":400,"iscrowd":0},
    {"id":3,"image_id":2,"category_id":5,"bbox":[50,10,20,0],"area":0,"iscrowd":0}]})";
const std::string kFound =
    R"([{"image_id":4,"category_id":9,"bbox":[10,10,20,20],"score":0.75},
    {"image_id":2,"category_id":5,"bbox":[10,10,20,18],"score":0.5}])";

}  // namespace

TEST_CASE("box scorer: figures by the ids of categories, a table, pictures") {
  const test::Folder folder;
  write_text(folder / "t.json", kTruth);
  write_text(folder / "d.json", kFound);
  Scoring scoring;
  scoring.set("GROUND_TRUTH", (folder / "t.json").string()).set("DETECTIONS", (folder / "d.json").string());
  scoring.set("curves", (folder / "c.svg").string()).set("confusion", (folder / "m.svg").string());
  AnswerScorer& scorer = scoring.run();
  CHECK(scorer.name() == "boxes");
  const auto json = scorer.json();
  CHECK(json["stats"].size() == 12);
  CHECK(json["per_class"]["9"]["AP"].get<double>() == Approx(51.0 / 101));
  CHECK((json["per_class"]["5"]["AP50"] == 0 && json["per_class"]["1"]["AR100"] == -1));
  CHECK(json["stats"]["AP50"].get<double>() == Approx(51.0 / 101 / 2));
  CHECK((json["precision_at_50_all_100"]["9"].size() == 101 && json["precision_at_50_all_100"]["1"][100] == -1));
  CHECK((json["names"]["9"] == "cat <a>" && json["objects"]["5"] == 1));  // the one without area counts
  CHECK(json["best_f1_at_50"]["9"]["F1"].get<double>() == Approx(2.0 / 3));
  CHECK((json["AP50_intervals"]["9"]["low"] == 0 && json["AP50_intervals"]["9"]["high"].get<double>() == Approx(1)));
  CHECK(json["confusion"]["counts"] == nlohmann::ordered_json::parse("[[1,1,0,0],[0,0,0,1],[0,0,0,0],[0,0,0,0]]"));
  const std::string table = scorer.table();
  CHECK((table.find("AP_small") != std::string::npos && table.find("0.5050") != std::string::npos));
  CHECK(table.find('\x1b') == std::string::npos);
  CHECK(text_of(folder / "c.svg").find("cat &lt;a&gt; 0.505") != std::string::npos);
  CHECK(text_of(folder / "m.svg").find("background") != std::string::npos);
}

TEST_CASE("box scorer: without intervals, without images") {
  const test::Folder folder;
  write_text(folder / "t.json", kTruth);
  write_text(folder / "d.json", "[]");
  write_text(folder / "none.json", R"({"images":[],"categories":[],"annotations":[]})");
  const auto json_of = [&](const char* truth) {
    Scoring scoring;
    scoring.set("GROUND_TRUTH", (folder / truth).string()).set("DETECTIONS", (folder / "d.json").string());
    scoring.set("resamples", "0");
    AnswerScorer& scorer = scoring.run();
    CHECK(scorer.table().find("95 %") == std::string::npos);
    CHECK(scorer.left_out().empty());
    return scorer.json();
  };
  const auto json = json_of("t.json");
  CHECK((json["stats"]["AP"] == 0 && !json.contains("AP50_intervals") && !json.contains("confusion")));
  CHECK((json_of("none.json")["stats"]["AR100"] == -1 && json_of("none.json")["per_class"].empty()));
}

TEST_CASE("box scorer: what cannot be scored is refused with file and key") {
  const test::Folder folder;
  write_text(folder / "t.json", kTruth);
  write_text(folder / "d.json", R"([{"image_id":3,"category_id":9,"bbox":[1,2,3,4],"score":1}])");
  const auto message = [&](const char* truth, const char* found) {
    Scoring scoring;
    scoring.set("GROUND_TRUTH", (folder / truth).string()).set("DETECTIONS", (folder / found).string());
    return message_of([&] { scoring.run(); });
  };
  CHECK(message("t.json", "d.json") == (folder / "d.json").string() + ": [0].image_id: expected an id that is there, got 3");
  CHECK(message("d.json", "d.json").find("expected an object") != std::string::npos);
  CHECK(message("none.json", "d.json").find("no such file") != std::string::npos);
  CHECK(message_of([] { Scoring().set("iou", "2"); }).find("2") != std::string::npos);
}

TEST_CASE("box scorer: the keys and figures of the shared cases") {
  FOVEA_NEEDS_SHARED(cases, "eval/detection");
  for (const auto& entry : fs::directory_iterator(cases)) {
    INFO(entry.path().string());
    Scoring scoring;
    scoring.set("GROUND_TRUTH", (entry.path() / "ground_truth.json").string());
    scoring.set("DETECTIONS", (entry.path() / "detections.json").string()).set("resamples", "0");
    const nlohmann::ordered_json got = scoring.run().json();
    const JsonValue expected = read_json(entry.path() / "expected.json");
    for (const auto& [key, value] : expected.members()) {
      REQUIRE(got.contains(key));
      CHECK(got[key].size() == value.raw().size());
      for (const auto& [name, figures] : value.members()) {
        INFO(key << " " << name);
        const nlohmann::json flat = figures.raw().flatten(), ours = nlohmann::json(got[key][name]).flatten();
        REQUIRE(flat.size() == ours.size());
        for (const auto& [place, number] : flat.items())
          CHECK(std::abs(ours.at(place).get<double>() - number.get<double>()) < 1e-9);
      }
    }
  }
}
