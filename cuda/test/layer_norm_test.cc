#include "test_support.h"

namespace vtb::test {
namespace {

// A map of rows * groups entries into `sources` segments, some of them -1.
std::vector<int32_t> random_map(int64_t entries, int32_t sources, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> map(entries);
  for (int32_t& row : map) row = random.below(sources + 1) - 1;
  return map;
}

std::vector<double> gathered(const Array& in, const std::vector<int32_t>& map, int32_t rows, int32_t channels,
                             int32_t groups) {
  const int32_t segment = channels / groups;
  std::vector<double> out(int64_t{rows} * channels);
  for (int64_t i = 0; i < static_cast<int64_t>(out.size()); ++i) {
    const int32_t source = map[i / segment];
    out[i] = source < 0 ? 0 : in[int64_t{source} * segment + i % segment];
  }
  return out;
}

void normalise(std::vector<double>& x, const std::vector<int32_t>& map, int32_t channels, int32_t groups,
               const Array& gamma, const Array& beta, double eps) {
  for (size_t first = 0; first < x.size(); first += channels) {
    if (groups == 1 && map[first / channels] < 0) continue;
    double mean = 0, variance = 0;
    for (int32_t c = 0; c < channels; ++c) mean += x[first + c] / channels;
    for (int32_t c = 0; c < channels; ++c) variance += (x[first + c] - mean) * (x[first + c] - mean) / channels;
    for (int32_t c = 0; c < channels; ++c)
      x[first + c] = (x[first + c] - mean) / std::sqrt(variance + eps) * gamma[c] + beta[c];
  }
}

void check(const DType& dtype, int32_t rows, int32_t segment, int32_t groups, bool mapped, bool norm, Dim block,
           int64_t offset) {
  const int32_t channels = segment * groups, sources = mapped ? 6 : rows;
  std::vector<int32_t> entries = random_map(int64_t{rows} * groups, sources, channels);
  if (!mapped) {
    for (int32_t i = 0; i < rows; ++i) entries[i] = i;
  }
  const Map map(entries);
  const Array in = Array::random(dtype, int64_t{sources} * segment, channels, offset, 2);
  const Array gamma = Array::random(f32, channels, 2), beta = Array::random(f32, channels, 3);
  const Array out(dtype, int64_t{rows} * channels, offset);
  const float eps = 1e-5f;
  const vtbc_layer_norm_args args = {.rows = rows,
                                     .channels = channels,
                                     .groups = groups,
                                     .in = in.address(),
                                     .map = mapped ? map.address() : null,
                                     .gamma = norm ? gamma.address() : null,
                                     .beta = norm ? beta.address() : null,
                                     .eps = eps,
                                     .out = out.address()};
  run(vtbc_layer_norm_launch, args, dtype, 2, block);
  std::vector<double> expected = gathered(in, map.rows, rows, channels, groups);
  if (!norm) {
    ASSERT_EQ(out.read(), expected) << dtype.suffix << " " << segment << " x " << groups;
    return;
  }
  normalise(expected, map.rows, channels, groups, gamma, beta, eps);
  // Where the variance is tiny, as of rows of one value, it divides the rounding of the mean, 2^-24, by sqrt(eps).
  const double tolerance = channels < 4 ? 3e-4 : 4e-6;
  ASSERT_LE(difference(out.read(), expected), dtype.rounding + tolerance)
      << dtype.suffix << " " << rows << " rows of " << segment << " x " << groups << " block " << block.x << " x "
      << block.y;
}

TEST(LayerNorm, OddShapesMapsAndBlocks) {
  for (const DType& dtype : dtypes) {
    for (int32_t segment : {1, 3, 8, 16, 40, 96, 200}) {
      for (int32_t groups : {1, 4, 9}) {
        for (Dim block : {Dim{0, 0}, Dim{8, 4}, Dim{32, 2}, Dim{64, 1}}) {
          for (int64_t offset : {0, 1}) {
            for (bool norm : {false, true}) check(dtype, 7, segment, groups, true, norm, block, offset);
            if (groups == 1) check(dtype, 7, segment, 1, false, true, block, offset);
          }
        }
      }
    }
  }
}

TEST(LayerNorm, LongRows) {
  for (const DType& dtype : dtypes) {
    check(dtype, 3, 768, 4, true, true, {256, 1}, 0);
    check(dtype, 3, 4099, 1, true, true, {256, 1}, 0);
    check(dtype, 3, 1030, 1, false, true, {128, 2}, 0);
  }
}

TEST(LayerNorm, ALargeMeanDoesNotSpoilTheVariance) {
  const int32_t rows = 2, channels = 96;
  Random random(3);
  std::vector<float> values(rows * channels);
  for (float& x : values) x = 1000 + random.signed_unit();
  const Array in(f32, values), gamma = Array::random(f32, channels, 1), beta = Array::random(f32, channels, 2),
                               out(f32, in.size());
  run(vtbc_layer_norm_launch,
      {rows, channels, 1, in.address(), nullptr, gamma.address(), beta.address(), 1e-6f, out.address()}, f32);
  std::vector<double> expected(values.begin(), values.end());
  normalise(expected, {0, 1}, channels, 1, gamma, beta, 1e-6);
  // The mean is rounded to 2^-15, the deviation is about 0.6.
  EXPECT_LE(difference(out.read(), expected), 2 * 0x1p-15 / 0.5);
}

}  // namespace
}  // namespace vtb::test
