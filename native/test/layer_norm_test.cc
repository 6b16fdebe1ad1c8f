#include <algorithm>
#include <cmath>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Case {
  int32_t rows, channels, groups;
  bool mapped, normalised;
  float offset;  // added to every input: a mean far from zero
};

struct Expected {
  std::vector<double> out;
  double steepest;  // what the most even row is multiplied by, and its rounding errors with it
};

Expected expected(const vtb_layer_norm_args& args) {
  std::vector<double> out;
  double steepest = 0;
  const int32_t segment = args.channels / args.groups;
  for (int64_t row = 0; row < args.rows; ++row) {
    std::vector<double> x;
    for (int64_t g = 0; g < args.groups; ++g) {
      const int64_t source = args.map ? args.map[row * args.groups + g] : row;
      for (int64_t c = 0; c < segment; ++c) x.push_back(source < 0 ? 0.0 : args.in[source * segment + c]);
    }
    const bool padding = args.groups == 1 && args.map && args.map[row] < 0;
    if (args.gamma && !padding) {
      double mean = 0, variance = 0;
      for (double value : x) mean += value / args.channels;
      for (double value : x) variance += (value - mean) * (value - mean) / args.channels;
      const double inverse = 1 / std::sqrt(variance + args.eps);
      steepest = std::max(steepest, inverse);
      for (int64_t c = 0; c < args.channels; ++c) x[c] = (x[c] - mean) * inverse * args.gamma[c] + args.beta[c];
    }
    out.insert(out.end(), x.begin(), x.end());
  }
  return {out, steepest};
}

void check(const Case& c, Edge edge, int32_t threads) {
  SCOPED_TRACE(testing::Message() << c.rows << " x " << c.channels << ", groups " << c.groups << ", map " << c.mapped
                                  << ", norm " << c.normalised << ", offset " << c.offset);
  const int64_t sources = c.mapped ? c.rows + 3 : c.rows;
  auto in = random_floats(sources * (c.channels / c.groups), 1, edge);
  for (float& x : in) x += c.offset;
  Guarded<int32_t> map(static_cast<int64_t>(c.rows) * c.groups, edge);
  Random random(5);
  for (int32_t& source : map) source = random.below(static_cast<int32_t>(sources) + 1) - 1;
  const auto gamma = random_floats(c.channels, 2, edge), beta = random_floats(c.channels, 3, edge);
  Guarded<float> out(static_cast<int64_t>(c.rows) * c.channels, edge);
  const vtb_layer_norm_args args = {c.rows,
                                    c.channels,
                                    c.groups,
                                    in.data(),
                                    c.mapped ? map.data() : nullptr,
                                    c.normalised ? gamma.data() : nullptr,
                                    c.normalised ? beta.data() : nullptr,
                                    1e-5f,
                                    out.data()};
  Pool pool(threads);
  ASSERT_EQ(vtb_layer_norm(pool, &args), VTB_OK);
  const Expected want = expected(args);
  const Difference d = difference(out, want.out);
  // A dozen roundings of values near 1; those of the input itself grow with its offset, and in a row that is more even
  // than most.
  const double spread = std::max(1.0, want.steepest / 4);
  EXPECT_LE(d.max_abs, c.normalised ? 2e-6 * (1 + std::fabs(c.offset)) * spread : 0);
}

TEST(LayerNorm, OddShapes) {
  for (int32_t channels : {2, 3, 5, 15, 16, 17, 31, 33, 48, 63, 64, 65, 96, 127, 129, 384, 1001, 1536}) {
    for (Edge edge : both_edges) check({7, channels, 1, false, true, 0}, edge, 1);
    check({5, channels, 1, true, true, 0.5f}, Edge::back, 1);
    check({5, channels, 1, true, false, 0}, Edge::back, 1);
  }
}

TEST(LayerNorm, Groups) {
  for (int32_t groups : {2, 4}) {
    for (int32_t segment : {1, 3, 12, 16, 17, 96, 100}) {
      for (Edge edge : both_edges) {
        check({9, groups * segment, groups, true, segment * groups > 2, 0}, edge, 1);
        check({9, groups * segment, groups, true, false, 0}, edge, 1);
      }
    }
  }
}

TEST(LayerNorm, RandomArguments) {
  for_random_cases([](Random& random) {
    const bool mapped = random.coin();
    const int32_t groups = mapped ? random.between(1, 4) : 1;
    const float offset = random.coin() ? 0 : 3;
    check({random.between(1, 80), groups * random.between(1, 300 / groups), groups, mapped, random.coin(), offset},
          random.edge(), random.between(1, 4));
  });
}

TEST(LayerNorm, ManyRowsOnSomeThreads) {
  for (int32_t threads : {1, 2, 3}) {
    check({1, 96, 1, false, true, 0}, Edge::back, threads);
    check({1003, 96, 1, true, true, 0}, Edge::back, threads);
    check({301, 384, 4, true, true, 0}, Edge::back, threads);
  }
}

TEST(LayerNorm, AMeanFarFromZeroDoesNotCancel) { check({5, 1000, 1, false, true, 100}, Edge::back, 1); }

TEST(LayerNorm, InPlaceAndConstantRows) {
  Pool pool(1);
  auto x = random_floats(6 * 50, 9);
  for (int i = 0; i < 50; ++i) x[50 + i] = 3.25f;  // variance zero: eps alone divides
  const auto gamma = random_floats(50, 10), beta = random_floats(50, 11);
  vtb_layer_norm_args args = {6, 50, 1, x.data(), nullptr, gamma.data(), beta.data(), 1e-5f, x.data()};
  const std::vector<double> want = expected(args).out;
  ASSERT_EQ(vtb_layer_norm(pool, &args), VTB_OK);
  EXPECT_LE(difference(x, want).max_abs, 2e-6);
}

TEST(LayerNorm, NaNStaysInItsRow) {
  Pool pool(1);
  auto x = random_floats(3 * 20, 12);
  x[25] = std::numeric_limits<float>::quiet_NaN();
  const auto gamma = random_floats(20, 13), beta = random_floats(20, 14);
  Guarded<float> out(60);
  const vtb_layer_norm_args args = {3, 20, 1, x.data(), nullptr, gamma.data(), beta.data(), 1e-5f, out.data()};
  vtb_layer_norm(pool, &args);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(std::isnan(out[i]), i / 20 == 1) << i;
}

}  // namespace
}  // namespace vtb::test
