// What the tests share: device memory, random data, launches, comparison with a double-precision expectation.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "half.h"
#include "vertebra_cuda_emulator.h"

namespace vtb::test {

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

 private:
  uint64_t state_;
};

// A storage type of kernels: the suffix of their names, and the relative error of rounding to it.
struct DType {
  const char* suffix;
  vtbc_dtype id;
  double rounding;

  int64_t bytes() const { return id == VTBC_F32 ? 4 : 2; }
};

constexpr DType f32 = {"f32", VTBC_F32, 0x1p-24}, f16 = {"f16", VTBC_F16, 0x1p-11}, bf16 = {"bf16", VTBC_BF16, 0x1p-8};
constexpr DType dtypes[] = {f32, f16, bf16};

// A device address, as a number or as a pointer to anything.
struct Address {
  uint64_t value;

  operator uint64_t() const { return value; }
  template <typename T>
  operator T*() const {
    return reinterpret_cast<T*>(value);
  }
};

constexpr Address null = {0};

// A device array of a dtype whose values are also known on the host, as doubles, after rounding to the dtype.
class Array {
 public:
  // All NaN. `offset` elements lie before the array, so that it is aligned to its elements alone.
  Array(const DType& dtype, int64_t count, int64_t offset = 0) : dtype_(dtype), count_(count), offset_(offset) {
    memory_ = vtbe_alloc((offset + count) * dtype.bytes());
    if (!memory_) throw std::bad_alloc();
  }

  Array(const DType& dtype, const std::vector<float>& values, int64_t offset = 0)
      : Array(dtype, static_cast<int64_t>(values.size()), offset) {
    std::vector<unsigned char> bytes(count_ * dtype_.bytes());
    for (int64_t i = 0; i < count_; ++i) write(&bytes[i * dtype_.bytes()], values[i]);
    EXPECT_EQ(vtbe_copy_in(address(), bytes.data(), static_cast<int64_t>(bytes.size())), VTBE_OK) << vtbe_last_error();
    values_ = read();
  }

  // Uniform in [-scale, scale), rounded to the dtype.
  static Array random(const DType& dtype, int64_t count, uint64_t seed, int64_t offset = 0, float scale = 1) {
    Random random(seed);
    std::vector<float> values(count);
    for (float& x : values) x = scale * random.signed_unit();
    return Array(dtype, values, offset);
  }

  Array(Array&& other) noexcept
      : dtype_(other.dtype_),
        count_(other.count_),
        offset_(other.offset_),
        memory_(other.memory_),
        values_(std::move(other.values_)) {
    other.memory_ = 0;
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { EXPECT_EQ(vtbe_free(memory_), VTBE_OK) << vtbe_last_error(); }

  Address address() const { return {memory_ + offset_ * dtype_.bytes()}; }
  int64_t size() const { return count_; }
  double operator[](int64_t i) const { return values_[i]; }

  // What the device holds now.
  std::vector<double> read() const {
    std::vector<unsigned char> bytes(count_ * dtype_.bytes());
    EXPECT_EQ(vtbe_copy_out(bytes.data(), address(), static_cast<int64_t>(bytes.size())), VTBE_OK) << vtbe_last_error();
    std::vector<double> values(count_);
    for (int64_t i = 0; i < count_; ++i) {
      float f;
      __half h;
      __nv_bfloat16 b;
      const unsigned char* from = &bytes[i * dtype_.bytes()];
      switch (dtype_.id) {
        case VTBC_F16: std::memcpy(&h, from, 2), values[i] = __half2float(h); break;
        case VTBC_BF16: std::memcpy(&b, from, 2), values[i] = __bfloat162float(b); break;
        default: std::memcpy(&f, from, 4), values[i] = f;
      }
    }
    return values;
  }

 private:
  void write(unsigned char* to, float value) const {
    const __half h = __float2half_rn(value);
    const __nv_bfloat16 b = __float2bfloat16_rn(value);
    switch (dtype_.id) {
      case VTBC_F16: std::memcpy(to, &h, 2); break;
      case VTBC_BF16: std::memcpy(to, &b, 2); break;
      default: std::memcpy(to, &value, 4);
    }
  }

  DType dtype_;
  int64_t count_, offset_;
  uint64_t memory_;
  std::vector<double> values_;
};

// Indices on the device, and on the host.
class Map {
 public:
  explicit Map(std::vector<int32_t> rows)
      : rows(std::move(rows)), address_(vtbe_alloc(static_cast<int64_t>(this->rows.size()) * 4)) {
    EXPECT_EQ(vtbe_copy_in(address_, this->rows.data(), static_cast<int64_t>(this->rows.size()) * 4), VTBE_OK)
        << vtbe_last_error();
  }
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;
  ~Map() { EXPECT_EQ(vtbe_free(address_), VTBE_OK) << vtbe_last_error(); }

