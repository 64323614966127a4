#include "modules/core/cgroup.hpp"

#include <fstream>
#include <functional>
#include <string>

namespace fovea {
namespace fs = std::filesystem;
namespace {

// cpu.max: "max 100000" or "150000 100000"
double quota_v2(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : 0;
}

// Two files; a quota of -1 for none.
double quota_v1(const fs::path& group) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us"), period_file(group / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : 0;
}

// The smallest quota from `group` up to the root. In a container the path may be the host's, and not be there: the root is always asked.
double smallest(const fs::path& root, const std::string& group, double (*quota)(const fs::path&)) {
  double least = 0;
  fs::path path;
  const auto ask = [&] {
    const double here = quota(root / path);
    if (here > 0 && (least == 0 || here < least)) least = here;
  };
  ask();
  for (const fs::path& part : fs::path(group).relative_path()) {
    if (part.empty() || part == "..") break;
    path /= part;
    ask();
  }
  return least;
}

bool lists(const std::string& controllers, const std::string& name) {
  return ("," + controllers + ",").find("," + name + ",") != std::string::npos;
}

}  // namespace

double cgroup_quota(const fs::path& membership, const fs::path& mount) {
  std::string v1, v2;
  std::ifstream file(membership);
  for (std::string line; std::getline(file, line);) {  // "0::/user.slice/a", "4:cpu,cpuacct:/docker/b"
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) v2 = path;
    else if (lists(controllers, "cpu")) v1 = path;
  }
  double least = 0;
  for (const double quota : {smallest(mount, v2, quota_v2), smallest(mount / "unified", v2, quota_v2),
                             smallest(mount / "cpu", v1, quota_v1), smallest(mount / "cpu,cpuacct", v1, quota_v1)})
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
  return least;
}

}  // namespace fovea
