#include "modules/core/cgroup.hpp"

#include <fstream>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

using namespace fovea;
namespace fs = std::filesystem;
using test::Folder;

namespace {

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text << "\n";
}

}  // namespace

TEST_CASE("cgroups: of all quotas from the process's own group to the root the smallest counts") {
  Folder dir;
  const auto quota = [&] { return cgroup_quota(dir / "membership", dir / "mount"); };
  CHECK(quota() == 0);  // no cgroups at all
  write(dir / "membership", "0::/user.slice/job.scope/step");
  fs::create_directories(dir / "mount/user.slice/job.scope/step");
  CHECK(quota() == 0);
  write(dir / "mount/cpu.max", "max 100000");
  CHECK(quota() == 0);
  write(dir / "mount/user.slice/job.scope/cpu.max", "150000 100000");
  CHECK(quota() == 1.5);
  write(dir / "mount/user.slice/job.scope/step/cpu.max", "max 100000");
  CHECK(quota() == 1.5);
  write(dir / "mount/user.slice/job.scope/step/cpu.max", "50000 100000");
  CHECK(quota() == 0.5);
  write(dir / "mount/user.slice/other/cpu.max", "10000 100000");  // another's
  CHECK(quota() == 0.5);
  write(dir / "membership", "0::/../../elsewhere");  // as a container may see it
  CHECK(quota() == 0);
  write(dir / "mount/cpu.max", "300000 100000");
  CHECK(quota() == 3);
}

TEST_CASE("cgroups: version 1, alone and beside version 2") {
  Folder dir;
  const auto quota = [&] { return cgroup_quota(dir / "membership", dir / "mount"); };
  write(dir / "membership", "5:cpuset:/wrong\n4:cpu,cpuacct:/docker/b\n0::/");
  write(dir / "mount/cpu/cpu.cfs_quota_us", "-1");
  write(dir / "mount/cpu/cpu.cfs_period_us", "100000");
  CHECK(quota() == 0);
  write(dir / "mount/cpu/docker/b/cpu.cfs_quota_us", "250000");
  write(dir / "mount/cpu/docker/b/cpu.cfs_period_us", "100000");
  CHECK(quota() == 2.5);
  write(dir / "mount/unified/cpu.max", "100000 100000");
  CHECK(quota() == 1);
  for (const char* damaged : {"", "150000", "x y", "-5 100000", "100000 0"}) {
    INFO(damaged);
    write(dir / "mount/unified/cpu.max", damaged);
    CHECK(quota() == 2.5);
  }
}
