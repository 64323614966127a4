// Choices by measurement: they are remembered, and no state of the file breaks them.
#include "modules/plan/tuning.hpp"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "modules/core/random.hpp"
#include "modules/core/warning.hpp"
#include "modules/ops/conv2d.hpp"
#include "modules/plan/plan.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/check_op.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

namespace fs = std::filesystem;

// The file of choices in a folder of the test's own.
class OwnFile {
 public:
  OwnFile() {
    ::setenv("FOVEA_CACHE", folder_.path().c_str(), 1);
    plan::forget_tuning();
  }
  ~OwnFile() {
    ::unsetenv("FOVEA_CACHE");
    plan::forget_tuning();
  }
  fs::path path() const { return folder_.path() / "tuning.json"; }
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(path()).rdbuf();
    return all.str();
  }
  void write(const std::string& text) const { std::ofstream(path()) << text; }

 private:
  Folder folder_;
};

struct Counted {
  int made = 0;
  std::vector<plan::Candidate> candidates() {
    const auto taking = [this](int milliseconds) {
      return [this, milliseconds] {
        ++made;
        return plan::Trial{{}, [milliseconds] { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }};
      };
    };
    return {{"slow", taking(6)}, {"fast", taking(1)}, {"heavy", taking(1), 100}};
  }
};

}  // namespace

TEST_CASE("tuning: the fastest is chosen, and measured once") {
  OwnFile file;
  Counted first;
  CHECK(plan::fastest("a sleep", first.candidates()) == "fast");
  CHECK(first.made == 3);
  CHECK(plan::fastest("a sleep", first.candidates()) == "fast");
  CHECK(first.made == 3);
  plan::forget_tuning();  // as the next process does
  CHECK(plan::fastest("a sleep", first.candidates()) == "fast");
  CHECK(first.made == 3);
  CHECK(plan::fastest("another sleep", first.candidates()) == "fast");
  CHECK(first.made == 6);
  CHECK(file.text().find("another sleep") != std::string::npos);
  CHECK(file.text().find("\"a sleep\"") != std::string::npos);
}

TEST_CASE("tuning: an unclear choice is measured again by the next processes, three times at most, a clear one stays") {
  OwnFile file;
  // Fast once in a while and slow at its median, beside one that is always the same; so far apart that a busy machine does not matter.
  int made = 0, run = 0;
  const auto disturbed = [&](bool really) {
    const auto sleep = [](int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
    return std::vector<plan::Candidate>{
        {"uneven",
         [&run, &made, really, sleep] {
           ++made;
           return plan::Trial{{}, [&run, really, sleep] { sleep(really && ++run % 3 != 0 ? 36 : 4); }};
         }},
        {"even", [sleep] {
           return plan::Trial{{}, [sleep] { sleep(16); }};
         }}};
  };
  for (int process = 1; process <= 5; ++process) {
    plan::forget_tuning();
    for (int twice = 0; twice < 2; ++twice) CHECK(plan::fastest("a sleep", disturbed(true)) == "uneven");
    CHECK(made == std::min(process, 3));
  }
  plan::fastest("another", disturbed(true));
  CHECK(made == 4);
  for (int process = 0; process < 2; ++process) {
    plan::forget_tuning();
    CHECK(plan::fastest("another", disturbed(false)) == "uneven");
    CHECK(made == 5);
  }
}

TEST_CASE("tuning: a choice that is not among the candidates is made again") {
  OwnFile file;
  Counted one;
  plan::fastest("a sleep", one.candidates());
  std::string text = file.text();
  text.replace(text.find("\"fast\""), 6, "\"gone\"");
  file.write(text);
  plan::forget_tuning();
  CHECK(plan::fastest("a sleep", one.candidates()) == "fast");
  CHECK(one.made == 6);
}

TEST_CASE("tuning: a broken, foreign or unwritable file costs a measurement, nothing else") {
  OwnFile file;
  Counted one;
  plan::fastest("a sleep", one.candidates());
  const std::string whole = file.text();
  std::vector<std::string> texts{
      "", "\0\xff\xfe", "[]", "null", "{\"x\": {\"a sleep\": 3}}", std::string(100000, '['), "true", "{\"a\":", "\"a sleep\""};
  for (std::size_t i = 1; i < whole.size(); i += 7) texts.push_back(whole.substr(0, i));
  std::string wrong = whole;
  wrong.replace(wrong.find("\"fast\""), 6, "[1, 2]");
  texts.push_back(wrong);
  for (const std::string& text : texts) {
    INFO(text.substr(0, 200));
    file.write(text);
    plan::forget_tuning();
    CHECK(plan::fastest("a sleep", one.candidates()) == "fast");
  }
  fs::remove(file.path());
  fs::create_directory(file.path());  // neither read nor replaced
  plan::forget_tuning();
  CHECK(plan::fastest("a sleep", one.candidates()) == "fast");
}

TEST_CASE("tuning: a damaged file is told, and nothing but the file is left in its folder") {
  OwnFile file;
  Counted one;
  std::vector<std::string> told;
  const auto before = on_warning([&](const std::string& text) { told.push_back(text); });
  plan::fastest("a sleep", one.candidates());
  CHECK(told.empty());
  for (const std::string& text : {std::string(200000, '['), std::string("{\"a\":"), std::string(17 << 20, ' ')}) {
    const std::size_t so_far = told.size();
    file.write(text);
    plan::forget_tuning();
    CHECK(plan::fastest("a sleep", one.candidates()) == "fast");
    REQUIRE(told.size() == so_far + 1);
    CHECK(told.back().find(file.path().string()) == 0);
    CHECK(told.back().find("counts as absent") != std::string::npos);
  }
  std::ofstream(file.path().string() + ".999999999") << "of a process that was killed";
  fs::remove(file.path());
  fs::create_directory(file.path());  // the rename fails
  plan::forget_tuning();
  plan::fastest("a sleep", one.candidates());
  on_warning(before);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(file.path().parent_path())) names.push_back(entry.path().filename());
  CHECK(names == std::vector<std::string>{"tuning.json"});
}

