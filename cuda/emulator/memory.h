// The device's memory: allocations between red zones.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vtb::emulator {

struct Range {
  uint64_t address;
  int64_t bytes;
};

class Memory {
 public:
  // What all live allocations hold, by address.
  using Snapshot = std::map<uint64_t, std::vector<char>>;

  // 0 when the device has not so much left, or the host.
  uint64_t allocate(int64_t bytes);

  // False when there is no such allocation, or the host is out of memory.
  bool release(uint64_t address);

  // Whether `bytes` bytes from `address` lie in one live allocation; `why` else says what is there.
  bool holds(uint64_t address, int64_t bytes, std::string& why) const;

  // Whether no one has written beside a live allocation since the last call; `why` names it.
  bool check_zones(std::string& why);

  Snapshot snapshot() const;

  // Whether memory is as it was but for this range; `why` names the first byte that is not.
  bool unchanged(const Snapshot& before, const Range& but_for, std::string& why) const;

  int64_t total = int64_t{8} << 30;
  int64_t used() const { return used_; }

 private:
  struct Allocation {
    char* mapping;
    int64_t bytes;
    int64_t number;
    bool freed;
  };

  static std::string describe(const Allocation& allocation);
  void fill_zones(uint64_t address, const Allocation& allocation);
  void forget_oldest_freed();

  std::map<uint64_t, Allocation> allocations_;  // by address
  std::map<int64_t, uint64_t> freed_;  // addresses of freed ones, which are kept for a while, by order of release
  int64_t used_ = 0, freed_bytes_ = 0, count_ = 0, releases_ = 0;
};

}  // namespace vtb::emulator
