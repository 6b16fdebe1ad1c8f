// Gathered sums.
#include "test_support.h"

namespace vtb::test {
namespace {

double activate(int32_t activation, double x) {
  switch (activation) {
    case VTB_GELU: return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
    case VTB_RELU: return x > 0 ? x : 0;
    case VTB_SILU: return x / (1 + std::exp(-x));
    case VTB_SIGMOID: return 1 / (1 + std::exp(-x));
    case VTB_TANH: return std::tanh(x);
    default: return x;
  }
}

// Rows of a source of `rows` rows, about one in five of them absent.
Guarded<int32_t> random_map(int32_t count, int32_t rows, uint64_t seed, Edge edge) {
  Guarded<int32_t> map(count, edge);
  Random random(seed);
  for (int32_t& row : map) row = random.below(5) == 0 ? -1 : random.below(rows);
  return map;
}

// Term t has a map where bit t of `mapped` is set.
void check(const Pool& pool, int32_t rows, int32_t channels, int32_t terms, int mapped, int32_t activation, Edge edge) {
  const int32_t source_rows[3] = {rows, 1, 2 * rows};
  std::vector<Guarded<float>> in;
  std::vector<Guarded<int32_t>> maps;
  for (int t = 0; t < 3; ++t) {
    const bool has_map = mapped >> t & 1;
    in.push_back(random_floats(int64_t{has_map ? source_rows[t] : rows} * channels, rows + channels + t, edge, 3));
    maps.push_back(random_map(rows, source_rows[t], channels + t, edge));
  }
  const auto map = [&](int t) { return mapped >> t & 1 ? maps[t].data() : nullptr; };
  Guarded<float> out(int64_t{rows} * channels, edge);
  const vtb_sum_args args = {rows,
                             channels,
                             terms,
                             activation,
                             in[0].data(),
                             terms > 1 ? in[1].data() : nullptr,
                             terms > 2 ? in[2].data() : nullptr,
                             map(0),
                             map(1),
                             map(2),
                             out.data()};
  ASSERT_EQ(vtb_sum(pool, &args), VTB_OK);
  std::vector<double> expected;
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (int t = 0; t < terms; ++t) {
        const int32_t row = map(t) ? map(t)[i] : i;
        if (row >= 0) sum += in[t][int64_t{row} * channels + c];
      }
      expected.push_back(activate(activation, sum));
    }
  }
  // Partial sums below 9 in magnitude are rounded twice; the slope of an activation is at most 1.13.
  ASSERT_LE(difference(out, expected).max_abs, 1.13 * 2 * 8 * 0x1p-24 + 9 * 5e-7)
      << rows << " x " << channels << ", terms " << terms << ", maps " << mapped << ", activation " << activation;
}

TEST(Sum, TermsMapsAndOddShapes) {
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (int32_t rows : {1, 5, 67}) {
      for (int32_t channels : {1, 3, 7, 16, 17, 31, 33, 96, 500}) {
        for (int32_t terms : {1, 2, 3}) {
          for (int mapped = 0; mapped < 1 << terms; ++mapped) {
            for (Edge edge : both_edges) check(pool, rows, channels, terms, mapped, VTB_IDENTITY, edge);
          }
        }
      }
    }
  }
}

TEST(Sum, RandomArguments) {
  for_random_cases([](Random& random) {
    const int32_t terms = random.between(1, 3);
    check(Pool(random.between(1, 4)), random.between(1, 80), random.between(1, 300), terms, random.below(1 << terms),
          random.between(VTB_IDENTITY, VTB_TANH), random.edge());
  });
}

TEST(Sum, EveryActivation) {
  Pool pool(2);
  for (int32_t activation = VTB_IDENTITY; activation <= VTB_TANH; ++activation) {
    for (int32_t terms : {1, 2, 3}) check(pool, 19, 37, terms, 2, activation, Edge::back);
  }
}

TEST(Sum, NaNIsSeen) {
  Pool pool(1);
  auto in = random_floats(2 * 19, 3);
  const auto addend = random_floats(2 * 19, 4);
  in[18] = std::numeric_limits<float>::quiet_NaN();
  Guarded<float> out(2 * 19);
  const vtb_sum_args args = {2,       19,      2,       VTB_RELU, in.data(), addend.data(),
                             nullptr, nullptr, nullptr, nullptr,  out.data()};
  ASSERT_EQ(vtb_sum(pool, &args), VTB_OK);
  for (int i = 0; i < 38; ++i) EXPECT_EQ(std::isnan(out[i]), i == 18);
}

}  // namespace
}  // namespace vtb::test
