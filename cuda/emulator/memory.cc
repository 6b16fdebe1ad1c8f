#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "block.h"
#include "sanitizer.h"

namespace vtb::emulator {
namespace {

constexpr int64_t zone = 256;
// Of freed allocations that are kept, to tell of their use.
constexpr int64_t most_freed = 1000, most_freed_bytes = 64 << 20;

int64_t mapped(int64_t bytes) { return zone + (bytes + zone - 1) / zone * zone + zone; }

// Bytes behind the data, up to the end of the mapping.
int64_t tail(int64_t bytes) { return mapped(bytes) - zone - bytes; }

char* data(uint64_t address) { return reinterpret_cast<char*>(address); }

}  // namespace

std::string Memory::describe(const Allocation& allocation) {
  return "allocation " + std::to_string(allocation.number) + " of " + std::to_string(allocation.bytes) + " bytes";
}

void Memory::fill_zones(uint64_t address, const Allocation& allocation) {
  fill_canary(data(address) - zone, zone);
  fill_canary(data(address) + allocation.bytes, tail(allocation.bytes));
}

uint64_t Memory::allocate(int64_t bytes) {
  if (bytes <= 0 || bytes > total - used_) return 0;
  void* mapping = std::aligned_alloc(zone, mapped(bytes));
  if (!mapping) return 0;
  const uint64_t address = reinterpret_cast<uint64_t>(mapping) + zone;
  try {
    const Allocation allocation = {static_cast<char*>(mapping), bytes, ++count_, false};
    allocations_[address] = allocation;
    fill_zones(address, allocation);
  } catch (const std::bad_alloc&) {
    std::free(mapping);
    return 0;
  }
  std::memset(data(address), 0xff, bytes);
  poison(mapping, zone);
  poison(data(address) + bytes, tail(bytes));
  used_ += bytes;
  return address;
}

bool Memory::release(uint64_t address) {
  const auto found = allocations_.find(address);
  if (found == allocations_.end() || found->second.freed) return false;
  Allocation& allocation = found->second;
  try {
    freed_[++releases_] = address;
  } catch (const std::bad_alloc&) {
    return false;
  }
  allocation.freed = true;
  used_ -= allocation.bytes;
  fill_canary(data(address), allocation.bytes);
  poison(data(address), allocation.bytes);
  freed_bytes_ += allocation.bytes;
  while (freed_bytes_ > most_freed_bytes || static_cast<int64_t>(freed_.size()) > most_freed) forget_oldest_freed();
  return true;
}

void Memory::forget_oldest_freed() {
  const auto oldest = allocations_.find(freed_.begin()->second);
  unpoison(oldest->second.mapping, mapped(oldest->second.bytes));
  std::free(oldest->second.mapping);
  freed_bytes_ -= oldest->second.bytes;
  freed_.erase(freed_.begin());
  allocations_.erase(oldest);
}

bool Memory::holds(uint64_t address, int64_t bytes, std::string& why) const {
  auto next = allocations_.upper_bound(address);
  if (next != allocations_.begin()) {
    const auto& [start, allocation] = *--next;
    const auto offset = static_cast<int64_t>(address - start);
    if (offset < allocation.bytes && bytes <= allocation.bytes - offset && !allocation.freed) return true;
    if (offset < allocation.bytes + zone) {
      why = std::to_string(bytes) + " bytes at byte " + std::to_string(offset) + " of " + describe(allocation) +
            (allocation.freed ? ", which has been freed" : "");
      return false;
    }
  }
  why = "an address outside of every allocation";
  return false;
}

bool Memory::check_zones(std::string& why) {
  for (const auto& [address, allocation] : allocations_) {
    if (allocation.freed) continue;
    char* const before = data(address) - zone;
    char* const behind = data(address) + allocation.bytes;
    unpoison(before, zone);
    unpoison(behind, tail(allocation.bytes));
    if (!canary_alive(before, zone)) {
      why = "before " + describe(allocation);
    } else if (!canary_alive(behind, tail(allocation.bytes))) {
      why = "behind " + describe(allocation);
    }
    if (!why.empty()) fill_zones(address, allocation);  // reported once
    poison(before, zone);
    poison(behind, tail(allocation.bytes));
    if (!why.empty()) return false;
  }
  return true;
}

Memory::Snapshot Memory::snapshot() const {
  Snapshot now;
  for (const auto& [address, allocation] : allocations_) {
    if (!allocation.freed) now[address].assign(data(address), data(address) + allocation.bytes);
  }
  return now;
}

bool Memory::unchanged(const Snapshot& before, const Range& but_for, std::string& why) const {
  for (const auto& [address, bytes] : before) {
    std::vector<char> now(data(address), data(address) + bytes.size());
    const uint64_t begin = std::max(but_for.address, address);
    const uint64_t end = std::min(but_for.address + but_for.bytes, address + bytes.size());
    if (begin < end) std::memcpy(&now[begin - address], &bytes[begin - address], end - begin);
    if (std::memcmp(now.data(), bytes.data(), bytes.size()) != 0) {
      const auto changed = std::mismatch(now.begin(), now.end(), bytes.begin()).first - now.begin();
      why =
          "outside of what it may write, byte " + std::to_string(changed) + " of " + describe(allocations_.at(address));
      return false;
    }
  }
  return true;
}

}  // namespace vtb::emulator
