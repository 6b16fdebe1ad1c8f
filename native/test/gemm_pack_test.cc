// vtb_gemm_pack: values, layout and refusals.
#include <algorithm>
#include <vector>

#include "gemm_tiles_probe.h"
#include "test_support.h"

namespace vtb::test {
namespace {

double value_of(uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits & 0x7fff) >> mantissa_bits, mantissa = bits & ((1 << mantissa_bits) - 1);
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                                         : std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

// Every finite 16-bit number, from an odd address: exact, in the layout that gemm.h states, and zero beyond n.
TEST(GemmPack, SixteenBitWeights) {
  for (const vtb_dtype dtype : {VTB_F16, VTB_BF16}) {
    const int exponent_bits = dtype == VTB_F16 ? 5 : 8;
    const uint16_t infinity = static_cast<uint16_t>(((1 << exponent_bits) - 1) << (15 - exponent_bits));
    std::vector<uint16_t> finite;
    for (int32_t bits = 0; bits < 0x10000; ++bits) {
      if ((bits & infinity) != infinity) finite.push_back(static_cast<uint16_t>(bits));
    }
    const int32_t k = 1023, n = static_cast<int32_t>(finite.size()) / k, nr = gemm_kernel(VTB_F32, k).nr;
    Guarded<char> weight(int64_t{2} * n * k + 1, Edge::front);
    std::memcpy(weight.data() + 1, finite.data(), int64_t{2} * n * k);
    Guarded<float> packed(vtb_gemm_packed_bytes(VTB_F32, n, k) / sizeof(float));
    ASSERT_EQ(vtb_gemm_pack(Pool(2), weight.data() + 1, dtype, VTB_F32, n, k, packed.data()), VTB_OK);
    for (int32_t j = 0; j < packed.size() / k; ++j) {
      for (int32_t i = 0; i < k; ++i) {
        const double expected = j < n ? value_of(finite[static_cast<int64_t>(j) * k + i], exponent_bits) : 0;
        const int64_t at = (j / nr * static_cast<int64_t>(k) + i) * nr + j % nr;
        ASSERT_EQ(packed[at], expected) << "channel " << j << " input " << i;
      }
    }
  }
}

// Words of two bf16, the first in the lower half, rounded as the plain rule says, zeros beyond k and n; halves
// included.
TEST(GemmPack, RoundsToBf16) {
  const int32_t n = 45, k = 77;
  auto weight = random_floats(n * k, 1);
  for (int64_t i = 0; i < n * k; i += 3) {
    uint32_t bits;
    std::memcpy(&bits, &weight[i], sizeof bits);
    bits = (bits & 0xffff0000) | 0x8000;
    std::memcpy(&weight[i], &bits, sizeof bits);
  }
  for (const GemmKernel* kernel : {&gemm_kernel(VTB_BF16, k), &gemm_emulated_tiles_bf16}) {
    const int32_t nr = kernel->nr, words = words_of(*kernel, k);
    Guarded<uint16_t> packed(gemm_packed_bytes(*kernel, n, k) / sizeof(uint16_t));
    ASSERT_EQ(gemm_pack(*kernel, Pool(2), weight.data(), VTB_F32, n, k, packed.data()), VTB_OK);
    for (int64_t j = 0; j < packed.size() / (2 * words); ++j) {
      for (int32_t i = 0; i < 2 * words; ++i) {
        const double expected = j < n && i < k ? rounded_to_bf16(weight[j * k + i]) : 0;
        const int64_t at = ((j / nr * words + i / 2) * nr + j % nr) * 2 + i % 2;
        ASSERT_EQ(value_of(packed[at], 8), expected) << "channel " << j << " input " << i;
      }
    }
  }
}

// Words of four bytes, the first in the lowest bits, behind what sums start as and the scale of every channel; the same
// of all types of weights.
TEST(GemmPack, RoundsToInt8) {
  const int32_t n = 45, k = 77;
  auto weight = random_floats(n * k, 1);
  for (float& w : weight) w = static_cast<float>(rounded_to_bf16(w));
  for (int32_t i = 0; i < k; ++i) weight[3 * k + i] = 0;
  std::vector<uint16_t> halves(n * k);
  for (int64_t i = 0; i < n * k; ++i) {
    uint32_t bits;
    std::memcpy(&bits, &weight[i], sizeof bits);
    halves[i] = static_cast<uint16_t>(bits >> 16);
  }
  const GemmKernel& kernel = gemm_kernel(VTB_INT8, k);
  const int32_t nr = kernel.nr, words = words_of(kernel, k);
  ASSERT_EQ(words, kernel.word_multiple == 1 ? 20 : 32);  // 77 bytes, filled up
  Guarded<int32_t> packed(gemm_packed_bytes(kernel, n, k) / sizeof(int32_t)), again(packed.size());
  ASSERT_EQ(gemm_pack(kernel, Pool(2), weight.data(), VTB_F32, n, k, packed.data()), VTB_OK);
  ASSERT_EQ(gemm_pack(kernel, Pool(2), halves.data(), VTB_BF16, n, k, again.data()), VTB_OK);
  ASSERT_EQ(std::memcmp(packed.data(), again.data(), packed.size() * sizeof(int32_t)), 0);
  for (int32_t j = 0; j < packed.size() / (words + 2); ++j) {
    const int32_t* panel = &packed[j / nr * (words + 2) * nr];
    float scale, largest = 0x1p-100f;
    std::memcpy(&scale, panel + nr + j % nr, sizeof scale);
    for (int32_t i = 0; i < k && j < n; ++i) largest = std::max(largest, std::fabs(weight[j * k + i]));
    EXPECT_EQ(scale, largest / 127);
    int32_t sum = 0;
    for (int32_t i = 0; i < 4 * words; ++i) {
      const float w = j < n && i < k ? weight[j * k + i] : 0;
      const int32_t word = panel[(2 + i / 4) * nr + j % nr];
      const int32_t byte = static_cast<int8_t>(static_cast<uint32_t>(word) >> (8 * (i % 4)));
      ASSERT_EQ(byte, std::nearbyint(w * (1 / scale))) << "channel " << j << " input " << i;
      sum += byte;
    }
    EXPECT_EQ(panel[j % nr], -128 * sum);
  }
}

TEST(GemmPack, RefusesWhatIsNotFinite) {
  constexpr int32_t n = 71, k = 67;
  const Pool pool(2);
  Guarded<float> packed(vtb_gemm_packed_bytes(VTB_F32, n, k) / sizeof(float));
  const auto status = [&](vtb_dtype arithmetic, vtb_dtype dtype, int bytes, uint32_t good, uint32_t bad, int64_t at) {
    Guarded<char> weight(int64_t{n} * k * bytes);
    for (int64_t i = 0; i < int64_t{n} * k; ++i) std::memcpy(weight.data() + i * bytes, i == at ? &bad : &good, bytes);
    return vtb_gemm_pack(pool, weight.data(), dtype, arithmetic, n, k, packed.data());
  };
  struct Case {
    vtb_dtype dtype;
    int bytes;
    uint32_t largest, infinity, nan;
  };
  for (const Case& c : {Case{VTB_F32, 4, 0x7f7fffff, 0x7f800000, 0x7fc00000},
                        {VTB_F16, 2, 0x7bff, 0x7c00, 0x7e00},
                        {VTB_BF16, 2, 0x7f7f, 0x7f80, 0x7fc0}}) {
    for (const vtb_dtype arithmetic : {VTB_F32, VTB_INT8}) {
      EXPECT_EQ(status(arithmetic, c.dtype, c.bytes, c.largest, 0, -1), VTB_OK);
      for (const int64_t at : {0, 2500, n * k - 1}) {
        for (const uint32_t bad : {c.infinity, c.nan, c.infinity | 1u << (8 * c.bytes - 1), c.infinity | 1u}) {
          EXPECT_EQ(status(arithmetic, c.dtype, c.bytes, c.largest, bad, at), VTB_NOT_FINITE)
              << arithmetic << " " << c.dtype << " " << bad << " " << at;
        }
      }
    }
  }
  std::vector<float> large(VTB_SHORTEST_ROUNDED, 0x1.fep127f);
  EXPECT_EQ(vtb_gemm_pack(pool, large.data(), VTB_F32, VTB_BF16, 1, VTB_SHORTEST_ROUNDED, packed.data()), VTB_OK);
  large[7] = 0x1.ffp127f;  // halfway to the next bf16, which would be infinite
  EXPECT_EQ(vtb_gemm_pack(pool, large.data(), VTB_F32, VTB_BF16, 1, VTB_SHORTEST_ROUNDED, packed.data()),
            VTB_NOT_FINITE);
}

}  // namespace
}  // namespace vtb::test
