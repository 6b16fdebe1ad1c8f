// vtb_gemm and vtb_gemm_pack against double-precision loops.
#include <algorithm>
#include <memory>
#include <numeric>
#include <string>

#include "runtime/kernels.h"
#include "test_support.h"

namespace vtb::test {
namespace {

constexpr double unit = 0x1p-24;  // half an ulp of 1

enum class Residual { none, separate, in_place };
enum class Rows { in_order, permuted, some_dropped };

struct Problem {
  int32_t m, n, k;
  int32_t groups = 0;  // 0: no map
  bool norm = false;
  bool bias = false;
  bool gelu = false;
  Residual residual = Residual::none;
  Rows rows = Rows::in_order;
  int32_t threads = 1;
  Edge edge = Edge::back;
};

std::string describe(const Problem& p) {
  return "m " + std::to_string(p.m) + " n " + std::to_string(p.n) + " k " + std::to_string(p.k) + " groups " +
         std::to_string(p.groups) + " norm " + std::to_string(p.norm) + " bias " + std::to_string(p.bias) + " gelu " +
         std::to_string(p.gelu) + " residual " + std::to_string(static_cast<int>(p.residual)) + " rows " +
         std::to_string(static_cast<int>(p.rows)) + " threads " + std::to_string(p.threads);
}

// The row of the left operand, and for each element the size of the terms whose rounding errors it may carry.
void expected_row(const vtb_gemm_args& args, int32_t row, std::vector<double>& values, std::vector<double>& sizes) {
  const int32_t segment = args.k / args.groups;
  bool padding = false;
  for (int32_t g = 0; g < args.groups; ++g) {
    const int64_t source = args.a_map ? args.a_map[row * args.groups + g] : row;
    padding = args.groups == 1 && source < 0;
    for (int32_t i = 0; i < segment; ++i) values[g * segment + i] = source < 0 ? 0 : args.a[source * segment + i];
  }
  for (int32_t i = 0; i < args.k; ++i) sizes[i] = std::fabs(values[i]);
  if (!args.gamma || padding) return;
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / args.k;
  double variance = 0;
  for (const double x : values) variance += (x - mean) * (x - mean);
  const double inverse = 1 / std::sqrt(variance / args.k + args.eps);
  for (int32_t i = 0; i < args.k; ++i) {
    values[i] = (values[i] - mean) * inverse * args.gamma[i] + args.beta[i];
    sizes[i] = (sizes[i] + std::fabs(mean)) * inverse * std::fabs(args.gamma[i]) + std::fabs(args.beta[i]);
  }
}

// A problem's buffers, all guarded, and its run.
class Trial {
 public:
  explicit Trial(const Problem& problem)
      : p(problem),
        pool(problem.threads),
        a(random_floats(problem.m * static_cast<int64_t>(problem.k) + problem.k, 1, problem.edge)),
        weight(random_floats(static_cast<int64_t>(problem.n) * problem.k, 2, problem.edge)),
        packed(vtb_gemm_packed_bytes(problem.n, problem.k) / sizeof(float), problem.edge),
        gamma(random_floats(problem.k, 3, problem.edge)),
        beta(random_floats(problem.k, 4, problem.edge)),
        bias(random_floats(problem.n, 5, problem.edge)),
        residual(random_floats(static_cast<int64_t>(problem.m) * problem.n, 6, problem.edge)),
        out(static_cast<int64_t>(problem.m) * problem.n, problem.edge),
        a_map(problem.m * static_cast<int64_t>(std::max(problem.groups, 1)), problem.edge),
        out_map(problem.m, problem.edge) {
    Random random(7);
    const int32_t groups = std::max(p.groups, 1);
    // One row in eight, or segment, is padding; sources may repeat.
    for (int32_t& source : a_map) source = random.below(8) == 0 ? -1 : random.below(p.m * groups);
    std::iota(out_map.begin(), out_map.end(), 0);
    for (int32_t i = p.m - 1; i > 0; --i) std::swap(out_map[i], out_map[random.below(i + 1)]);
    if (p.rows == Rows::some_dropped) {
      for (int32_t& row : out_map) row = random.below(3) == 0 ? -1 : row;
    }
    if (p.residual == Residual::in_place) std::copy(residual.begin(), residual.end(), out.begin());
    args = {p.m, p.n, p.k, groups, a.data(), p.groups ? a_map.data() : nullptr, p.norm ? gamma.data() : nullptr,
            p.norm ? beta.data() : nullptr, 1e-5f, p.gelu ? VTB_GELU : VTB_IDENTITY, packed.data(),
            p.bias ? bias.data() : nullptr,
            p.residual == Residual::none ? nullptr : p.residual == Residual::separate ? residual.data() : out.data(),
            p.rows == Rows::in_order ? nullptr : out_map.data(), out.data(), nullptr};
    scratch = std::make_unique<Guarded<char>>(p.threads * vtb_gemm_scratch(&args));
    args.scratch = scratch->data();
    EXPECT_EQ(vtb_gemm_pack(pool, weight.data(), VTB_F32, p.n, p.k, packed.data()), VTB_OK);
    EXPECT_EQ(vtb_gemm(pool, &args), VTB_OK);
  }

