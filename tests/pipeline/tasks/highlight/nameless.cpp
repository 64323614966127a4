// Results without names: maps over pixels that may show a name are withheld, their numbers are not.
#include "modules/io/json.hpp"
#include "tests/pipeline/tasks/highlight/support.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dicom.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;
namespace fs = std::filesystem;

namespace {

std::size_t count_ending(const fs::path& folder, const std::string& ending) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) count += entry.path().string().ends_with(ending) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("highlight: maps over the picture are withheld where a name may be burned in", "[pipeline][scans]") {
  const Folder folder;
  std::vector<Uint16> values(12 * 10, 10);
  values[37] = 190;
  DicomFile(12, 10, values).put(DCM_Modality, "US").save(folder / "jane.dcm");
  for (const bool allowed : {false, true}) {
    const fs::path out = folder / (allowed ? "allowed" : "out");
    std::map<std::string, std::string> settings{{"deidentify", "true"}, {"maps", "gradcam"}, {"write", "mask"}};
    if (allowed) settings["allow-burned-in"] = "true";
    const Run run = highlight(two_class_model(), {(folder / "jane.dcm").string()}, out, settings);
    REQUIRE(run.result.done == 1);
    CHECK(count_ending(out, ".gradcam.npy") > 0);
    CHECK(count_ending(out, ".gradcam.png") == (allowed ? count_ending(out, ".gradcam.npy") : 0));
    CHECK(count_ending(out, ".mask.png") == 2);
    for (const auto& entry : fs::directory_iterator(out)) {
      CHECK(entry.path().string().find("jane") == std::string::npos);
      if (entry.path().extension() != ".json") continue;
      const JsonValue answer = read_json(entry.path());
      REQUIRE(answer.has("withheld") != allowed);
      if (!allowed) CHECK(answer.at("withheld").at("outputs").items().at(0).text() == "maps over the picture");
    }
    CHECK(fs::exists(out.string() + ".key.jsonl"));
  }
}
