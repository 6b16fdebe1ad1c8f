// The dense 3x3 convolution beside plain loops.
#include <array>
#include <utility>

#include "convolution/convolution.h"
#include "test_support.h"

namespace vtb::test {
namespace {

struct Sizes {
  int32_t batch, height, width, in_channels, channels;
};

// G g G^T of every output and input channel: [channels, side * side, in_channels].
Guarded<float> transformed(const Guarded<float>& taps, int32_t tile, int32_t channels, int32_t in_channels) {
  const std::vector<double> points =
      tile == 4 ? std::vector<double>{0, 5 / 8.0, -5 / 8.0, 3 / 2.0, -3 / 2.0} : std::vector<double>{0, 1, -1};
  std::vector<std::array<double, 3>> g;
  for (double x : points) {
    double divisor = 1;
    for (double z : points) divisor *= z == x ? 1 : x - z;
    g.push_back({1 / divisor, x / divisor, x * x / divisor});
  }
  g.push_back({0, 0, 1});
  const int64_t side = tile + 2, positions = side * side;
  Guarded<float> result(channels * positions * in_channels);
  for (int64_t o = 0; o < channels; ++o) {
    for (int64_t i = 0; i < in_channels; ++i) {
      for (int64_t p = 0; p < positions; ++p) {
        double sum = 0;
        for (int t = 0; t < 9; ++t) {
          sum += g[p / side][t / 3] * g[p % side][t % 3] * taps[(o * 9 + t) * in_channels + i];
        }
        result[(o * positions + p) * in_channels + i] = static_cast<float>(sum);
      }
    }
  }
  return result;
}

void check(const Pool& pool, int32_t tile, Sizes s, bool biased, int32_t activation, Edge edge) {
  const int64_t positions = int64_t{s.batch} * s.height * s.width;
  const auto in = random_floats(positions * s.in_channels, s.height + s.channels, edge);
  const auto taps = random_floats(int64_t{s.channels} * 9 * s.in_channels, s.width);
  const auto bias = random_floats(s.channels, 3, edge);
  std::vector<double> expected;
  for (int64_t position = 0; position < positions; ++position) {
    const int64_t x = position % s.width, y = position / s.width % s.height, image = position / s.width / s.height;
    for (int64_t o = 0; o < s.channels; ++o) {
      double sum = biased ? bias[o] : 0;
      for (int64_t t = 0; t < 9; ++t) {
        const int64_t row = y + t / 3 - 1, column = x + t % 3 - 1;
        if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
        const int64_t source = ((image * s.height + row) * s.width + column) * s.in_channels;
        for (int64_t i = 0; i < s.in_channels; ++i) {
          sum += double{taps[(o * 9 + t) * s.in_channels + i]} * in[source + i];
        }
      }
      if (activation == VTB_RELU && sum < 0) sum = 0;
      if (activation == VTB_SILU) sum /= 1 + std::exp(-sum);
      expected.push_back(sum);
    }
  }
  Guarded<char> packed(convolution_packed_bytes(tile, s.channels, s.in_channels), Edge::front);
  ASSERT_EQ(convolution_pack(tile, pool, taps.data(), VTB_F32, s.channels, s.in_channels, packed.data()), VTB_OK);
  Guarded<float> out(positions * s.channels, edge);
  vtb_convolution_args args = {s.batch,       s.height,      s.width,
                               s.in_channels, s.channels,    activation,
                               in.data(),     packed.data(), biased ? bias.data() : nullptr,
                               out.data(),    nullptr};
  const int64_t bytes = convolution_scratch(tile, args) * vtb_pool_threads(pool);
  Guarded<char> scratch(bytes);
  args.scratch = scratch.data();
  ASSERT_EQ(convolution(tile, pool, args), VTB_OK);
  // The transforms amplify roundings: in each dimension their variance by sum over i of |a_i|^2 |g_i|^2 |b_i|^2 /
  // (3 tile), a_i being columns of A^T, g_i and b_i rows of G and B^T: 1.67 for tile 2 and 4.78, 2.9 times as much,
  // for tile 4.
  ASSERT_LE(difference(out, expected).relative_l2, tile == 4 ? 3e-6 : 1e-6)
      << "tile " << tile << ": " << s.batch << "x" << s.height << "x" << s.width << "x" << s.in_channels << " to "
      << s.channels;
}

TEST(Convolution, OddShapes) {
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (const Sizes& s : {Sizes{1, 1, 1, 1, 1},
                           {1, 2, 2, 3, 5},
                           {2, 3, 5, 4, 7},
                           {1, 7, 4, 16, 32},
                           {3, 5, 6, 17, 33},
                           {1, 14, 14, 48, 40},
                           {2, 9, 31, 24, 65},
                           {1, 28, 28, 64, 64},
                           {1, 14, 14, 300, 20},
                           {1, 61, 45, 40, 33}}) {
      for (int32_t tile : {2, 4}) {
        for (Edge edge : both_edges) {
          check(pool, tile, s, true, VTB_RELU, edge);
          check(pool, tile, s, false, VTB_IDENTITY, edge);
        }
        check(pool, tile, s, true, VTB_SILU, Edge::back);
      }
    }
  }
}

TEST(Convolution, RandomArguments) {
  for_random_cases([](Random& random) {
    constexpr int32_t activations[] = {VTB_IDENTITY, VTB_RELU, VTB_SILU};
    const Sizes s = {random.between(1, 2), random.between(1, 25), random.between(1, 25), random.between(1, 50),
                     random.between(1, 50)};
    check(Pool(random.between(1, 4)), random.coin() ? 2 : 4, s, random.coin(), activations[random.below(3)],
          random.edge());
  });
}

// The bits that the GEMM packs of the taps transformed one by one, of all types of weights and from an odd address.
TEST(ConvolutionPack, TransformsInDoublePrecision) {
  const int32_t channels = 45, in_channels = 7, count = channels * 9 * in_channels;
  for (int32_t tile : {2, 4}) {
    const int32_t k = (tile + 2) * (tile + 2) * in_channels;
    for (const vtb_dtype dtype : {VTB_F32, VTB_F16, VTB_BF16}) {
      auto taps = random_floats(count, tile);
      const int64_t size = dtype == VTB_F32 ? 4 : 2;
      Guarded<char> weight(count * size + 1, Edge::front);
      for (int64_t i = 0; i < count; ++i) {
        if (dtype == VTB_BF16) taps[i] = static_cast<float>(rounded_to_bf16(taps[i]));
        // Halves are 1 or 1.5.
        if (dtype == VTB_F16) taps[i] = taps[i] > 0 ? 1 : 1.5f;
        uint32_t bits;
        std::memcpy(&bits, &taps[i], sizeof bits);
        if (dtype == VTB_BF16) bits >>= 16;
        if (dtype == VTB_F16) bits = taps[i] == 1 ? 0x3c00 : 0x3e00;
        std::memcpy(weight.data() + 1 + i * size, &bits, size);
      }
      const auto expected_weight = transformed(taps, tile, channels, in_channels);
      Guarded<float> expected(vtb_gemm_packed_bytes(VTB_F32, channels, k) / sizeof(float)), packed(expected.size());
      ASSERT_EQ(vtb_gemm_pack(Pool(2), expected_weight.data(), VTB_F32, VTB_F32, channels, k, expected.data()), VTB_OK);
      ASSERT_EQ(convolution_packed_bytes(tile, channels, in_channels), packed.size() * int64_t{sizeof(float)});
      ASSERT_EQ(convolution_pack(tile, Pool(2), weight.data() + 1, dtype, channels, in_channels, packed.data()),
                VTB_OK);
      EXPECT_EQ(std::memcmp(packed.data(), expected.data(), packed.size() * sizeof(float)), 0) << tile << " " << dtype;
    }
  }
}

// Each tap at its place, in either tile; and taps whose transform overflows.
TEST(ConvolutionPack, RefusesWhatIsNotFinite) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const int32_t channels = 35, in_channels = 3;
  Pool pool(2);
  for (int32_t tile : {2, 4}) {
    Guarded<char> packed(convolution_packed_bytes(tile, channels, in_channels), Edge::front);
    for (const float wrong : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()}) {
      for (int64_t at = 0; at < channels * 9 * in_channels; ++at) {
        auto taps = random_floats(channels * 9 * in_channels, 1);
        taps[at] = wrong;
        ASSERT_EQ(convolution_pack(tile, pool, taps.data(), VTB_F32, channels, in_channels, packed.data()),
                  VTB_NOT_FINITE)
            << at;
      }
    }
    std::vector<float> large(channels * 9 * in_channels, std::numeric_limits<float>::max());
    EXPECT_EQ(convolution_pack(tile, pool, large.data(), VTB_F32, channels, in_channels, packed.data()),
              VTB_NOT_FINITE);
  }
}

