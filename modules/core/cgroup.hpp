// What the system's control groups leave of the processors.
#pragma once

#include <filesystem>

namespace fovea {

// Processors' worth of time that this process may use, by the quota of its group and of every group above it, the smallest of them; 0 where
// there is no quota. Version 2 and version 1. `membership` says which group it is, `mount` is where the groups are: given for tests.
double cgroup_quota(const std::filesystem::path& membership = "/proc/self/cgroup",
                    const std::filesystem::path& mount = "/sys/fs/cgroup");

}  // namespace fovea
