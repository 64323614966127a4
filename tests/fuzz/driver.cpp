// Changes whole inputs in many ways and hands them to the target. What brings it down, takes it longer than ten seconds, or makes it take
// more than two gigabytes is left in the file fuzz-input of the current folder.
// usage: TARGET [SECONDS [SEED [FILE...]]]: files are further inputs to begin with; SECONDS 0 runs each input unchanged, once
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/fuzz/target.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

class Mutator {
 public:
  Mutator(std::vector<Bytes> seeds, std::uint32_t seed) : pool_(std::move(seeds)), random_(seed) {}

  Bytes next() {
    Bytes bytes = pool_[below(pool_.size())];
    for (std::size_t i = 0, changes = 1 + below(6); i < changes && !bytes.empty(); ++i) change(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t n) { return n ? random_() % n : 0; }
  // Headers matter more than what they describe.
  std::size_t place(const Bytes& bytes) { return below(below(2) ? bytes.size() : std::min<std::size_t>(bytes.size(), 96)); }

  void change(Bytes& bytes) {
    const std::size_t at = place(bytes);
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(8)) {
      case 0: *from = static_cast<std::uint8_t>(random_()); break;
      case 1: *from ^= static_cast<std::uint8_t>(1u << below(8)); break;
      case 2: write_number(bytes, at); break;
      case 3:
        bytes.erase(from, from + static_cast<std::ptrdiff_t>(1 + below(std::min<std::size_t>(bytes.size() - at, 64))));
        break;
      case 4: bytes.resize(at); break;
      case 5: copy(bytes, at, pool_[below(pool_.size())]); break;
      case 6: copy(bytes, at, Bytes(bytes)); break;
      default:
        std::fill_n(from, std::min<std::size_t>(bytes.size() - at, 1 + below(16)),
                    static_cast<std::uint8_t>(below(2) ? 0 : 0xff));
    }
  }

  // Lengths, counts and offsets at the edges of what they can be.
  void write_number(Bytes& bytes, std::size_t at) {
    constexpr std::uint64_t kEdges[] = {0,      1,      0x7f,    0x80,       0xff,       0x100,     0x7fff,
                                        0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};
    const std::uint64_t value = below(3) ? kEdges[below(std::size(kEdges))] : bytes.size() - below(8);
    const std::size_t width = std::size_t{1} << below(4);
    const bool big = below(2) != 0;
    for (std::size_t i = 0; i < width && at + i < bytes.size(); ++i)
      bytes[at + i] = static_cast<std::uint8_t>(value >> 8 * (big ? width - 1 - i : i) % 64);
  }

  void copy(Bytes& bytes, std::size_t at, const Bytes& other) {
    if (other.empty()) return;
    const std::size_t from = below(other.size()), n = std::min<std::size_t>(other.size() - from, 1 + below(64));
    const auto begin = other.begin() + static_cast<std::ptrdiff_t>(from);
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), begin, begin + static_cast<std::ptrdiff_t>(n));
  }

  std::vector<Bytes> pool_;
  std::mt19937 random_;
};

// Written before each try, so that it is there when the target does not come back.
void keep(const Bytes& bytes) {
  std::ofstream("fuzz-input", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

bool run(const Bytes& bytes) {
  constexpr double kMostSeconds = 10;
  constexpr long kMostKilobytes = 2 << 20;
  keep(bytes);
  const std::clock_t start = std::clock();  // of this process: other work on the machine does not make an input slow
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  if (seconds < kMostSeconds && usage.ru_maxrss < kMostKilobytes) return true;
  std::printf("fuzz-input: %.1f s, %ld kB at most so far\n", seconds, usage.ru_maxrss);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  const auto seed = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 1);
  std::vector<Bytes> seeds = fovea::fuzz::seeds();
  for (int i = 3; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  for (const Bytes& bytes : seeds)
    if (!run(bytes)) return 1;
  Mutator mutator(seeds, seed);
  std::size_t count = seeds.size();
  for (const auto start = Clock::now(); std::chrono::duration<double>(Clock::now() - start).count() < seconds; ++count)
    if (!run(mutator.next())) return 1;
  std::remove("fuzz-input");
  std::printf("%zu inputs\n", count);
}
