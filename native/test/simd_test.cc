// The vector vocabulary and the elementary functions at the level in use.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "simd_probe.h"
#include "test_support.h"

namespace vtb::test {

const SimdProbe& simd() {
  switch (vtb_isa_level()) {
    case VTB_ISA_GENERIC: return simd_generic;
    case VTB_ISA_AVX2: return simd_avx2;
    case VTB_ISA_AVX512: return simd_avx512;
    case VTB_ISA_AVX512_VNNI: return simd_avx512_vnni;
    default: return simd_avx512_bf16;
  }
}

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

TEST(Simd, EveryOperationOfTheVocabulary) {
  const int width = simd().width;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    auto a = random_floats(width, seed, Edge::back, 30), b = random_floats(width, seed + 1000, Edge::back, 30);
    auto c = random_floats(width, seed + 2000, Edge::back, 30);
    a[seed % width] = b[seed % width];
    a[(seed + 1) % width] = 2.5f;
    Guarded<int32_t> integers(width);
    Random random(seed);
    for (int32_t& i : integers) i = random.below(1 << 25) - (1 << 24);
    VocabularyResults r;
    simd().vocabulary(a.data(), b.data(), c.data(), integers.data(), &r);
    double sum = 0, magnitudes = 0;
    for (int i = 0; i < width; ++i) {
      EXPECT_EQ(r.add[i], a[i] + b[i]);
      EXPECT_EQ(r.subtract[i], a[i] - b[i]);
      EXPECT_EQ(r.multiply[i], a[i] * b[i]);
      EXPECT_EQ(r.divide[i], a[i] / b[i]);
      const double product = static_cast<double>(a[i]) * b[i];
      EXPECT_NEAR(r.fma[i], product + c[i], (std::fabs(product) + std::fabs(c[i])) * 0x1p-23);
      EXPECT_EQ(r.max[i], std::max(a[i], b[i]));
      EXPECT_EQ(r.min[i], std::min(a[i], b[i]));
      EXPECT_EQ(r.abs[i], std::fabs(a[i]));
      EXPECT_EQ(r.round[i], std::nearbyint(a[i]));
      EXPECT_EQ(r.scale[i], std::ldexp(a[i], static_cast<int>(std::nearbyint(b[i]))));
      EXPECT_EQ(r.less[i], a[i] < b[i] ? a[i] : c[i]);
      EXPECT_EQ(r.equal[i], a[i] == b[i] ? a[i] : c[i]);
      EXPECT_EQ(r.integers[i], static_cast<float>(integers[i]));
      sum += a[i];
      magnitudes += std::fabs(a[i]);
    }
    EXPECT_NEAR(r.sum, sum, magnitudes * 0x1p-22);
    EXPECT_EQ(r.largest, *std::max_element(a.begin(), a.end()));
  }
}

TEST(Simd, ExactProductSurvivesCancellation) {
  const int width = simd().width;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const auto a = random_floats(width, seed), b = random_floats(width, seed + 5000);
    Guarded<float> c(width);
    for (int i = 0; i < width; ++i) c[i] = -(a[i] * b[i]);
    Guarded<int32_t> integers(width);
    VocabularyResults r;
    simd().vocabulary(a.data(), b.data(), c.data(), integers.data(), &r);
    for (int i = 0; i < width; ++i) {
      const double exact = static_cast<double>(a[i]) * b[i] + c[i];
      EXPECT_NEAR(r.fma_exact_product[i], exact, std::fabs(a[i] * b[i]) * 0x1p-34);
    }
  }
}

TEST(Simd, MaxAndMinReturnTheirSecondOperandForNaN) {
  const int width = simd().width;
  Guarded<float> a(width), b(width);
  for (int i = 0; i < width; ++i) {
    a[i] = i % 2 ? nan : 1;
    b[i] = i % 2 ? 1 : nan;
  }
  Guarded<int32_t> integers(width);
  VocabularyResults r;
  simd().vocabulary(a.data(), b.data(), b.data(), integers.data(), &r);
  for (int i = 0; i < width; ++i) {
    EXPECT_EQ(std::isnan(r.max[i]), i % 2 == 0);
    EXPECT_EQ(std::isnan(r.min[i]), i % 2 == 0);
  }
}