  // Each element within the bound of a sum of k rounded products in any order, (k + 1) * unit * the sum of the terms'
  // magnitudes, with an allowance for normalising, bias, activation (4e-7, slope below 1.13) and residual.
  void check() const {
    SCOPED_TRACE(describe(p));
    std::vector<double> values(p.k), sizes(p.k);
    std::vector<bool> written(p.m);
    for (int32_t i = 0; i < p.m; ++i) {
      const int32_t row = args.out_map ? args.out_map[i] : i;
      if (row < 0) continue;
      written[row] = true;
      expected_row(args, i, values, sizes);
      for (int32_t j = 0; j < p.n; ++j) {
        const float* w = &weight[static_cast<int64_t>(j) * p.k];
        double sum = args.bias ? bias[j] : 0, size = std::fabs(sum);
        for (int32_t c = 0; c < p.k; ++c) {
          sum += values[c] * w[c];
          size += sizes[c] * std::fabs(w[c]);
        }
        if (p.gelu) sum *= 0.5 * std::erfc(-sum * std::sqrt(0.5));
        const double added = args.residual ? residual[static_cast<int64_t>(row) * p.n + j] : 0;
        const double bound = (p.k + 16) * unit * 1.13 * size + 8 * unit * (std::fabs(sum) + std::fabs(added));
        const float actual = out[static_cast<int64_t>(row) * p.n + j];
        ASSERT_LE(std::fabs(actual - (sum + added)), bound) << "row " << i << " column " << j;
      }
    }
    for (int32_t row = 0; row < p.m; ++row) {
      for (int32_t j = 0; j < p.n && !written[row]; ++j) {
        const int64_t at = static_cast<int64_t>(row) * p.n + j;
        const bool kept = p.residual == Residual::in_place ? out[at] == residual[at] : std::isnan(out[at]);
        ASSERT_TRUE(kept) << "dropped row " << row << " column " << j;
      }
    }
  }

