// Scaling and shifting of channels.
#include "test_support.h"

namespace vtb::test {
namespace {

struct Parts {
  bool factor, scale, shift;
};

void check(const Pool& pool, int32_t batch, int32_t positions, int32_t channels, Parts parts, bool in_place,
           Edge edge) {
  auto in = random_floats(int64_t{batch} * positions * channels, positions + channels, edge);
  const auto factor = random_floats(int64_t{batch} * channels, 2, edge);
  const auto scale = random_floats(channels, 3, edge), shift = random_floats(channels, 4, edge);
  std::vector<double> expected;
  for (int64_t i = 0; i < in.size(); ++i) {
    const int64_t c = i % channels, image = i / channels / positions;
    const double x =
        (parts.factor ? double{in[i]} * factor[image * channels + c] : in[i]) * (parts.scale ? scale[c] : 1.0) +
        (parts.shift ? shift[c] : 0.0);
    expected.push_back(x > 0 ? x : 0);
  }
  Guarded<float> out(in.size(), edge);
  const vtb_affine_args args = {batch,
                                positions,
                                channels,
                                VTB_RELU,
                                in.data(),
                                parts.factor ? factor.data() : nullptr,
                                parts.scale ? scale.data() : nullptr,
                                parts.shift ? shift.data() : nullptr,
                                in_place ? in.data() : out.data()};
  ASSERT_EQ(vtb_affine(pool, &args), VTB_OK);
  // Three roundings of values below 2.
  ASSERT_LE(difference(in_place ? in : out, expected).max_abs, 3 * 0x1p-24)
      << batch << " x " << positions << " x " << channels << ": " << parts.factor << parts.scale << parts.shift;
}

TEST(Affine, PartsAndOddShapes) {
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (int32_t batch : {1, 3}) {
      for (int32_t positions : {1, 6, 50}) {
        for (int32_t channels : {1, 3, 8, 15, 16, 17, 64, 65, 400}) {
          for (int parts = 0; parts < 8; ++parts) {
            for (Edge edge : both_edges) {
              check(pool, batch, positions, channels, {(parts & 1) != 0, (parts & 2) != 0, (parts & 4) != 0},
                    parts % 3 == 0, edge);
            }
          }
        }
      }
    }
  }
}

TEST(Affine, RandomArguments) {
  for_random_cases([](Random& random) {
    const Parts parts = {random.coin(), random.coin(), random.coin()};
    check(Pool(random.between(1, 4)), random.between(1, 3), random.between(1, 80), random.between(1, 300), parts,
          random.coin(), random.edge());
  });
}

TEST(Affine, ActivationFollows) {
  Pool pool(1);
  const auto in = random_floats(5 * 21, 1, Edge::back, 4);
  const auto shift = random_floats(21, 2);
  Guarded<float> out(in.size());
  const vtb_affine_args args = {1, 5, 21, VTB_SILU, in.data(), nullptr, nullptr, shift.data(), out.data()};
  ASSERT_EQ(vtb_affine(pool, &args), VTB_OK);
  std::vector<double> expected;
  for (int64_t i = 0; i < in.size(); ++i) {
    const double x = double{in[i]} + shift[i % 21];
    expected.push_back(x / (1 + std::exp(-x)));
  }
  EXPECT_LE(difference(out, expected).max_abs, 5 * 5e-7 + 1.1 * 4 * 0x1p-24);
}

}  // namespace
}  // namespace vtb::test
