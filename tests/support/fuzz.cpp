#include "tests/support/fuzz.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "modules/core/error.hpp"
#include "tests/support/catch.hpp"

namespace fovea::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongest = 1 << 20;

// What breaks readers of numbers, names and nesting.
const std::vector<std::string> kWords{"0",
                                      "-1",
                                      "2147483647",
                                      "2147483648",
                                      "-2147483649",
                                      "9223372036854775807",
                                      "18446744073709551616",
                                      "1e1",
                                      "1e999",
                                      "nan",
                                      "24.0",
                                      "{}",
                                      "[]",
                                      "null",
                                      "true",
                                      "\"\"",
                                      "[[",
                                      "{\"a\":",
                                      "}",
                                      "]",
                                      "\"",
                                      "\\u0000",
                                      ",",
                                      ": ",
                                      "*",
                                      "**",
                                      "{,}",
                                      "{a,b}",
                                      "[a-z]",
                                      "&a ",
                                      "*a",
                                      "- ",
                                      "\n  ",
                                      "!x",
                                      "\xff",
                                      "..",
                                      "/"};

double seconds_given() {
  const char* text = std::getenv("FOVEA_FUZZ_SECONDS");
  return text ? std::max(0.1, std::atof(text)) : 1.0;
}

// Of this process: other work on the machine does not make an input slow.
double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

void Mutator::change(std::string& text) {
  const std::size_t at = below(text.size() + 1), length = std::min(text.size() - at, 1 + below(below(4) ? 8 : 200));
  switch (below(8)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
      break;
    case 1:
      if (at < text.size()) text[at] = static_cast<char>(below(256));
      break;
    case 2: text.erase(at, length); break;
    case 3: text.insert(at, text.substr(at, length)); break;
    case 4: text.insert(at, kWords[below(kWords.size())]); break;
    case 5: text.replace(at, length, kWords[below(kWords.size())]); break;
    case 6: {  // one piece over and over: deep nesting, long names, many entries
      const std::string piece = below(2) ? text.substr(at, length) : kWords[below(kWords.size())];
      std::string many;
      for (std::size_t n = below(below(8) ? 40 : 20000); n > 0 && many.size() < kLongest / 4; --n) many += piece;
      text.insert(at, many);
      break;
    }
    default: {  // the rest of another one
      const std::string& other = seeds_[below(seeds_.size())];
      text = text.substr(0, at) + other.substr(below(other.size() + 1));
    }
  }
  if (text.size() > kLongest) text.resize(kLongest);
}

std::string Mutator::next() {
  std::string text = seeds_[below(seeds_.size())];
  for (std::size_t n = 1 + below(8); n > 0; --n) change(text);
  return text;
}

std::size_t fuzz(std::string_view name, const std::vector<std::string>& seeds,
                 const std::function<void(const std::string&)>& reads) {
  for (const std::string& seed : seeds) reads(seed);  // whole ones are read without an error
  Mutator mutator(seeds, 1);
  const auto start = Clock::now();
  std::size_t inputs = 0, refused = 0;
  for (; since(start) < seconds_given(); ++inputs) {
    const std::string text = mutator.next();
    if (const char* kept = std::getenv("FOVEA_FUZZ_KEEP"))
      std::ofstream(kept, std::ios::binary) << text;  // for when the process dies
    INFO(name << ": input " << inputs << ", " << text.size() << " bytes: " << text.substr(0, 300));
    const double begin = processor_seconds();
    try {
      reads(text);
    } catch (const Error&) { ++refused; } catch (const std::exception& e) {
      FAIL("not an Error: " << e.what());
    }
    if (const double taken = processor_seconds() - begin; taken > 10) FAIL("took " << taken << " seconds of processor time");
  }
  CHECK(inputs > 0);
  if (std::getenv("FOVEA_FUZZ_SECONDS")) WARN(name << ": " << inputs << " inputs, " << refused << " refused");
  return refused;
}

}  // namespace fovea::test