  const Problem p;
  Pool pool;
  Guarded<float> a, weight, packed, gamma, beta, bias, residual, out;
  Guarded<int32_t> a_map, out_map;
  std::unique_ptr<Guarded<char>> scratch;
  vtb_gemm_args args;
};

void check(const Problem& problem) { Trial(problem).check(); }

TEST(Gemm, ShapesAroundTheTile) {
  const GemmKernel& kernel = kernels().gemm;
  for (const int32_t m : {1, 2, kernel.mr - 1, kernel.mr, kernel.mr + 1, 49, 113}) {
    for (const int32_t n : {1, kernel.nr - 1, kernel.nr, kernel.nr + 1, 67, 3 * kernel.nr}) {
      for (const int32_t k : {1, 2, 3, 5, 16, 31, 96}) {
        for (const Edge edge : both_edges) {
          Problem p = {m, n, k};
          p.bias = true;
          p.edge = edge;
          check(p);
        }
      }
    }
  }
}

TEST(Gemm, EveryRowCountOfATile) {
  for (int32_t m = 1; m <= kernels().gemm.mr; ++m) {
    for (const bool gelu : {false, true}) {
      Problem p = {m, 2 * kernels().gemm.nr, 37};
      p.gelu = gelu;
      p.residual = Residual::in_place;
      check(p);
    }
  }
}

TEST(Gemm, Epilogues) {
  for (const int32_t n : {2 * kernels().gemm.nr, 2 * kernels().gemm.nr + 7}) {
    for (const bool bias : {false, true}) {
      for (const bool gelu : {false, true}) {
        for (const Residual residual : {Residual::none, Residual::separate, Residual::in_place}) {
          for (const Rows rows : {Rows::in_order, Rows::permuted, Rows::some_dropped}) {
            Problem p = {41, n, 29};
            p.bias = bias;
            p.gelu = gelu;
            p.residual = residual;
            p.rows = rows;
            check(p);
          }
        }
      }
    }
  }
}

TEST(Gemm, GatheredAndNormalisedRows) {
  for (const int32_t groups : {0, 1, 2, 4}) {
    for (const bool norm : {false, true}) {
      for (const int32_t segment : {1, 3, 12, 24}) {
        for (const Edge edge : both_edges) {
          Problem p = {53, 40, segment * std::max(groups, 1)};
          p.groups = groups;
          p.norm = norm;
          p.bias = true;
          p.residual = Residual::in_place;
          p.rows = Rows::some_dropped;
          p.edge = edge;
          check(p);
        }
      }
    }
  }
}

// Rows so long that k is split, with all that happens only once to a sum.
TEST(Gemm, LongRows) {
  for (const int32_t k : {1024, 1031, 1536, 3072, 6144}) {
    for (const bool gelu : {false, true}) {
      for (const Residual residual : {Residual::none, Residual::separate, Residual::in_place}) {
        Problem p = {49, 50, k};
        p.norm = k == 3072;
        p.bias = true;
        p.gelu = gelu;
        p.residual = residual;
        p.rows = residual == Residual::in_place ? Rows::some_dropped : Rows::in_order;
        p.threads = 2;
        check(p);
      }
    }
  }
}

// Enough rows and columns for a grid of tasks; the sum of an element does not depend on who computes it.
TEST(Gemm, EveryNumberOfThreadsGivesTheSameBits) {
  for (const int32_t m : {3, 211, 1007}) {
    for (const int32_t n : {96, 331}) {
      Problem p = {m, n, 48};
      p.groups = 4;
      p.norm = true;
      p.bias = true;
      p.rows = Rows::permuted;
      const Trial one(p);
      one.check();
      for (const int32_t threads : {2, 3, 5}) {
        p.threads = threads;
        const Trial many(p);
        EXPECT_EQ(std::memcmp(one.out.data(), many.out.data(), one.out.size() * sizeof(float)), 0) << describe(p);
      }
    }
  }
}

TEST(Gemm, SwinTinyShapes) {
  struct Shape { int32_t m, k, n; };
  for (const Shape s : {Shape{784, 96, 288}, {196, 384, 384}, {49, 768, 1000}, {49, 1536, 768}, {1, 768, 1000}}) {
    Problem p = {s.m, s.n, s.k};
    p.bias = true;
    p.threads = 2;
    check(p);
  }
}

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
    const int32_t k = 1023, n = static_cast<int32_t>(finite.size()) / k, nr = kernels().gemm.nr;
    Guarded<char> weight(int64_t{2} * n * k + 1, Edge::front);
    std::memcpy(weight.data() + 1, finite.data(), int64_t{2} * n * k);
    Guarded<float> packed(vtb_gemm_packed_bytes(n, k) / sizeof(float));
    ASSERT_EQ(vtb_gemm_pack(Pool(2), weight.data() + 1, dtype, n, k, packed.data()), VTB_OK);
    for (int32_t j = 0; j < packed.size() / k; ++j) {
      for (int32_t i = 0; i < k; ++i) {
        const double expected = j < n ? value_of(finite[static_cast<int64_t>(j) * k + i], exponent_bits) : 0;
        const int64_t at = (j / nr * static_cast<int64_t>(k) + i) * nr + j % nr;
        ASSERT_EQ(packed[at], expected) << "channel " << j << " input " << i;
      }
    }
  }
}

TEST(GemmPack, RefusesWhatIsNotFinite) {
  constexpr int32_t n = 71, k = 67;
  const Pool pool(2);
  Guarded<float> packed(vtb_gemm_packed_bytes(n, k) / sizeof(float));
  const auto status = [&](vtb_dtype dtype, int bytes, uint32_t good, uint32_t bad, int64_t at) {
    Guarded<char> weight(int64_t{n} * k * bytes);
    for (int64_t i = 0; i < int64_t{n} * k; ++i) std::memcpy(weight.data() + i * bytes, i == at ? &bad : &good, bytes);
    return vtb_gemm_pack(pool, weight.data(), dtype, n, k, packed.data());
  };
  struct Case { vtb_dtype dtype; int bytes; uint32_t largest, infinity, nan; };
  for (const Case& c : {Case{VTB_F32, 4, 0x7f7fffff, 0x7f800000, 0x7fc00000}, {VTB_F16, 2, 0x7bff, 0x7c00, 0x7e00},
                        {VTB_BF16, 2, 0x7f7f, 0x7f80, 0x7fc0}}) {
    EXPECT_EQ(status(c.dtype, c.bytes, c.largest, 0, -1), VTB_OK);
    for (const int64_t at : {0, 2500, n * k - 1}) {
      for (const uint32_t bad : {c.infinity, c.nan, c.infinity | 1u << (8 * c.bytes - 1), c.infinity | 1u}) {
        EXPECT_EQ(status(c.dtype, c.bytes, c.largest, bad, at), VTB_NOT_FINITE) << c.dtype << " " << bad << " " << at;
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
