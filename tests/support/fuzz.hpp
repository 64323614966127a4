// Parsers of outside bytes, fed with damaged versions of what they should read. They may refuse with an Error, and nothing else.
// FOVEA_FUZZ_SECONDS=600 fovea_tests "[fuzz]" gives each ten minutes; unless said, one second.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::test {

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, unsigned seed) : seeds_(std::move(seeds)), random_(seed) {}
  std::string next();  // a seed with one to eight changes

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  void change(std::string& text);

  std::vector<std::string> seeds_;
  std::mt19937 random_;
};

// Calls `reads` with the seeds, which it takes, and with damaged ones until the time is over. Fails where it throws something that is no Error, or
// takes more than ten seconds for one input; names the number of the input, which is the same every time. Gives how many were refused.
std::size_t fuzz(std::string_view name, const std::vector<std::string>& seeds,
                 const std::function<void(const std::string&)>& reads);

}  // namespace fovea::test