  Address address() const { return {address_}; }

  const std::vector<int32_t> rows;

 private:
  uint64_t address_;
};

struct Dim {
  int32_t x = 1, y = 1, z = 1;
};

// Launches a kernel with its argument struct.
template <typename Args>
vtbe_status launch_on(vtbe_stream* stream, const std::string& name, Dim grid, Dim block, int32_t shared_bytes,
                      const Args& args) {
  const vtbe_kernel* kernel = vtbe_kernel_find(name.c_str());
  if (!kernel) throw std::invalid_argument("no kernel " + name);
  EXPECT_EQ(vtbe_kernel_args_bytes(kernel), static_cast<int32_t>(sizeof(Args))) << name;
  return vtbe_launch(stream, kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes, &args);
}

// The same on a stream of its own, expected to succeed.
template <typename Args>
void launch(const std::string& name, Dim grid, Dim block, const Args& args) {
  vtbe_stream* stream = vtbe_stream_create();
  EXPECT_EQ(launch_on(stream, name, grid, block, 0, args), VTBE_OK) << vtbe_last_error();
  vtbe_stream_destroy(stream);
}

// Launches an operation as its vtbc_<op>_launch says, but for another grid or block where one is given: any is right.
// Returns the kernels' names.
template <typename Args>
std::vector<std::string> run(int32_t (*launch)(Args*, vtbc_dtype, vtbc_launch*), Args args, const DType& dtype,
                             int32_t grid = 0, Dim block = {0, 0}) {
  vtbc_launch launches[VTBC_MOST_LAUNCHES];
  const int32_t count = launch(&args, dtype.id, launches);
  vtbe_stream* stream = vtbe_stream_create();
  std::vector<std::string> names;
  for (int32_t i = 0; i < count; ++i) {
    const vtbc_launch& l = launches[i];
    const auto shared = static_cast<int32_t>(l.shared_bytes);
    EXPECT_EQ(vtbe_kernel_allow_shared(vtbe_kernel_find(l.kernel), shared), VTBE_OK) << vtbe_last_error();
    EXPECT_EQ(launch_on(stream, l.kernel, {grid ? grid : static_cast<int32_t>(l.grid)},
                        block.x ? block : Dim{l.block_x, l.block_y}, shared, args),
              VTBE_OK)
        << vtbe_last_error();
    names.push_back(l.kernel);
  }
  vtbe_stream_destroy(stream);
  return names;
}

// The largest |actual - expected| / (1 + |expected|); NaN where a value of either side is NaN or infinite, so that no
// comparison with a tolerance passes.
inline double difference(const std::vector<double>& actual, const std::vector<double>& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = std::fabs(actual[i] - expected[i]) / (1 + std::fabs(expected[i]));
    if (!std::isfinite(d)) return std::numeric_limits<double>::quiet_NaN();
    if (d > largest) largest = d;
  }
  return largest;
}

// The activation functions by their numbers, in double precision.
inline double activate(double x, int32_t activation) {
  switch (activation) {
    case 1: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case 2: return x > 0 ? x : 0;
    case 3: return x / (1 + std::exp(-x));
    case 4: return 1 / (1 + std::exp(-x));
    case 5: return std::tanh(x);
    default: return x;
  }
}

constexpr int32_t activation_count = 6;

}  // namespace vtb::test
