// The GEMM kernels against double-precision loops.
#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <string>

#include "gemm_tiles_probe.h"
#include "test_support.h"

namespace vtb::test {
namespace {

constexpr double unit = 0x1p-24;  // half an ulp of 1

enum class Residual { none, separate, in_place, mapped };
enum class Rows { in_order, permuted, some_dropped };

struct Problem {
  const GemmKernel* kernel;
  int32_t m, n, k;
  int32_t groups = 0;  // 0: no map
  bool norm = false;
  bool bias = false;
  vtb_activation activation = VTB_IDENTITY;
  bool activation_last = false;
  bool gate = false;
  Residual residual = Residual::none;
  Rows rows = Rows::in_order;
  int32_t threads = 1;
  Edge edge = Edge::back;
  std::function<int32_t(int32_t row, int32_t group)> map = nullptr;  // null: random, with groups
};

std::string describe(const Problem& p) {
  return std::string(p.kernel->name) + " m " + std::to_string(p.m) + " n " + std::to_string(p.n) + " k " +
         std::to_string(p.k) + " groups " + std::to_string(p.groups) + " norm " + std::to_string(p.norm) + " bias " +
         std::to_string(p.bias) + " activation " + std::to_string(p.activation) + " last " +
         std::to_string(p.activation_last) + " gate " + std::to_string(p.gate) + " residual " +
         std::to_string(static_cast<int>(p.residual)) + " rows " + std::to_string(static_cast<int>(p.rows)) +
         " threads " + std::to_string(p.threads);
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

double activated(vtb_activation activation, double x) {
  switch (activation) {
    case VTB_GELU: return x * 0.5 * std::erfc(-x * std::sqrt(0.5));
    case VTB_RELU: return x > 0 ? x : 0;
    case VTB_SILU: return x / (1 + std::exp(-x));
    case VTB_SIGMOID: return 1 / (1 + std::exp(-x));
    case VTB_TANH: return std::tanh(x);
    default: return x;
  }
}

// A row of either operand as the product's arithmetic rounds it.
void round_row(const GemmKernel& kernel, double* row, int32_t k) {
  double scale = 0;
  if (has_scales(kernel)) {
    float largest = int8_smallest;
    for (int32_t c = 0; c < k; ++c) largest = std::max(largest, static_cast<float>(std::fabs(row[c])));
    scale = largest / 127;
  }
  for (int32_t c = 0; c < k; ++c) {
    const float x = static_cast<float>(row[c]);
    if (kernel.k_per_word == 2) row[c] = rounded_to_bf16(x);
    if (has_scales(kernel)) row[c] = scale * std::nearbyint(x * (1 / static_cast<float>(scale)));
  }
}

// A problem's buffers, all guarded, and its run.
class Trial {
 public:
  explicit Trial(const Problem& problem)
      : p(problem),
        pool(problem.threads),
        a(random_floats(problem.m * static_cast<int64_t>(problem.k), 1, problem.edge)),
        weight(random_floats(static_cast<int64_t>(problem.n) * problem.k, 2, problem.edge)),
        packed(gemm_packed_bytes(*problem.kernel, problem.n, problem.k) / sizeof(float), problem.edge),
        gamma(random_floats(problem.k, 3, problem.edge)),
        beta(random_floats(problem.k, 4, problem.edge)),
        bias(random_floats(problem.n, 5, problem.edge)),
        gate_stride(problem.n + 5),
        gate(random_floats((problem.m - 1) * gate_stride + problem.n, 8, problem.edge)),
        residual(random_floats(static_cast<int64_t>(problem.m) * problem.n, 6, problem.edge)),
        out(static_cast<int64_t>(problem.m) * problem.n, problem.edge),
        a_map(problem.m * static_cast<int64_t>(std::max(problem.groups, 1)), problem.edge),
        residual_map(problem.m, problem.edge),
        out_map(problem.m, problem.edge) {
    Random random(7);
    const int32_t groups = std::max(p.groups, 1);
    for (int32_t i = 0; i < p.m * groups && p.map; ++i) a_map[i] = p.map(i / groups, i % groups);
    // One row in eight, or segment, is padding; sources may repeat.
    for (int32_t& source : a_map) source = p.map ? source : random.below(8) == 0 ? -1 : random.below(p.m * groups);
    for (int32_t& source : residual_map) source = random.below(p.m + 1) - 1;
    std::iota(out_map.begin(), out_map.end(), 0);
    for (int32_t i = p.m - 1; i > 0; --i) std::swap(out_map[i], out_map[random.below(i + 1)]);
    if (p.rows == Rows::some_dropped) {
      for (int32_t& row : out_map) row = random.below(3) == 0 ? -1 : row;
    }
    if (p.residual == Residual::in_place) std::copy(residual.begin(), residual.end(), out.begin());
    args.m = p.m;
    args.n = p.n;
    args.k = p.k;
    args.groups = groups;
    args.a = a.data();
    args.a_map = p.groups ? a_map.data() : nullptr;
    args.gamma = p.norm ? gamma.data() : nullptr;
    args.beta = p.norm ? beta.data() : nullptr;
    args.eps = 1e-5f;
    args.activation = p.activation;
    args.activation_last = p.activation_last;
    args.weight = packed.data();
    args.bias = p.bias ? bias.data() : nullptr;
    args.gate = p.gate ? gate.data() : nullptr;
    args.gate_stride = gate_stride;
    args.residual = p.residual == Residual::none       ? nullptr
                    : p.residual == Residual::in_place ? out.data()
                                                       : residual.data();
    args.residual_map = p.residual == Residual::mapped ? residual_map.data() : nullptr;
    args.out_map = p.rows == Rows::in_order ? nullptr : out_map.data();
    args.out = out.data();
    scratch = std::make_unique<Guarded<char>>(p.threads * gemm_scratch(*p.kernel, args));
    args.scratch = scratch->data();
    EXPECT_EQ(gemm_pack(*p.kernel, pool, weight.data(), VTB_F32, p.n, p.k, packed.data()), VTB_OK);
    run();
  }

  void run() { EXPECT_EQ(gemm(*p.kernel, pool, args), VTB_OK); }

  // Each element within the bound of a sum of k rounded products in any order, (k + 1) * unit * the sum of the terms'
  // magnitudes, with an allowance for normalising, bias, activation (5e-7, or that of the bf16 form; slope below 1.13),
  // gate (below 1 in magnitude) and residual. Of bf16 and int8 the operands are rounded as the kernel rounds them,
  // which leaves the same bound, and of int8, whose sums are exact, that of a sum rounded to fp32, times two scales,
  // plus bias; where that sum is zero, the one below is a few roundings in double precision.
  void check() const {
    SCOPED_TRACE(describe(p));
    const bool rounds = p.kernel->k_per_word > 1, exact = has_scales(*p.kernel);
    const double activation_error = rounds && p.activation == VTB_GELU ? 0x1p-12 : 0;
    const std::vector<float> normalised = rounds && p.norm ? normalised_rows() : std::vector<float>();
    std::vector<double> weights(weight.begin(), weight.end());
    for (int32_t j = 0; j < p.n; ++j) round_row(*p.kernel, &weights[static_cast<int64_t>(j) * p.k], p.k);
    std::vector<double> values(p.k), sizes(p.k);
    std::vector<bool> written(p.m);
    for (int32_t i = 0; i < p.m; ++i) {
      const int32_t row = args.out_map ? args.out_map[i] : i;
      if (row < 0) continue;
      written[row] = true;
      expected_row(args, i, values, sizes);
      if (rounds) {
        if (p.norm) std::copy_n(&normalised[static_cast<int64_t>(i) * p.k], p.k, values.begin());
        round_row(*p.kernel, values.data(), p.k);
        for (int32_t c = 0; c < p.k; ++c) sizes[c] = std::fabs(values[c]);
      }
      for (int32_t j = 0; j < p.n; ++j) {
        const double* w = &weights[static_cast<int64_t>(j) * p.k];
        const double start = args.bias ? bias[j] : 0;
        double sum = start, size = std::fabs(start);
        for (int32_t c = 0; c < p.k; ++c) {
          sum += values[c] * w[c];
          size += sizes[c] * std::fabs(w[c]);
        }
        const double error = exact ? 4 * (std::fabs(sum) + 2 * std::fabs(start)) + 0x1p-26 * size : (p.k + 16) * size;
        const int64_t from = args.residual_map ? residual_map[row] : row;
        const double added = args.residual && from >= 0 ? residual[from * p.n + j] : 0;
        const double factor = args.gate ? gate[row * gate_stride + j] : 1;
        const double expected = args.activation_last ? activated(p.activation, sum * factor + added)
                                                     : activated(p.activation, sum) * factor + added;
        const double argument = args.activation_last ? sum * factor + added : sum;
        const double bound = 1.13 * unit * (error + 4 * std::fabs(added)) + 10 * unit * std::fabs(expected) +
                             activation_error * std::fabs(argument);
        ASSERT_LE(std::fabs(out[static_cast<int64_t>(row) * p.n + j] - expected), bound)
            << "row " << i << " column " << j;
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

  // The rows as LayerNorm's own kernel makes them: its last bit decides how they are rounded.
  std::vector<float> normalised_rows() const {
    std::vector<float> rows(static_cast<int64_t>(p.m) * p.k);
    const vtb_layer_norm_args norm = {p.m,        p.k,       args.groups, args.a,     args.a_map,
                                      args.gamma, args.beta, args.eps,    rows.data()};
    EXPECT_EQ(vtb_layer_norm(pool, &norm), VTB_OK);
    return rows;
  }

  const Problem p;
  Pool pool;
  Guarded<float> a, weight, packed, gamma, beta, bias;
  const int64_t gate_stride;
  Guarded<float> gate, residual, out;
  Guarded<int32_t> a_map, residual_map, out_map;
  std::unique_ptr<Guarded<char>> scratch;
  vtb_gemm_args args = {};
};

void check(const Problem& problem) { Trial(problem).check(); }

enum class Which { f32, bf16, int8, bf16_tiles, int8_tiles };

// Every kernel of the level in use. The emulated tiles are of the generic level.
class Gemm : public testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    if (GetParam() >= Which::bf16_tiles && vtb_isa_level() != VTB_ISA_GENERIC) GTEST_SKIP();
  }

  static const GemmKernel& kernel() {
    switch (GetParam()) {
      case Which::f32: return gemm_kernel(VTB_F32, 1);
      case Which::bf16: return gemm_kernel(VTB_BF16, VTB_SHORTEST_ROUNDED);
      case Which::int8: return gemm_kernel(VTB_INT8, VTB_SHORTEST_ROUNDED);
      case Which::bf16_tiles: return gemm_emulated_tiles_bf16;
      default: return gemm_emulated_tiles_int8;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Kernels, Gemm,
                         testing::Values(Which::f32, Which::bf16, Which::int8, Which::bf16_tiles, Which::int8_tiles));

TEST_P(Gemm, ShapesAroundTheTile) {
  const int32_t mr = kernel().mr, nr = kernel().nr;
  for (const int32_t m : {1, 2, mr - 1, mr, mr + 1, 49, 113}) {
    for (const int32_t n : {1, nr - 1, nr, nr + 1, 67, 3 * nr}) {
      for (const int32_t k : {1, 2, 3, 5, 16, 31, 96}) {
        for (const Edge edge : both_edges) {
          Problem p = {&kernel(), m, n, k};
          p.bias = true;
          p.edge = edge;
          check(p);
        }
      }
    }
  }
}

constexpr vtb_activation activations[] = {VTB_IDENTITY, VTB_GELU, VTB_RELU, VTB_SILU, VTB_SIGMOID, VTB_TANH};

TEST_P(Gemm, EveryRowCountOfATile) {
  for (int32_t m = 1; m <= kernel().mr; ++m) {
    for (const vtb_activation activation : activations) {
      Problem p = {&kernel(), m, 2 * kernel().nr, 37};
      p.activation = activation;
      p.residual = Residual::in_place;
      check(p);
    }
  }
}

TEST_P(Gemm, Epilogues) {
  for (const int32_t n : {2 * kernel().nr, 2 * kernel().nr + 7}) {
    for (const vtb_activation activation : activations) {
      for (int flags = 0; flags < 8; ++flags) {
        for (const Residual residual : {Residual::none, Residual::separate, Residual::in_place, Residual::mapped}) {
          for (const Rows rows : {Rows::in_order, Rows::permuted, Rows::some_dropped}) {
            Problem p = {&kernel(), 41, n, 29};
            p.activation = activation;
            p.bias = flags & 1;
            p.activation_last = flags & 2;
            p.gate = flags & 4;
            p.residual = residual;
            p.rows = rows;
            check(p);
          }
        }
      }
    }
  }
}

// A NaN of the operand reaches its own row, whole, and no other, whatever is applied to it.
TEST_P(Gemm, NanIsNotHidden) {
  for (const int32_t n : {2 * kernel().nr, 2 * kernel().nr + 3}) {
    for (const vtb_activation activation : activations) {
      Problem p = {&kernel(), 29, n, 17};
      p.activation = activation;
      Trial trial(p);
      trial.a[7 * 17 + 3] = std::numeric_limits<float>::quiet_NaN();
      trial.run();
      for (int32_t i = 0; i < p.m * n; ++i) ASSERT_EQ(std::isnan(trial.out[i]), i / n == 7) << activation << " " << i;
    }
  }
}

TEST_P(Gemm, GatheredAndNormalisedRows) {
  for (const int32_t groups : {0, 1, 2, 4}) {
    for (const bool norm : {false, true}) {
      for (const int32_t segment : {1, 3, 12, 24}) {
        for (const Edge edge : both_edges) {
          Problem p = {&kernel(), 53, 40, segment * std::max(groups, 1)};
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

// The rows of convolutions, whose neighbouring taps are neighbours in memory: every border of a small map, and strides.
TEST_P(Gemm, RowsOfConvolutions) {
  struct Shape {
    int32_t batch, height, width, channels, size, stride, padding;
  };
  for (const Shape s :
       {Shape{2, 9, 11, 3, 7, 2, 3}, {1, 14, 14, 5, 3, 1, 1}, {3, 2, 3, 16, 5, 1, 2}, {1, 8, 8, 1, 2, 2, 0}}) {
    const int32_t height = (s.height + 2 * s.padding - s.size) / s.stride + 1;
    const int32_t width = (s.width + 2 * s.padding - s.size) / s.stride + 1;
    Problem p = {&kernel(), s.batch * height * width, 33, s.size * s.size * s.channels};
    p.groups = s.size * s.size;
    p.map = [=](int32_t row, int32_t tap) {
      const int32_t x = row % width * s.stride + tap % s.size - s.padding;
      const int32_t y = row / width % height * s.stride + tap / s.size - s.padding;
      const bool inside = x >= 0 && x < s.width && y >= 0 && y < s.height;
      return inside ? (row / (width * height) * s.height + y) * s.width + x : -1;
    };
    for (const Edge edge : both_edges) {
      p.edge = edge;
      check(p);
    }
  }
}

// Rows so long that k is split, with all that happens only once to a sum.
TEST_P(Gemm, LongRows) {
  for (const int32_t k : {1024, 1031, 1536, 3072, 6144}) {
    for (const vtb_activation activation : {VTB_IDENTITY, VTB_GELU, VTB_RELU}) {
      for (const Residual residual : {Residual::none, Residual::separate, Residual::in_place, Residual::mapped}) {
        for (const bool last : {false, true}) {
          Problem p = {&kernel(), 49, 2 * kernel().nr + 2, k};
          p.norm = k == 3072;
          p.bias = true;
          p.activation = activation;
          p.activation_last = last;
          p.gate = k == 1536;
          p.residual = residual;
          p.rows = residual == Residual::in_place ? Rows::some_dropped : Rows::in_order;
          p.threads = 2;
          check(p);
        }
      }
    }
  }
}

TEST_P(Gemm, RandomArguments) {
  for_random_cases([](Random& random) {
    const int32_t groups = random.below(5), segments = std::max(groups, 1);
    Problem p = {&kernel(), random.between(1, 120), random.between(1, 120),
                 segments * random.between(1, 200 / segments)};
    p.groups = groups;
    p.norm = random.coin();
    p.bias = random.coin();
    p.activation = activations[random.below(6)];
    p.activation_last = random.coin();
    p.gate = random.coin();
    p.residual = static_cast<Residual>(random.below(4));
    p.rows = static_cast<Rows>(random.below(3));
    p.threads = random.between(1, 4);
    p.edge = random.edge();
    check(p);
  });
}

// Enough rows and columns for a grid of tasks; the sum of an element does not depend on who computes it.
TEST_P(Gemm, EveryNumberOfThreadsGivesTheSameBits) {
  for (const int32_t m : {3, 211, 1007}) {
    for (const int32_t n : {96, 331}) {
      Problem p = {&kernel(), m, n, 48};
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

TEST_P(Gemm, SwinTinyShapes) {
  struct Shape {
    int32_t m, k, n;
  };
  for (const Shape s : {Shape{784, 96, 288}, {196, 384, 384}, {49, 768, 1000}, {49, 1536, 768}, {1, 768, 1000}}) {
    Problem p = {&kernel(), s.m, s.n, s.k};
    p.bias = true;
    p.threads = 2;
    check(p);
  }
}

// A row that holds infinity is NaN in int8, where it has no scale.
TEST(GemmInt8, InfinityIsNotHidden) {
  Problem p = {&gemm_kernel(VTB_INT8, 70), 29, 33, 70};
  Trial trial(p);
  trial.a[7 * 70 + 66] = -std::numeric_limits<float>::infinity();
  trial.run();
  for (int32_t i = 0; i < 29 * 33; ++i) ASSERT_EQ(std::isnan(trial.out[i]), i / 33 == 7) << i;
}

// Rows and channels of zeros, of subnormal numbers, and of such as nearly overflow.
TEST(GemmInt8, ExtremeScales) {
  for (const float a_scale : {0.0f, 0x1p-140f, 0x1p-99f, 0x1p120f}) {
    for (const float w_scale : {0.0f, 0x1p-140f, 0x1p-20f, 1.0f}) {
      Problem p = {&gemm_kernel(VTB_INT8, 70), 5, 33, 70};
      Trial trial(p);
      for (float& x : trial.a) x *= a_scale;
      for (float& w : trial.weight) w *= w_scale;
      EXPECT_EQ(gemm_pack(*p.kernel, trial.pool, trial.weight.data(), VTB_F32, p.n, p.k, trial.packed.data()), VTB_OK);
      trial.run();
      for (const float x : trial.out) {
        ASSERT_TRUE(std::isfinite(x)) << a_scale << " " << w_scale;
        if (a_scale < 0x1p-110f || w_scale < 0x1p-110f) {
          ASSERT_EQ(x, 0);
        }
      }
      if (a_scale * w_scale >= 0x1p-100f) trial.check();  // below, the product of scales is subnormal
    }
  }
}

// The largest sums there are, where a sum of unsigned bytes wraps on the way.
TEST(GemmInt8, LongestRow) {
  Problem p = {&gemm_kernel(VTB_INT8, VTB_LONGEST_INT8), 2, 3, VTB_LONGEST_INT8};
  Trial trial(p);
  std::fill(trial.a.begin(), trial.a.end(), -1.0f);
  for (int32_t i = 0; i < 3 * p.k; ++i) trial.weight[i] = i / p.k == 1 ? -2.0f : 2.0f;
  EXPECT_EQ(gemm_pack(*p.kernel, trial.pool, trial.weight.data(), VTB_F32, p.n, p.k, trial.packed.data()), VTB_OK);
  trial.run();
  trial.check();
}

// Sums are exact, and nothing behind them is fused: without GELU and the like the last bit is the same everywhere.
TEST(GemmInt8, EveryLevelGivesTheSameBits) {
  std::vector<const GemmKernel*> levels = {&gemm_int8_generic, &gemm_emulated_tiles_int8};
  if (vtb_isa_level() >= VTB_ISA_AVX2) levels.push_back(&gemm_int8_avx2);
  if (vtb_isa_level() >= VTB_ISA_AVX512) levels.push_back(&gemm_int8_avx512);
  levels.push_back(&gemm_kernel(VTB_INT8, 203));
  for (const Residual residual : {Residual::none, Residual::separate}) {
    for (const int32_t n : {64, 83}) {
      Problem p = {levels[0], 67, n, 203};
      p.groups = 7;
      p.bias = true;
      p.activation = VTB_RELU;
      p.residual = residual;
      const Trial first(p);
      first.check();
      for (const GemmKernel* kernel : levels) {
        p.kernel = kernel;
        const Trial other(p);
        EXPECT_EQ(std::memcmp(first.out.data(), other.out.data(), first.out.size() * sizeof(float)), 0) << describe(p);
      }
    }
  }
}

TEST(GemmKernels, ShortRowsAreMultipliedInFp32) {
  EXPECT_EQ(gemm_kernel(VTB_INT8, VTB_SHORTEST_ROUNDED).k_per_word, 4);
  EXPECT_EQ(gemm_kernel(VTB_INT8, VTB_SHORTEST_ROUNDED - 1).k_per_word, 1);
  EXPECT_EQ(gemm_kernel(VTB_INT8, VTB_LONGEST_INT8).k_per_word, 4);
  EXPECT_EQ(gemm_kernel(VTB_INT8, VTB_LONGEST_INT8 + 1).k_per_word, 1);
  EXPECT_EQ(gemm_kernel(VTB_BF16, VTB_SHORTEST_ROUNDED).k_per_word, 2);
  EXPECT_EQ(gemm_kernel(VTB_BF16, VTB_SHORTEST_ROUNDED - 1).k_per_word, 1);
  EXPECT_EQ(gemm_kernel(VTB_F32, VTB_SHORTEST_ROUNDED).k_per_word, 1);
}

}  // namespace
}  // namespace vtb::test
