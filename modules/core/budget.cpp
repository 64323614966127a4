#include "modules/core/budget.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <utility>

namespace fovea {
namespace {

std::atomic<std::uint64_t> chosen{0};  // 0: nobody chose
thread_local ShapeBudget* alive = nullptr;
constexpr std::uint64_t kTables = std::uint64_t{512} << 20;

std::uint64_t number_in(const std::string& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  return in >> value && value > 0 ? value : UINT64_MAX;  // "max" is none
}

// The smallest limit from this process's group up to the root.
std::uint64_t group_limit() {
  std::uint64_t least = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.rfind("0::", 0) != 0) continue;
    for (std::string path = line.substr(3);; path.resize(path.rfind('/'))) {
      least = std::min(least, number_in("/sys/fs/cgroup" + path + "/memory.max"));
      if (path.empty() || path.find('/') == std::string::npos) break;
    }
  }
  return least;
}

}  // namespace

std::uint64_t memory_limit() { return chosen > 0 ? chosen.load() : kUsualMemoryLimit; }
std::uint64_t run_limit() { return chosen > 0 ? chosen.load() : std::max(kUsualMemoryLimit, usable_memory()); }
void set_memory_limit(std::uint64_t bytes) { chosen = std::min(bytes, UINT64_MAX / 8); }

std::uint64_t usable_memory() {
  const auto machine = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  rlimit space{};
  const bool limited = getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
  return std::min({machine, group_limit(), limited ? static_cast<std::uint64_t>(space.rlim_cur) : UINT64_MAX});
}

std::string readable_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1000 && unit < 6; ++unit) value /= 1000;
  std::ostringstream text;
  text.precision(value < 10 && unit > 0 ? 2 : 3);
  text << value << " " << kUnits[unit];
  return text.str();
}

void check_memory(std::uint64_t bytes, std::uint64_t limit, const std::string& what) {
  if (bytes <= limit) return;
  try {
    fail(what, ": ", readable_bytes(bytes), " would be taken, ", readable_bytes(limit), " are allowed; --max-memory SIZE (",
         "fovea::set_memory_limit in a program) raises that");
  } catch (const Error& e) { throw OverBudget(e.what()); }  // with the path that fail() knows
}

ShapeBudget::ShapeBudget(std::uint64_t limit, bool of_tables)
    : previous_(std::exchange(alive, this)), limit_(limit), left_(of_tables ? std::min(limit, kTables) : UINT64_MAX) {}
ShapeBudget::~ShapeBudget() { alive = previous_; }

void ShapeBudget::take(std::size_t bytes) {
  if (!alive) return;
  check_memory(bytes, alive->left_, "tables beside the parameters");
  alive->left_ -= bytes;
}

void ShapeBudget::value(const Shape& shape) {
  if (!alive) return;
  std::uint64_t bytes = sizeof(float);
  for (const std::int64_t d : shape)
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(std::max<std::int64_t>(d, 0)), &bytes)) bytes = UINT64_MAX / 2;
  check_memory(bytes, alive->limit_, "a value of " + shape.str());
}

}  // namespace fovea
