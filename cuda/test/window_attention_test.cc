#include <algorithm>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Case {
  int32_t windows, tokens, heads, head_dim;
  int32_t bias_columns = -1;  // 0: a bias of every pair of tokens; -1: none
  bool regions = false;
  int64_t offset = 0;
  int32_t grid = 0;  // 0: a block for each unit of work
  float spread = 1;  // of the queries: larger, the softmax is more peaked
};

struct Operands {
  Operands(const DType& dtype, const Case& c)
      : qkv(make_qkv(dtype, c)),
        bias(Array::random(f32, c.heads * head_bias(c), 3, c.offset, 2)),
        regions(make_regions(c)) {}

  static int32_t head_bias(const Case& c) {
    if (c.bias_columns <= 0) return c.tokens * c.tokens;
    return (2 * c.tokens / c.bias_columns - 1) * (2 * c.bias_columns - 1);
  }

  static Array make_qkv(const DType& dtype, const Case& c) {
    const int32_t channels = c.heads * c.head_dim;
    Random random(c.tokens + c.head_dim);
    std::vector<float> values(c.windows * c.tokens * 3 * channels);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = random.signed_unit() * (static_cast<int32_t>(i) % (3 * channels) < channels ? c.spread : 1);
    }
    return Array(dtype, values, c.offset);
  }

  // Two windows an image. The first token of the first window has a label of its own.
  static std::vector<int32_t> make_regions(const Case& c) {
    Random random(5);
    std::vector<int32_t> labels(2 * c.tokens);
    for (int32_t& label : labels) label = random.below(3) - 1;
    labels[0] = 1 << 20;
    return labels;
  }

  std::vector<double> expected(const Case& c) const {
    const int32_t channels = c.heads * c.head_dim, columns = c.bias_columns;
    std::vector<double> out(c.windows * c.tokens * channels), scores(c.tokens);
    const auto at = [&](int32_t row, int32_t which, int32_t channel) {
      return qkv[(row * 3 + which) * channels + channel];
    };
    for (int32_t window = 0; window < c.windows; ++window) {
      for (int32_t head = 0; head < c.heads; ++head) {
        for (int32_t i = 0; i < c.tokens; ++i) {
          const int32_t first = window * c.tokens, channel = head * c.head_dim;
          for (int32_t j = 0; j < c.tokens; ++j) {
            double sum = 0;
            for (int32_t d = 0; d < c.head_dim; ++d) {
              sum += at(first + i, 0, channel + d) * at(first + j, 1, channel + d);
            }
            sum *= scale(c);
            if (columns == 0) sum += bias[(head * c.tokens + i) * c.tokens + j];
            if (columns > 0) {
              const int32_t rows = c.tokens / columns;
              const int32_t row = j / columns - i / columns + rows - 1;
              const int32_t column = j % columns - i % columns + columns - 1;
              sum += bias[(head * (2 * rows - 1) + row) * (2 * columns - 1) + column];
            }
            const int32_t labels = window % 2 * c.tokens;
            if (c.regions && regions.rows[labels + i] != regions.rows[labels + j]) sum -= 100;
            scores[j] = sum;
          }
          const double largest = *std::max_element(scores.begin(), scores.end());
          double weights = 0;
          for (double& score : scores) weights += score = std::exp(score - largest);
          for (int32_t d = 0; d < c.head_dim; ++d) {
            double sum = 0;
            for (int32_t j = 0; j < c.tokens; ++j) sum += scores[j] / weights * at(first + j, 2, channel + d);
            out[(first + i) * channels + channel + d] = sum;
          }
        }
      }
    }
    return out;
  }

  static float scale(const Case& c) { return 1 / std::sqrt(static_cast<float>(c.head_dim)); }

  Array qkv, bias;
  Map regions;
};

