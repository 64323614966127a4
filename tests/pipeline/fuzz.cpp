// Files of ours in a folder of results, which anybody may have written.
#include "tests/support/fuzz.hpp"

#include <fstream>

#include "datasets/csv.hpp"
#include "pipeline/explained.hpp"
#include "pipeline/sinks/ledger.hpp"
#include "pipeline/sources/inputs.hpp"
#include "pipeline/tasks/classify/tables.hpp"
#include "pipeline/tasks/detect/tables.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::fuzz;

namespace {

void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

const std::string kExplained =
    R"({"source":"a.png","model":"m","method":"grad_cam","predicted":[{"class":"cat","index":1,"probability":0.75}],)"
    R"("target":{"class":"cat","index":1},"geometry":{"image":{"width":75,"height":50}},"maps":[{"name":"grad_cam","values":)"
    R"({"min":0,"max":1,"peak":{"x":3,"y":4}},"faithfulness":{"insertion_auc":0.5,"deletion_auc":0.25},"overlay":"a.png.grad_cam.png"},)"
    R"({"name":"other","values":null}],"channels":[{"name":"gate","values":[1,2],"picture":"a.svg"}]})";
const std::string kBoxes =
    R"({"image_size":[100,50],"images":{"a.png":[{"box":[1,2,3,4],"class":"cat","strong":true},{"box":[0,0,9,9]}]}})";
const std::string kAnswer = R"({"file":"a.png","top":[{"class":"cat","index":1,"probability":0.75}]})";
const std::string kFound =
    R"({"file":"a.png","precision":"f32","width":64,"height":48,"detections":[{"class":"cat","index":1,"score":0.75,"box":[1,2.5,30,40]},)"
    R"({"class":"dog","index":0,"score":0.5,"box":[0,0,64,48]}]})";
const std::string kFoundInVideo =
    R"({"file":"a.mp4","video":{"seconds":1.5,"frames":30},"classes":[{"class":"cat","frames":12,"boxes":20,"most":2,"tracks":3}]})";
const std::string kLedger =
    "{\"settings\":\"0123\",\"of\":{\"command\":\"classify\",\"top\":5}}\n"
    "{\"input\":\"/in/"
    "a.png\",\"output\":\"a.png.json\",\"state\":\"done\",\"size\":1,\"modified_ns\":2,\"changed_ns\":3,\"settings\":\"0123\","
    "\"seconds\":0.5,\"beside\":[{\"file\":\"a.svg\"}]}\n"
    "{\"input\":\"/in/"
    "?.png\",\"input_hex\":\"2f696e2fff2e706e67\",\"output\":\"b.json\",\"state\":\"quarantined\",\"reason\":\"bad\",\"size\":1,"
    "\"modified_ns\":2,\"changed_ns\":3,\"settings\":\"0123\",\"seconds\":0}\n";

}  // namespace

TEST_CASE("fuzz: answers, boxes", "[fuzz][pipeline]") {
  const test::Folder folder;
  const fs::path file = folder / "a.json";
  CHECK(fuzz("explained", {kExplained}, [&](const std::string& text) {
          write(file, text);
          for (const ExplainedMap& m : read_explained(file).maps) CHECK(m.overlay.find('/') == std::string::npos);
        }) > 0);
  CHECK(fuzz("boxes", {kBoxes}, [&](const std::string& text) {
          write(file, text);
          Boxes(file).of("a.png", "cat", 200, 100);
        }) > 0);
  CHECK(fuzz("predictions", {kAnswer}, [&](const std::string& text) {
          write(file, text);
          read_answer(file);
        }) > 0);
}

TEST_CASE("fuzz: what a detector found", "[fuzz][pipeline]") {
  const test::Folder folder;
  const fs::path file = folder / "a.json";
  const std::vector<std::string> classes{"dog", "cat"};
  CHECK(fuzz("detections", {kFound, kFoundInVideo}, [&](const std::string& text) {
          write(file, text);
          const auto found = read_found(file, classes);
          FoundInRun all;
          if (const auto* picture = std::get_if<FoundBoxes>(&found)) all.pictures.push_back(*picture);
          else all.videos.push_back(std::get<FoundInVideo>(found));
          for (const FoundBoxes& boxes : all.pictures)
            for (const Detection& d : boxes.detections) CHECK((d.label >= 0 && d.label < 2 && d.score >= 0 && d.score <= 1));
          found_summary(all.pictures, classes);
          write_found(folder.path(), all, classes);  // tables that can be read again
          CHECK(read_csv(folder / kDetectionsCsv).header.size() == 7);
        }) > 0);
}

TEST_CASE("fuzz: ledgers", "[fuzz][pipeline]") {
  const test::Folder folder;
  std::size_t damaged = 0;
  fuzz("ledger", {kLedger}, [&](const std::string& text) {
    write(folder / kLedgerName, text);
    {
      Ledger ledger(folder.path());
      damaged += !ledger.damage().empty();
      ledger.use({{"command", "other"}});
      ledger.compact();
    }
    CHECK(Ledger(folder.path()).damage().empty());  // what was put in order is whole
  });
  CHECK(damaged > 0);
}
