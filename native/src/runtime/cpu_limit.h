// How many CPUs a container leaves to this process.
#pragma once

#include <string>

namespace vtb {

// The smallest CPU quota of this process's cgroup and the groups above it, in CPUs; infinity where there is none.
// Reads <root>/proc/self/cgroup, and cpu.max (v2) or cpu.cfs_quota_us (v1) below <root>/sys/fs/cgroup.
double cgroup_cpu_quota(const std::string& root);

}  // namespace vtb