void run(const DType& dtype, const Case& c, const Array& qkv, const Operands& operands, const Array& out) {
  const vtbc_window_attention_args args = {.windows = c.windows,
                                           .windows_per_image = 2,
                                           .tokens = c.tokens,
                                           .heads = c.heads,
                                           .head_dim = c.head_dim,
                                           .bias_columns = std::max(c.bias_columns, 0),
                                           .scale = Operands::scale(c),
                                           .qkv = qkv.address(),
                                           .bias = c.bias_columns < 0 ? null : operands.bias.address(),
                                           .regions = c.regions ? operands.regions.address() : null,
                                           .out = out.address()};
  run(vtbc_window_attention_launch, args, dtype, c.grid);
}

// Halves: the weights are rounded, and the output. Floats: exponents of up to 100 / ln 2 are rounded, and sums.
void check(const DType& dtype, const Case& c) {
  const Operands operands(dtype, c);
  const Array out(dtype, int64_t{c.windows} * c.tokens * c.heads * c.head_dim, c.offset);
  run(dtype, c, operands.qkv, operands, out);
  const double tolerance = (dtype.id == VTBC_F32 ? 0 : 2 * dtype.rounding) + 64 * 0x1p-24;
  ASSERT_LE(difference(out.read(), operands.expected(c)), tolerance)
      << dtype.suffix << " " << c.windows << " windows of " << c.tokens << ", " << c.heads << " x " << c.head_dim;
}

TEST(WindowAttention, WindowsOfOneTile) {
  for (const DType& dtype : dtypes) {
    for (int32_t tokens : {1, 9, 16, 17, 49, 64}) check(dtype, {2, tokens, 2, 32});
  }
}

TEST(WindowAttention, ManyTiles) {
  for (const DType& dtype : dtypes) {
    for (int32_t head_dim : {32, 64, 128}) check(dtype, {1, 145, 1, head_dim, 0, true});
  }
  check(f16, {1, 400, 1, 64});
}

TEST(WindowAttention, HeadsOfAnySize) {
  for (const DType& dtype : dtypes) {
    for (int32_t head_dim : {1, 8, 16, 20, 33, 40, 72, 80, 127}) check(dtype, {2, 21, 2, head_dim, 0, true});
  }
}

TEST(WindowAttention, BiasesAndRegions) {
  for (const DType& dtype : dtypes) {
    for (int32_t bias_columns : {-1, 0, 7, 3}) {
      for (bool regions : {false, true}) check(dtype, {3, 21, 2, 16, bias_columns, regions});
    }
    check(dtype, {2, 150, 1, 16, 10, true});
  }
}

TEST(WindowAttention, AlignedToElementsAlone) {
  for (const DType& dtype : dtypes) check(dtype, {2, 19, 2, 24, 0, true, 1});
}

TEST(WindowAttention, FewerBlocksThanWork) {
  for (const DType& dtype : dtypes) {
    for (int32_t tokens : {70, 17}) check(dtype, {3, tokens, 2, 24, 0, true, 0, 2});
  }
}

// Maxima rise and fall from tile to tile, and some weights underflow.
TEST(WindowAttention, PeakedSoftmax) {
  for (const DType& dtype : dtypes) check(dtype, {1, 145, 1, 32, 0, true, 0, 0, 60});
}

TEST(WindowAttention, NaNReachesWhatDependsOnIt) {
  for (const DType& dtype : dtypes) {
    const Case c = {2, 70, 1, 16};
    const Operands operands(dtype, c);
    for (int32_t which = 0; which < 3; ++which) {
      std::vector<float> values(operands.qkv.size());
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(operands.qkv[i]);
      values[66 * 48 + which * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
      const Array qkv(dtype, values), out(dtype, 140 * 16);
      run(dtype, c, qkv, operands, out);
      const std::vector<double> actual = out.read();
      for (int32_t i = 0; i < 140 * 16; ++i) {
        const bool depends = which == 0 ? i / 16 == 66 : i / 16 < 70 && (which == 1 || i % 16 == 3);
        ASSERT_EQ(std::isnan(actual[i]), depends) << dtype.suffix << " " << which << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
