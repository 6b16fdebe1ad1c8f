#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Case {
  int32_t m, n, k, groups = 0;  // 0: no map
  bool bias = false, gate = false, residual = false, residual_map = false, out_map = false;
  int32_t activation = 0;
  bool activation_last = false;
  int64_t offset = 0;
  int32_t grid = 0;  // 0: a block for each tile
};

// Rows or segments of a tensor of `from` of them; one in six is padding.
std::vector<int32_t> choose(int32_t count, int32_t from) {
  Random random(count + from);
  std::vector<int32_t> map(count);
  for (int32_t& row : map) row = random.below(6) == 0 ? -1 : random.below(from);
  return map;
}

// Rows to distinct places among `stored` in a mixed order; those left over are dropped.
std::vector<int32_t> scatter(int32_t rows, int32_t stored) {
  std::vector<int32_t> map(rows);
  for (int32_t i = 0; i < rows; ++i) map[i] = rows - 1 - i < stored ? rows - 1 - i : -1;
  return map;
}

void check(const DType& dtype, int32_t tile, const Case& c) {
  const int32_t groups = std::max(c.groups, 1), segment = c.k / groups, sources = c.groups ? c.m / 2 + 3 : c.m;
  const int32_t stored = c.out_map ? std::max(c.m - 3, 1) : c.m, gate_stride = c.n + 8;
  const Array a = Array::random(dtype, sources * segment, 1, c.offset),
              weight = Array::random(dtype, c.n * c.k, 2, c.offset), bias = Array::random(f32, c.n, 3),
              gate = Array::random(dtype, stored * gate_stride, 4), residual = Array::random(dtype, stored * c.n, 5);
  const Map map(choose(c.m * groups, sources)), residual_map(choose(stored, stored)), out_map(scatter(c.m, stored));
  const Array out(dtype, stored * c.n, c.offset);
  const vtbc_epilogue epilogue = {.bias = c.bias ? bias.address() : null,
                                  .gate = c.gate ? gate.address() : null,
                                  .residual = c.residual ? residual.address() : null,
                                  .residual_map = c.residual && c.residual_map ? residual_map.address() : null,
                                  .out_map = c.out_map ? out_map.address() : null,
                                  .out = out.address(),
                                  .activation = c.activation,
                                  .activation_last = c.activation_last,
                                  .gate_stride = gate_stride};
  const vtbc_gemm_args args = {.m = c.m,
                               .n = c.n,
                               .k = c.k,
                               .groups = groups,
                               .tile = tile,
                               .a = a.address(),
                               .a_map = c.groups ? map.address() : null,
                               .weight = weight.address(),
                               .epilogue = epilogue};
  run(vtbc_gemm_launch, args, dtype, c.grid);
  std::vector<double> expected(out.size());
  for (int32_t i = 0; i < c.m; ++i) {
    const int32_t r = c.out_map ? out_map.rows[i] : i;
    for (int32_t j = 0; j < c.n && r >= 0; ++j) {
      double x = 0;
      for (int32_t k = 0; k < c.k; ++k) {
        const int32_t source = c.groups ? map.rows[i * groups + k / segment] : i;
        if (source >= 0) x += a[source * segment + k % segment] * weight[j * c.k + k];
      }
      if (c.bias) x += bias[j];
      if (!c.activation_last) x = activate(x, c.activation);
      if (c.gate) x *= gate[r * gate_stride + j];
      const int32_t s = c.residual_map ? residual_map.rows[r] : r;
      if (c.residual && s >= 0) x += residual[s * c.n + j];
      expected[r * c.n + j] = c.activation_last ? activate(x, c.activation) : x;
    }
  }
  // Sums of k products of at most 1: each partial sum, of about sqrt(k / 9), is rounded once.
  ASSERT_LE(difference(out.read(), expected), (dtype.id == VTBC_F32 ? 0 : dtype.rounding) + (16 + c.k) * 0x1p-24)
      << dtype.suffix << " tile " << tile << " m " << c.m << " n " << c.n << " k " << c.k << " groups " << c.groups;
}

void check(const Case& c) {
  for (const DType& dtype : dtypes) {
    for (int32_t tile : {64, 128}) check(dtype, tile, c);
  }
}

TEST(Gemm, Shapes) {
  check({64, 64, 32});
  check({1, 1, 1});
  check({65, 72, 40});
  check({130, 136, 264});
  check({129, 33, 95});
  check({7, 130, 16});
}

TEST(Gemm, GatheredSegments) {
  check({70, 24, 9 * 8, 9});   // a 3 x 3 convolution of 8 channels: several segments a step
  check({70, 24, 4 * 40, 4});  // segments that end within steps
  check({70, 24, 2 * 96, 2});
  check({33, 16, 27, 9});  // a stem: 3 x 3 of 3 channels
  check({33, 16, 48, 4});  // segments of 12
  check({140, 8, 64, 1});  // whole rows
}

TEST(Gemm, AllPartsOfTheEpilogue) {
  for (int32_t bits = 0; bits < 64; ++bits) {
    const auto part = [&](int i) { return (bits >> i & 1) != 0; };
    for (int32_t n : {9, 40}) {
      const int32_t activation = (2 * bits + n / 40) % activation_count;
      const Case c = {21, n, 24, 3, part(0), part(1), part(2), part(3), part(4), activation, part(5)};
      for (const DType& dtype : dtypes) check(dtype, 64, c);
    }
  }
  check({131, 136, 48, 2, true, true, true, true, true, 1, false});
}

TEST(Gemm, AlignedToElementsAlone) {
  for (int32_t groups : {0, 2}) check({40, 40, 48, groups, true, true, true, false, false, 2, false, 1});
}

TEST(Gemm, FewerBlocksThanTiles) { check({140, 200, 80, 2, true, false, true, false, true, 3, false, 0, 2}); }

TEST(Gemm, InPlaceOfTheResidual) {
  for (int32_t tile : {64, 128}) {
    const int32_t m = 20, n = 24, k = 8;
    const Array a = Array::random(f32, m * k, 1), weight = Array::random(f32, n * k, 2);
    const Array residual = Array::random(f32, m * n, 3);
    const vtbc_epilogue epilogue = {.residual = residual.address(), .out = residual.address()};
    run(vtbc_gemm_launch, {m, n, k, 1, tile, a.address(), nullptr, weight.address(), epilogue}, f32);
    const std::vector<double> actual = residual.read();
    for (int32_t i = 0; i < m * n; ++i) {
      double expected = residual[i];
      for (int32_t j = 0; j < k; ++j) expected += a[i / n * k + j] * weight[i % n * k + j];
      ASSERT_NEAR(actual[i], expected, 1e-6);
    }
  }
}

TEST(Gemm, NaNReachesItsRowAlone) {
  for (const DType& dtype : dtypes) {
    const int32_t m = 70, n = 8, k = 40;
    std::vector<float> values(m * k, 0.5f);
    values[33 * k + 39] = std::numeric_limits<float>::quiet_NaN();
    const Array a(dtype, values), weight = Array::random(dtype, n * k, 2), out(dtype, m * n);
    run(vtbc_gemm_launch, {m, n, k, 1, 64, a.address(), nullptr, weight.address(), {.out = out.address()}}, dtype);
    const std::vector<double> actual = out.read();
    for (int32_t i = 0; i < m * n; ++i) ASSERT_EQ(std::isnan(actual[i]), i / n == 33) << dtype.suffix << " " << i;
  }
}

}  // namespace
}  // namespace vtb::test