TEST(Simd, PartialLoadsAndStoresStayInside) {
  for (Edge edge : both_edges) {
    for (int n = 0; n < simd().width; ++n) {
      const auto in = random_floats(n, n + 1, edge), full = random_floats(simd().width, n + 7, edge);
      Guarded<float> out(n, edge), converted(n, edge), kept(simd().width, edge);
      Guarded<int32_t> integers(n, edge);
      for (int i = 0; i < n; ++i) integers[i] = 3 - 2 * i;
      simd().copy_partial(in.data(), n, out.data());
      simd().convert_partial(integers.data(), n, converted.data());
      simd().keep_first_lanes(full.data(), n, kept.data());
      for (int i = 0; i < n; ++i) {
        EXPECT_EQ(out[i], in[i]);
        EXPECT_EQ(converted[i], static_cast<float>(integers[i]));
      }
      for (int i = 0; i < simd().width; ++i) EXPECT_EQ(kept[i], i < n ? full[i] : -1);
    }
  }
}

TEST(Simd, QuantisesToTheNearestInteger) {
  const int width = simd().width;
  Random random(1);
  for (int turn = 0; turn < 200; ++turn) {
    const int n = turn % width + 1;
    Guarded<float> in(width);
    for (float& x : in) x = turn % 2 ? 127 * random.signed_unit() : static_cast<float>(random.below(509) - 254) / 2;
    Guarded<uint8_t> out(n);
    simd().quantise(in.data(), n, out.data());
    for (int i = 0; i < n; ++i) ASSERT_EQ(out[i], std::nearbyint(in[i]) + 128) << in[i];
  }
}

TEST(Simd, DotProductsOfBytesAreExact) {
  const int width = simd().width;
  Random random(1);
  for (int turn = 0; turn < 200; ++turn) {
    Guarded<uint8_t> a(4 * width);
    Guarded<int8_t> b(4 * width);
    Guarded<int32_t> sums(width);
    Guarded<float> converted(width);
    std::vector<int32_t> expected(width);
    for (uint8_t& x : a) x = turn % 4 == 0 ? 255 : static_cast<uint8_t>(random.below(256));
    for (int8_t& x : b) x = static_cast<int8_t>(turn % 4 == 0 ? 127 : turn % 4 == 1 ? -127 : random.below(255) - 127);
    for (int i = 0; i < width; ++i) {
      uint32_t sum = static_cast<uint32_t>(random.next());
      sums[i] = static_cast<int32_t>(sum);
      for (int j = 4 * i; j < 4 * i + 4; ++j) sum += static_cast<uint32_t>(a[j] * b[j]);
      expected[i] = static_cast<int32_t>(sum);
    }
    simd().dot_bytes(a.data(), b.data(), sums.data(), converted.data());
    for (int i = 0; i < width; ++i) {
      ASSERT_EQ(sums[i], expected[i]);
      ASSERT_EQ(converted[i], static_cast<float>(expected[i]));
    }
  }
}

// The nearest bf16; of two, the even one. Subnormal numbers may count as zero.
TEST(Simd, RoundsToBf16) {
  std::vector<uint32_t> patterns;
  for (uint32_t high = 0; high < 0x10000; ++high) {
    for (const uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) patterns.push_back(high << 16 | low);
  }
  const int width = simd().width;
  for (size_t i = 0; i < patterns.size(); i += width) {
    const int n = static_cast<int>(std::min<size_t>(i / width % 3 == 0 ? i % (width + 1) : width, patterns.size() - i));
    Guarded<float> in(width);
    std::memcpy(in.data(), &patterns[i], 4 * std::min<size_t>(width, patterns.size() - i));
    Guarded<uint16_t> out(n);
    simd().round_to_bf16(in.data(), n, out.data());
    for (int lane = 0; lane < n; ++lane) {
      const uint32_t bits = patterns[i + lane], low = bits & 0xffff;
      const uint16_t high = static_cast<uint16_t>(bits >> 16), up = low > 0x8000 || (low == 0x8000 && high % 2 == 1);
      if (std::isnan(in[lane])) {
        EXPECT_TRUE((out[lane] & 0x7f80) == 0x7f80 && (out[lane] & 0x7f) != 0) << bits;
      } else if (std::fabs(in[lane]) >= 0x1p-126f) {
        EXPECT_EQ(out[lane], high + up) << bits;
      } else {
        EXPECT_TRUE(out[lane] == high + up || (out[lane] & 0x7fff) == 0) << bits;
      }
    }
  }
}

