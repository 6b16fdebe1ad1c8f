#include <numeric>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Parts {
  bool bias, activation_last, gate, residual, residual_map, out_map;
};

// A permutation of the rows that are stored, and -1 for the others.
std::vector<int32_t> scatter(int32_t rows, int32_t stored) {
  std::vector<int32_t> map(rows);
  for (int32_t i = 0; i < rows; ++i) map[i] = i * 5 % rows < stored ? i * 5 % rows : -1;
  return map;
}

void check(const DType& dtype, int32_t channels, Parts parts, int32_t activation, int32_t gate_stride, int64_t offset) {
  const int32_t rows = 7, stored = parts.out_map ? 5 : rows;
  const Array product = Array::random(dtype, rows * channels, channels, offset, 3),
              bias = Array::random(f32, channels, 2), gate = Array::random(dtype, stored * gate_stride, 3),
              residual = Array::random(dtype, stored * channels, 4);
  std::vector<int32_t> own(rows);
  std::iota(own.begin(), own.end(), 0);
  const Map out_map(parts.out_map ? scatter(rows, stored) : own), residual_map({3, -1, 0, 0, 2, 4, 1});
  const Array out(dtype, stored * channels, offset);
  const vtbc_epilogue epilogue = {.bias = parts.bias ? bias.address() : null,
                                  .gate = parts.gate ? gate.address() : null,
                                  .residual = parts.residual ? residual.address() : null,
                                  .residual_map = parts.residual && parts.residual_map ? residual_map.address() : null,
                                  .out_map = parts.out_map ? out_map.address() : null,
                                  .out = out.address(),
                                  .activation = activation,
                                  .activation_last = parts.activation_last,
                                  .gate_stride = gate_stride};
  run(vtbc_epilogue_launch, {rows, channels, product.address(), epilogue}, dtype, activation % 2 ? 2 : 0, {96});
  std::vector<double> expected(out.size());
  for (int32_t i = 0; i < rows; ++i) {
    const int32_t r = out_map.rows[i];
    for (int32_t c = 0; c < channels && r >= 0; ++c) {
      double x = product[i * channels + c] + (parts.bias ? bias[c] : 0);
      if (!parts.activation_last) x = activate(x, activation);
      if (parts.gate) x *= gate[r * gate_stride + c];
      const int32_t s = parts.residual_map ? residual_map.rows[r] : r;
      if (parts.residual && s >= 0) x += residual[s * channels + c];
      expected[r * channels + c] = parts.activation_last ? activate(x, activation) : x;
    }
  }
  ASSERT_LE(difference(out.read(), expected), dtype.rounding + 16 * 0x1p-24)
      << dtype.suffix << " " << channels << " activation " << activation;
}

TEST(Epilogue, AllParts) {
  for (const DType& dtype : dtypes) {
    int32_t activation = 0;
    for (int32_t bits = 0; bits < 64; ++bits) {
      const auto part = [&](int i) { return (bits >> i & 1) != 0; };
      for (int32_t channels : {3, 24}) {
        check(dtype, channels, {part(0), part(1), part(2), part(3), part(4), part(5)}, activation++ % activation_count,
              channels + 8, 0);
      }
    }
  }
}

TEST(Epilogue, AllActivationsAndAlignments) {
  for (const DType& dtype : dtypes) {
    for (int32_t activation = 0; activation < activation_count; ++activation) {
      for (int64_t offset : {0, 1})
        check(dtype, 16, {true, false, true, true, false, true}, activation, 17 + 7 * (activation % 2), offset);
    }
  }
}

TEST(Epilogue, InPlaceOfTheProductAndOfTheResidual) {
  const int32_t rows = 3, channels = 8;
  const Array product = Array::random(f32, rows * channels, 1), residual = Array::random(f32, rows * channels, 2);
  vtbc_epilogue epilogue = {.residual = residual.address(), .out = product.address(), .activation = VTBC_RELU};
  run(vtbc_epilogue_launch, {rows, channels, product.address(), epilogue}, f32);
  const std::vector<double> first = product.read();
  epilogue = {.residual = residual.address(), .out = residual.address()};
  run(vtbc_epilogue_launch, {rows, channels, product.address(), epilogue}, f32);
  const std::vector<double> second = residual.read();
  for (int64_t i = 0; i < product.size(); ++i) {
    EXPECT_NEAR(first[i], std::max(product[i], 0.0) + residual[i], 1e-6);
    EXPECT_NEAR(second[i], first[i] + residual[i], 1e-6);
  }
}

TEST(Epilogue, ActivationsAtExtremesAndNaN) {
  const std::vector<float> values = {0, -0.0f, 1e-20f, -1e-3f, 5, -5, 12, -12, 90, -90, 1e4f, -1e4f};
  for (int32_t activation = 0; activation < activation_count; ++activation) {
    const Array x(f32, values);
    const auto apply = [&](const Array& to) {
      const vtbc_epilogue epilogue = {.out = to.address(), .activation = activation};
      run(vtbc_epilogue_launch, {static_cast<int32_t>(to.size()), 1, to.address(), epilogue}, f32);
    };
    apply(x);
    const std::vector<double> actual = x.read();
    for (size_t i = 0; i < values.size(); ++i) {
      const double expected = activate(values[i], activation);
      EXPECT_NEAR(actual[i], expected, 4e-7 * (1 + std::fabs(expected))) << activation << " of " << values[i];
    }
    const Array nan(f32, std::vector<float>{std::nanf("")});
    apply(nan);
    EXPECT_TRUE(std::isnan(nan.read()[0])) << activation;
  }
}

}  // namespace
}  // namespace vtb::test
