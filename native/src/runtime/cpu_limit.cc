#include "runtime/cpu_limit.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "vertebra.h"

namespace vtb {
namespace {

constexpr double no_limit = std::numeric_limits<double>::infinity();

double quota_v2(const std::string& group) {
  std::ifstream file(group + "/cpu.max");
  double quota, period;  // "max 100000" leaves the stream failed
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : no_limit;
}

double quota_v1(const std::string& group) {
  std::ifstream quota_file(group + "/cpu.cfs_quota_us"), period_file(group + "/cpu.cfs_period_us");
  double quota, period;  // a quota of -1 is none
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : no_limit;
}

// The smallest over `path` and all above it, the mount itself included: in a container the path may lie outside of
// what is mounted, and only the mount exists.
double smallest_quota(const std::string& mount, std::string path, double (*quota)(const std::string&)) {
  double smallest = no_limit;
  for (;;) {
    smallest = std::min(smallest, quota(mount + path));
    if (path.empty()) return smallest;
    path.erase(path.rfind('/'));
  }
}

bool names_cpu(const std::string& controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

int32_t affinity_cpus() {
  // The kernel refuses a set smaller than its own: double until it fits.
  for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(cpus);
    const bool read = sched_getaffinity(0, size, set) == 0;
    const int32_t count = read ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (read) return count;
  }
  return static_cast<int32_t>(sysconf(_SC_NPROCESSORS_ONLN));
}

}  // namespace

double cgroup_cpu_quota(const std::string& root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  const std::string mount = root + "/sys/fs/cgroup";
  double smallest = no_limit;
  // A line is hierarchy:controllers:path; version 2 has no controllers.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos || line.compare(second + 1, 1, "/") != 0) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers.empty()) {
      smallest = std::min(smallest, smallest_quota(mount, path, quota_v2));
    } else if (names_cpu(controllers)) {
      smallest = std::min(smallest, smallest_quota(mount + "/cpu", path, quota_v1));
    }
  }
  return smallest;
}

}  // namespace vtb

extern "C" int32_t vtb_cpu_limit(void) {
  const double cpus = std::min<double>(vtb::affinity_cpus(), std::ceil(vtb::cgroup_cpu_quota("")));
  return std::max(1, static_cast<int32_t>(cpus));
}