TEST(Simd, SplitsPairsOfBf16) {
  const int width = simd().width;
  const auto in = random_floats(width, 1);
  Guarded<float> lower(width), upper(width);
  simd().split_pairs(in.data(), lower.data(), upper.data());
  for (int i = 0; i < width; ++i) {
    uint32_t bits, low, high;
    std::memcpy(&bits, &in[i], sizeof bits);
    std::memcpy(&low, &lower[i], sizeof low);
    std::memcpy(&high, &upper[i], sizeof high);
    EXPECT_EQ(low, bits << 16);
    EXPECT_EQ(high, bits & 0xffff0000);
  }
}

// In units of the last place of the exact value's float.
double ulps(float actual, double exact) {
  const int exponent = std::max(-126, std::ilogb(exact));
  return std::fabs(actual - exact) / std::ldexp(1.0, exponent - 23);
}

// Floats of every sign and exponent, some mantissas of each, and a dense range.
std::vector<float> sweep(float low, float high, int64_t dense) {
  std::vector<float> values;
  Random random(11);
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (int i = 0; i < 64; ++i) {
      const uint32_t bits = (exponent << 23) | (random.next() & 0x7fffff);
      float value;
      std::memcpy(&value, &bits, sizeof value);
      values.push_back(value);
      values.push_back(-value);
    }
  }
  for (int64_t i = 0; i < dense; ++i) {
    values.push_back(low + (high - low) * (static_cast<float>(i) + random.signed_unit()) / static_cast<float>(dense));
  }
  for (float special : {0.0f, -0.0f, 0x1p-149f, -0x1p-149f, infinity, -infinity, nan}) values.push_back(special);
  while (values.size() % 16 != 0) values.push_back(1);
  return values;
}

TEST(SimdMath, Exp) {
  const std::vector<float> x = sweep(-100, 90, 1 << 20);
  std::vector<float> y(x.size());
  simd().exp(x.data(), static_cast<int64_t>(x.size()), y.data());
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      ASSERT_TRUE(std::isnan(y[i]));
    } else if (x[i] < -87.3f) {
      ASSERT_GE(y[i], 0) << x[i];
      ASSERT_LE(y[i], std::exp(-87.3)) << x[i];
      if (x[i] <= -110) {
        ASSERT_EQ(y[i], 0) << x[i];
      }
    } else if (x[i] > 88.3f) {
      ASSERT_LE(ulps(y[i], std::exp(static_cast<double>(88.3f))), 2) << x[i];
    } else {
      worst = std::max(worst, ulps(y[i], std::exp(static_cast<double>(x[i]))));
      ASSERT_FALSE(std::isnan(y[i])) << x[i];
    }
  }
  RecordProperty("worst_ulps", std::to_string(worst));
  EXPECT_LE(worst, 2);
}

TEST(SimdMath, FastExp) {
  const std::vector<float> x = sweep(-90, 88, 1 << 20);
  std::vector<float> y(x.size());
  simd().fast_exp(x.data(), static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      ASSERT_TRUE(std::isnan(y[i]));
    } else if (x[i] < -87.7f) {
      ASSERT_EQ(y[i], 0) << x[i];
    } else if (x[i] < -87.3f) {
      ASSERT_NEAR(y[i], 0, 0x1p-125) << x[i];
    } else if (x[i] <= 88) {
      const double exact = std::exp(static_cast<double>(x[i]));
      ASSERT_NEAR(y[i], exact, (3e-7 + 8e-8 * std::fabs(x[i])) * exact) << x[i];
    }
  }
}

double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// An activation, the bound of its relative error, the argument from which on it holds, and the one up to which the
// activation has vanished. In between the result nears the subnormal numbers.
struct ActivationCase {
  vtb_activation activation;
  const char* name;
  double (*exact)(double x);
  double bound;
  float low, vanished;
};