// What the C functions take, seen from the size of packed weights.
TEST(Convolution, TilesAreLargeOfFewChannels) {
  for (const auto& [channels, in_channels] : {std::pair{128, 128}, {1, 16384}, {64, 200}, {1, 1}}) {
    EXPECT_EQ(vtb_convolution_packed_bytes(channels, in_channels), convolution_packed_bytes(4, channels, in_channels));
  }
  for (const auto& [channels, in_channels] : {std::pair{128, 129}, {256, 256}, {65536, 65536}}) {
    EXPECT_EQ(convolution_tile(channels, in_channels), 2);
  }
  const int32_t channels = 129, in_channels = 128;
  EXPECT_EQ(vtb_convolution_packed_bytes(channels, in_channels), convolution_packed_bytes(2, channels, in_channels));
  for (const int32_t c : {32, 160}) {
    const auto in = random_floats(5 * 5 * c, 1), taps = random_floats(int64_t{c} * 9 * c, 2);
    Guarded<char> packed(vtb_convolution_packed_bytes(c, c), Edge::front);
    ASSERT_EQ(vtb_convolution_pack(Pool(1), taps.data(), VTB_F32, c, c, packed.data()), VTB_OK);
    Guarded<float> out(in.size()), expected(in.size());
    vtb_convolution_args args = {1, 5, 5, c, c, VTB_IDENTITY, in.data(), packed.data(), nullptr, out.data(), nullptr};
    ASSERT_EQ(vtb_convolution_scratch(&args), convolution_scratch(c == 32 ? 4 : 2, args));
    args.scratch = vtb_alloc(vtb_convolution_scratch(&args));
    ASSERT_EQ(vtb_convolution(Pool(1), &args), VTB_OK);
    args.out = expected.data();
    ASSERT_EQ(convolution(c == 32 ? 4 : 2, Pool(1), args), VTB_OK);
    vtb_free(args.scratch);
    EXPECT_EQ(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)), 0);
  }
}

}  // namespace
}  // namespace vtb::test
