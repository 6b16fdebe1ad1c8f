// Mean pooling beside a plain loop.
#include "test_support.h"

namespace vtb::test {
namespace {

void check(const Pool& pool, int32_t batch, int32_t tokens, int32_t channels, Edge edge) {
  const auto in = random_floats(int64_t{batch} * tokens * channels, channels + tokens, edge);
  Guarded<float> out(int64_t{batch} * channels, edge);
  const vtb_mean_pool_args args = {batch, tokens, channels, in.data(), out.data()};
  ASSERT_EQ(vtb_mean_pool(pool, &args), VTB_OK);
  std::vector<double> expected(batch * channels);
  for (int64_t i = 0; i < in.size(); ++i) {
    expected[i / channels / tokens * channels + i % channels] += static_cast<double>(in[i]) / tokens;
  }
  // Partial sums below 10 in magnitude, rounded once a token, then divided.
  ASSERT_LE(difference(out, expected).max_abs, 10 * 0x1p-24 + 0x1p-24) << tokens << " x " << channels;
}

TEST(MeanPool, OddShapes) {
  for (int32_t threads : {1, 2, 3}) {
    Pool pool(threads);
    for (int32_t batch : {1, 3}) {
      for (int32_t tokens : {1, 2, 49, 197}) {
        for (int32_t channels : {1, 3, 15, 16, 17, 63, 64, 65, 96, 255, 256, 257, 300, 768}) {
          for (Edge edge : both_edges) check(pool, batch, tokens, channels, edge);
        }
      }
    }
  }
}

TEST(MeanPool, RandomArguments) {
  for_random_cases([](Random& random) {
    check(Pool(random.between(1, 4)), random.between(1, 4), random.between(1, 80), random.between(1, 300),
          random.edge());
  });
}

}  // namespace
}  // namespace vtb::test