const ActivationCase activation_cases[] = {
    {VTB_GELU, "gelu", [](double x) { return x * normal_distribution(x); }, 5e-7, -13, -16},
    {VTB_SILU, "silu", [](double x) { return x * logistic(x); }, 3e-7, -87.3f, -infinity},
    {VTB_SIGMOID, "sigmoid", logistic, 3e-7, -87.3f, -infinity},
    {VTB_TANH, "tanh", [](double x) { return std::tanh(x); }, 3e-7, -infinity, -infinity},
};

TEST(SimdMath, Activations) {
  const std::vector<float> x = sweep(-90, 90, 1 << 20), middle = sweep(-14, 14, 1 << 20);
  for (const ActivationCase& c : activation_cases) {
    SCOPED_TRACE(c.name);
    double worst = 0;
    for (const std::vector<float>& in : {x, middle}) {
      std::vector<float> out(in.size());
      simd().activate(c.activation, in.data(), static_cast<int64_t>(in.size()), out.data());
      for (size_t i = 0; i < in.size(); ++i) {
        if (std::isnan(in[i])) {
          ASSERT_TRUE(std::isnan(out[i]));
        } else if (in[i] == infinity) {
          ASSERT_EQ(out[i], c.exact(100) == 1 ? 1 : infinity);
        } else if (in[i] < c.low) {
          ASSERT_LE(std::fabs(out[i]), 2e-36) << in[i];
          if (in[i] <= c.vanished && c.vanished > -infinity) {
            ASSERT_EQ(out[i], 0) << in[i];
          }
        } else {
          ASSERT_FALSE(std::isnan(out[i])) << in[i];
          const double exact = c.exact(in[i]);
          // Half a subnormal step is the best there is for results below the normal numbers.
          if (std::fabs(exact) >= 0x1p-125) worst = std::max(worst, std::fabs(out[i] - exact) / std::fabs(exact));
          ASSERT_NEAR(out[i], exact, std::max(c.bound * std::fabs(exact), 0x1p-148)) << in[i];
        }
      }
    }
    RecordProperty(c.name, std::to_string(worst * 1e7) + "e-7");
    EXPECT_LE(worst, c.bound);
  }
}

// x * share(x), finite results within bound * |x|, and what it is at the ends.
void check_fast(void (*activate)(const float* in, int64_t count, float* out), double (*share)(double x), float limit,
                double bound) {
  const std::vector<float> x = sweep(-limit, limit, 1 << 20);
  std::vector<float> y(x.size());
  activate(x.data(), static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      ASSERT_TRUE(std::isnan(y[i]));
    } else if (x[i] == infinity) {
      ASSERT_EQ(y[i], infinity);
    } else if (x[i] == -infinity) {
      ASSERT_NEAR(y[i], 0, 1e-6);
    } else {
      ASSERT_NEAR(y[i], x[i] * share(x[i]), std::max(bound * std::fabs(x[i]), 0x1p-148)) << x[i];
    }
  }
}

TEST(SimdMath, FastGelu) { check_fast(simd().fast_gelu, normal_distribution, 8, 0x1p-22); }

TEST(SimdMath, FastSilu) {
  check_fast(simd().fast_silu, logistic, 8, 0x1p-22);
  check_fast(simd().fast_silu, logistic, 100, 0x1p-22);
}

TEST(SimdMath, GeluForBf16) { check_fast(simd().gelu_for_bf16, normal_distribution, 8, 0x1p-12); }

TEST(SimdMath, ReluAndIdentityAreExact) {
  const std::vector<float> x = sweep(-14, 14, 1 << 10);
  std::vector<float> relu(x.size()), identity(x.size());
  simd().activate(VTB_RELU, x.data(), static_cast<int64_t>(x.size()), relu.data());
  simd().activate(VTB_IDENTITY, x.data(), static_cast<int64_t>(x.size()), identity.data());
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::isnan(relu[i]), std::isnan(x[i]));
    ASSERT_EQ(std::isnan(identity[i]), std::isnan(x[i]));
    if (std::isnan(x[i])) continue;
    ASSERT_EQ(relu[i], x[i] > 0 ? x[i] : 0);
    ASSERT_EQ(identity[i], x[i]);
  }
}

}  // namespace
}  // namespace vtb::test