TEST_CASE("tuning: what other machines have measured stays in the file") {
  OwnFile file;
  file.write(R"({"another": {"a sleep": "slow"}, "\u00e4": 3})");
  Counted one;
  CHECK(plan::fastest("a sleep", one.candidates()) == "fast");
  CHECK(file.text().find(R"("another")") != std::string::npos);
  CHECK(file.text().find(R"("fast")") != std::string::npos);
  plan::forget_tuning();
  CHECK(plan::fastest("a sleep", one.candidates()) == "fast");
  CHECK(one.made == 3);
}

TEST_CASE("tuning: large maps of about one size share a measurement, small ones have their own") {
  OwnFile file;
  const Tensor w = Tensor::full({16, 16, 3, 3}, 0.01);
  const auto network = [&](const Vars& in) {
    return Vars{conv2d(in[0], Var(w), Var(), {.pad_begin = {1, 1}, .pad_end = {1, 1}})};
  };
  const auto remembered = [&](std::int64_t h, std::int64_t w) {
    plan::compile(network, {{1, 16, h, w}}, {.tune = true});
    const std::string text = file.text();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("convolution", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  CHECK(remembered(90, 91) == 1);
  CHECK(remembered(100, 84) == 1);  // 128 / sqrt(2), too
  CHECK(remembered(120, 131) == 2);
  CHECK(remembered(30, 31) == 3);
  CHECK(remembered(31, 31) == 4);
}

TEST_CASE("tuning: a tuned plan gives what an untuned one gives, and remembers its convolutions") {
  OwnFile file;
  const std::int64_t channels = 32;
  const Tensor w = random_tensor({channels, channels, 3, 3}, 1).to(DType::f32);
  const Tensor x = random_tensor({1, channels, 28, 28}, 2).to(DType::f32).contiguous(Layout::channels_last);
  const auto network = [&](const Vars& in) {
    return Vars{conv2d(in[0], Var(w), Var(), {.pad_begin = {1, 1}, .pad_end = {1, 1}})};
  };
  const auto tuned = plan::compile(network, {x.shape()}, {.tune = true}),
             untuned = plan::compile(network, {x.shape()}, {.tune = false});
  CHECK(file.text().find("convolution f32 1x32x28x28") != std::string::npos);
  // The bound of minimal filtering that its own test computes: absolute terms below 5 * 5 grow 40-fold at most, of 288 a sum.
  const double bound = 6 * 18.0 / 16777216 * 288 * 25;
  CHECK(max_difference(tuned.run({x}).outputs[0], untuned.run({x}).outputs[0]) <= bound);
}
