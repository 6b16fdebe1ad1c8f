// Reading a container's CPU quota from a tree of files laid out as the kernel does.
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include "runtime/cpu_limit.h"
#include "test_support.h"

namespace vtb::test {
namespace {

constexpr double no_limit = std::numeric_limits<double>::infinity();

// A folder that stands for /, gone when the test ends.
class FakeRoot {
 public:
  FakeRoot() {
    char path[] = "/tmp/vertebra-cpu-limit-XXXXXX";
    if (mkdtemp(path)) root_ = path;
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;
  ~FakeRoot() { EXPECT_EQ(std::system(("rm -r " + root_).c_str()), 0); }

  FakeRoot& write(const std::string& path, const std::string& text) {
    for (size_t slash = 1; (slash = path.find('/', slash)) != std::string::npos; ++slash) {
      mkdir((root_ + path.substr(0, slash)).c_str(), 0700);
    }
    std::ofstream(root_ + path) << text;
    return *this;
  }

  double quota() const { return cgroup_cpu_quota(root_); }

 private:
  std::string root_;
};

TEST(CpuLimit, NoGroupsNoLimit) {
  EXPECT_EQ(FakeRoot().write("/x", "").quota(), no_limit);
  EXPECT_EQ(FakeRoot().write("/proc/self/cgroup", "0::/a/b\n").quota(), no_limit);
  EXPECT_EQ(FakeRoot().write("/proc/self/cgroup", "nonsense\n:\n1:cpu:\n0::relative\n").quota(), no_limit);
}

TEST(CpuLimit, Version2TakesTheSmallestOnTheWayUp) {
  FakeRoot root;
  root.write("/proc/self/cgroup", "0::/kubepods/pod1/container\n");
  root.write("/sys/fs/cgroup/kubepods/pod1/container/cpu.max", "max 100000\n");
  EXPECT_EQ(root.quota(), no_limit);
  root.write("/sys/fs/cgroup/kubepods/pod1/cpu.max", "150000 100000\n");
  EXPECT_EQ(root.quota(), 1.5);
  root.write("/sys/fs/cgroup/kubepods/cpu.max", "400000 100000\n");
  EXPECT_EQ(root.quota(), 1.5);
}

TEST(CpuLimit, Version2InsideAContainerIsTheMountItself) {
  FakeRoot root;
  root.write("/proc/self/cgroup", "0::/\n").write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(root.quota(), 0.5);
  root.write("/proc/self/cgroup", "0::/../outside\n");
  EXPECT_EQ(root.quota(), 0.5);
}

TEST(CpuLimit, Version1) {
  FakeRoot root;
  root.write("/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/s\n");
  root.write("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(root.quota(), no_limit);
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(root.quota(), 3);
}

TEST(CpuLimit, ThisProcess) {
  EXPECT_GE(vtb_cpu_limit(), 1);
  EXPECT_LE(vtb_cpu_limit(), sysconf(_SC_NPROCESSORS_CONF));
}

}  // namespace
}  // namespace vtb::test
