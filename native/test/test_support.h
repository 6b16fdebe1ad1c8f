// What the tests share: guarded buffers, random data, comparison with a double-precision expectation.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "vertebra.h"

namespace vtb::test {

// Which end of a buffer touches memory that faults.
enum class Edge { back, front };

constexpr Edge both_edges[] = {Edge::back, Edge::front};

// `count` elements flush against a page that cannot be read or written, at their back (aligned to the element only) or
// at their front (aligned to a page). Every byte starts as 0xff: a float is NaN, an integer -1.
template <typename T>
class Guarded {
 public:
  explicit Guarded(int64_t count, Edge edge = Edge::back) : count_(count) {
    const int64_t page = sysconf(_SC_PAGESIZE), bytes = count * static_cast<int64_t>(sizeof(T));
    const int64_t inner = (bytes + page - 1) / page * page;
    mapped_bytes_ = inner + 2 * page;
    mapping_ = static_cast<char*>(mmap(nullptr, mapped_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (mapping_ == MAP_FAILED) throw std::bad_alloc();
    if (inner > 0 && mprotect(mapping_ + page, inner, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    data_ = reinterpret_cast<T*>(mapping_ + page + (edge == Edge::back ? inner - bytes : 0));
    if (inner > 0) std::memset(mapping_ + page, 0xff, inner);
  }
  Guarded(Guarded&& other) noexcept
      : mapping_(other.mapping_), mapped_bytes_(other.mapped_bytes_), data_(other.data_), count_(other.count_) {
    other.mapping_ = nullptr;
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() {
    if (mapping_) munmap(mapping_, mapped_bytes_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + count_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + count_; }

 private:
  char* mapping_;
  int64_t mapped_bytes_;
  T* data_;
  int64_t count_;
};

// Deterministic numbers (splitmix64: G. Steele et al., "Fast splittable pseudorandom number generators", 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Uniform in [-1, 1), zero mean.
  float signed_unit() { return static_cast<float>(static_cast<int64_t>(next() >> 40) - (1 << 23)) * 0x1p-23f; }

  // Uniform in [0, bound).
  int32_t below(int32_t bound) { return static_cast<int32_t>(next() % static_cast<uint64_t>(bound)); }

  // Uniform in [least, most].
  int32_t between(int32_t least, int32_t most) { return least + below(most - least + 1); }

  bool coin() { return below(2) == 1; }
  Edge edge() { return coin() ? Edge::back : Edge::front; }

 private:
  uint64_t state_;
};

inline int64_t setting(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoll(text) : otherwise;
}

// Hands a check 200 sources of random arguments, or, for a longer search, VERTEBRA_CASES of them from VERTEBRA_SEED on.
// A failure names the seed that repeats it.
template <typename Check>
void for_random_cases(const Check& check) {
  const int64_t first = setting("VERTEBRA_SEED", 1), cases = setting("VERTEBRA_CASES", 200);
  for (int64_t seed = first; seed < first + cases && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "VERTEBRA_SEED=" << seed << " VERTEBRA_CASES=1");
    Random random(seed);
    check(random);
  }
}

// Uniform in [-scale, scale).
inline Guarded<float> random_floats(int64_t count, uint64_t seed, Edge edge = Edge::back, float scale = 1) {
  Guarded<float> floats(count, edge);
  Random random(seed);
  for (float& x : floats) x = scale * random.signed_unit();
  return floats;
}

// The nearest bf16, of two the even one. Finite numbers.
inline double rounded_to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t remainder = bits & 0xffff;
  bits -= remainder;
  if (remainder > 0x8000 || (remainder == 0x8000 && (bits >> 16) % 2 == 1)) bits += 0x10000;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

struct Difference {
  double relative_l2;  // |actual - expected| / |expected|
  double max_abs;
};

// NaN in both where any value of either side is NaN or infinite, so that no comparison with a tolerance passes.
inline Difference difference(const float* actual, const std::vector<double>& expected) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  double squares = 0, norm = 0, largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(actual[i]) || !std::isfinite(expected[i])) return {nan, nan};
    const double d = std::fabs(actual[i] - expected[i]);
    squares += d * d;
    norm += expected[i] * expected[i];
    if (d > largest) largest = d;
  }
  return {squares == 0 ? 0 : std::sqrt(squares / norm), largest};
}

inline Difference difference(const Guarded<float>& actual, const std::vector<double>& expected) {
  EXPECT_EQ(actual.size(), static_cast<int64_t>(expected.size()));
  return difference(actual.data(), expected);
}

// A pool for the length of a test.
class Pool {
 public:
  explicit Pool(int32_t threads) : pool_(vtb_pool_create(threads)) {
    if (!pool_) throw std::bad_alloc();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { vtb_pool_destroy(pool_); }

  operator vtb_pool*() const { return pool_; }

 private:
  vtb_pool* pool_;
};

}  // namespace vtb::test
