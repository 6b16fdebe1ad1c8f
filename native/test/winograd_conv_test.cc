// The dense 3x3 convolution beside plain loops.
#include <array>

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
  const auto weights = transformed(taps, tile, s.channels, s.in_channels);
  const int32_t k = (tile + 2) * (tile + 2) * s.in_channels;
  std::vector<char> packed(vtb_gemm_packed_bytes(VTB_F32, s.channels, k) + 64);
  char* aligned = packed.data() + (64 - reinterpret_cast<uintptr_t>(packed.data()) % 64) % 64;
  ASSERT_EQ(vtb_gemm_pack(pool, weights.data(), VTB_F32, VTB_F32, s.channels, k, aligned), VTB_OK);
  Guarded<float> out(positions * s.channels, edge);
  vtb_winograd_conv_args args = {s.batch,    s.height, s.width,   s.in_channels, s.channels,
                                 activation, tile,     in.data(), aligned,       biased ? bias.data() : nullptr,
                                 out.data(), nullptr};
  const int64_t bytes = vtb_winograd_conv_scratch(&args) * vtb_pool_threads(pool);
  args.scratch = vtb_alloc(bytes);
  ASSERT_NE(args.scratch, nullptr);
  ASSERT_EQ(vtb_winograd_conv(pool, &args), VTB_OK);
  vtb_free(args.scratch);
  // The transforms amplify roundings: in each dimension their variance by sum over i of |a_i|^2 |g_i|^2 |b_i|^2 /
  // (3 tile), a_i being columns of A^T, g_i and b_i rows of G and B^T: 1.67 for tile 2 and 4.78, 2.9 times as much,
  // for tile 4.
  ASSERT_LE(difference(out, expected).relative_l2, tile == 4 ? 3e-6 : 1e-6)
      << "tile " << tile << ": " << s.batch << "x" << s.height << "x" << s.width << "x" << s.in_channels << " to "
      << s.channels;
}

TEST(WinogradConv, OddShapes) {
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

}  // namespace
}  // namespace vtb::test
