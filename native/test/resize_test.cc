// Adaptive average pooling and bilinear resizing of maps.
#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Size {
  int32_t height, width;
};

using Operation = vtb_status (*)(vtb_pool*, const vtb_resize_args*);
using Reference = double (*)(const float* map, int32_t channels, Size size, Size out, int32_t y, int32_t x);

double mean_of_bin(const float* map, int32_t channels, Size size, Size out, int32_t y, int32_t x) {
  const auto begin = [](int32_t i, int32_t n, int32_t length) { return i * length / n; };
  const auto end = [](int32_t i, int32_t n, int32_t length) { return ((i + 1) * length + n - 1) / n; };
  double sum = 0;
  int32_t count = 0;
  for (int32_t j = begin(y, out.height, size.height); j < end(y, out.height, size.height); ++j) {
    for (int32_t i = begin(x, out.width, size.width); i < end(x, out.width, size.width); ++i, ++count) {
      sum += map[(int64_t{j} * size.width + i) * channels];
    }
  }
  return sum / count;
}

double bilinear(const float* map, int32_t channels, Size size, Size out, int32_t y, int32_t x) {
  // The tent function over all positions, those beyond the edges clamped to it.
  const double row = (y + 0.5) * size.height / out.height - 0.5, column = (x + 0.5) * size.width / out.width - 0.5;
  double sum = 0;
  for (int32_t j = -1; j <= size.height; ++j) {
    for (int32_t i = -1; i <= size.width; ++i) {
      const double weight = std::max(0.0, 1 - std::fabs(row - j)) * std::max(0.0, 1 - std::fabs(column - i));
      const int64_t from_y = std::clamp(j, 0, size.height - 1), from_x = std::clamp(i, 0, size.width - 1);
      sum += weight * map[(from_y * size.width + from_x) * channels];
    }
  }
  return sum;
}

void check(const Pool& pool, Operation operation, Reference reference, int32_t batch, Size size, Size out_size,
           int32_t channels, Edge edge) {
  const int64_t map = int64_t{size.height} * size.width * channels;
  const auto in = random_floats(batch * map, size.width + channels, edge);
  Guarded<float> out(int64_t{batch} * out_size.height * out_size.width * channels, edge);
  const vtb_resize_args args = {batch,           size.height,    size.width, channels,
                                out_size.height, out_size.width, in.data(),  out.data()};
  ASSERT_EQ(operation(pool, &args), VTB_OK);
  std::vector<double> expected;
  for (int32_t b = 0; b < batch; ++b) {
    for (int32_t y = 0; y < out_size.height; ++y) {
      for (int32_t x = 0; x < out_size.width; ++x) {
        for (int32_t c = 0; c < channels; ++c) {
          expected.push_back(reference(in.data() + b * map + c, channels, size, out_size, y, x));
        }
      }
    }
  }
  // Means and interpolations of values below 1: partial sums below 10 rounded once a position, or six roundings.
  const double positions = std::max<double>(6, int64_t{size.height} * size.width);
  ASSERT_LE(difference(out, expected).max_abs, std::min(40.0, positions) * 0x1p-24)
      << size.height << " x " << size.width << " to " << out_size.height << " x " << out_size.width << ", " << channels
      << " channels";
}

void check_sizes(Operation operation, Reference reference) {
  const Size sizes[] = {{1, 1}, {1, 7}, {5, 1}, {2, 3}, {7, 7}, {9, 14}, {16, 16}};
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (Size size : sizes) {
      for (Size out : sizes) {
        for (int32_t channels : {1, 5, 16, 17, 35}) {
          for (Edge edge : both_edges) check(pool, operation, reference, 1, size, out, channels, edge);
        }
        check(pool, operation, reference, 3, size, out, 20, Edge::back);
      }
    }
  }
}

TEST(AdaptiveAveragePool, EverySizeToEverySize) { check_sizes(vtb_adaptive_average_pool, mean_of_bin); }

TEST(Bilinear, EverySizeToEverySize) { check_sizes(vtb_bilinear, bilinear); }

TEST(Resize, TheSameSizeIsACopy) {
  Pool pool(2);
  const auto in = random_floats(int64_t{6} * 5 * 19, 3);
  for (Operation operation : {vtb_adaptive_average_pool, vtb_bilinear}) {
    Guarded<float> out(in.size());
    const vtb_resize_args args = {1, 6, 5, 19, 6, 5, in.data(), out.data()};
    ASSERT_EQ(operation(pool, &args), VTB_OK);
    for (int64_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[i]);
  }
}

}  // namespace
}  // namespace vtb::test
