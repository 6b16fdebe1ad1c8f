// Shrinking, recovering and scoring of chosen tokens.
#include <algorithm>
#include <numeric>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Case {
  int32_t batch, tokens, kept;

  int32_t shrunken() const { return kept + (kept < tokens ? 2 : 1); }
};

const Case cases[] = {{1, 1, 0},   {1, 1, 1},   {2, 2, 1},    {1, 3, 2},   {2, 9, 4},
                      {3, 12, 12}, {1, 49, 24}, {2, 196, 98}, {1, 300, 7}, {1, 64, 0}};

// For every token of an image its row among the shrunken ones, or -1.
std::vector<int32_t> rows_of(const Array& scores, const Case& c, int64_t image) {
  std::vector<int32_t> order(c.tokens), rows(c.tokens, -1);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return scores[image * c.tokens + a] > scores[image * c.tokens + b]; });
  std::sort(order.begin(), order.begin() + c.kept);
  for (int32_t i = 0; i < c.kept; ++i) rows[order[i]] = i + 1;
  return rows;
}

// Positive scores, some of them equal.
Array random_scores(const DType& dtype, int64_t count, uint64_t seed) {
  Random random(seed);
  const int32_t steps = static_cast<int32_t>(2 * count);
  std::vector<float> scores(count);
  for (float& score : scores) score = static_cast<float>(1 + random.below(steps)) / static_cast<float>(steps);
  return Array(dtype, scores);
}

TEST(TokenChoice, ShrinksToKeptTokensAndTheirRepresentative) {
  for (const DType& dtype : dtypes) {
    for (const Case& c : cases) {
      for (int32_t channels : {1, 5, 40, 264}) {
        const int64_t rows = c.shrunken(), class_stride = 2 * channels, offset = c.tokens % 2;
        const Array scores = random_scores(dtype, c.batch * c.tokens, c.tokens);
        const Array in = Array::random(dtype, int64_t{c.batch} * c.tokens * channels, 1, offset);
        const Array class_token = Array::random(dtype, (c.batch - 1) * class_stride + channels, 2);
        const Array out(dtype, c.batch * rows * channels);
        const vtbc_shrink_tokens_args args = {.batch = c.batch,
                                              .tokens = c.tokens,
                                              .channels = channels,
                                              .kept = c.kept,
                                              .in = in.address(),
                                              .scores = c.kept == c.tokens ? null : scores.address(),
                                              .class_token = class_token.address(),
                                              .class_stride = class_stride,
                                              .out = out.address()};
        run(vtbc_shrink_tokens_launch, args, dtype, channels % 2 ? 3 : 0, {32, 1 + channels % 8});
        std::vector<double> expected(out.size());
        for (int64_t b = 0; b < c.batch; ++b) {
          const auto row = rows_of(scores, c, b);
          double total = 0;
          for (int32_t i = 0; i < c.tokens; ++i) total += row[i] < 0 ? scores[b * c.tokens + i] : 0;
          for (int64_t x = 0; x < channels; ++x) {
            expected[b * rows * channels + x] = class_token[b * class_stride + x];
            for (int32_t i = 0; i < c.tokens; ++i) {
              const double value = in[(b * c.tokens + i) * channels + x];
              const int64_t to = row[i] < 0 ? rows - 1 : row[i];
              expected[(b * rows + to) * channels + x] += row[i] < 0 ? scores[b * c.tokens + i] / total * value : value;
            }
          }
        }
        // A weighted mean of up to 300 values below 1, rounded term by term.
        ASSERT_LE(difference(out.read(), expected), dtype.rounding + 2e-6)
            << dtype.suffix << " " << c.kept << " of " << c.tokens << " tokens, " << channels << " channels";
      }
    }
  }
}

TEST(TokenChoice, RecoversEveryTokenToItsPlace) {
  for (const DType& dtype : dtypes) {
    for (const Case& c : cases) {
      for (int32_t channels : {1, 5, 40}) {
        const int64_t rows = c.shrunken(), offset = c.tokens % 2;
        const Array scores = random_scores(dtype, c.batch * c.tokens, c.tokens);
        const Array in = Array::random(dtype, int64_t{c.batch} * c.tokens * channels, 1, offset);
        const Array before = Array::random(dtype, c.batch * rows * channels, 2);
        const Array after = Array::random(dtype, c.batch * rows * channels, 3);
        const Array out(dtype, in.size());
        const vtbc_recover_tokens_args args = {.batch = c.batch,
                                               .tokens = c.tokens,
                                               .channels = channels,
                                               .kept = c.kept,
                                               .in = in.address(),
                                               .scores = c.kept == c.tokens ? null : scores.address(),
                                               .before = before.address(),
                                               .after = after.address(),
                                               .out = out.address()};
        run(vtbc_recover_tokens_launch, args, dtype, channels % 2 ? 2 : 0, {96});
        std::vector<double> expected;
        for (int64_t i = 0; i < in.size(); ++i) {
          const int64_t b = i / channels / c.tokens;
          const int32_t row = rows_of(scores, c, b)[i / channels % c.tokens];
          const int64_t at = (b * rows + (row < 0 ? rows - 1 : row)) * channels + i % channels;
          expected.push_back(row < 0 ? in[i] + after[at] - before[at] : after[at]);
        }
        ASSERT_LE(difference(out.read(), expected), dtype.rounding + 4e-7) << dtype.suffix << " " << c.tokens;
      }
    }
  }
}

// What the class token pays to each row of an image, averaged over heads.
std::vector<double> attention(const Array& qkv, int64_t image, int32_t rows, int32_t heads, int32_t head_dim,
                              double scale) {
  const int64_t width = int64_t{heads} * head_dim;
  std::vector<double> mean(rows);
  for (int32_t head = 0; head < heads; ++head) {
    std::vector<double> weights(rows);
    double sum = 0;
    for (int32_t j = 0; j < rows; ++j) {
      const int64_t q = image * rows * 3 * width + head * head_dim, k = q + j * 3 * width + width;
      double logit = 0;
      for (int32_t d = 0; d < head_dim; ++d) logit += qkv[q + d] * qkv[k + d];
      sum += weights[j] = std::exp(logit * scale);
    }
    for (int32_t j = 0; j < rows; ++j) mean[j] += weights[j] / sum / heads;
  }
  return mean;
}

TEST(TokenChoice, ScoresByTheClassTokensAttention) {
  for (const DType& dtype : dtypes) {
    for (const Case& c : cases) {
      for (int32_t head_dim : {1, 7, 8, 28}) {
        for (bool first : {false, true}) {
          if (first && c.kept < c.tokens) continue;
          const int32_t heads = 3, rows = c.shrunken(), width = heads * head_dim;
          const float scale = 0.7f, trade_off = 0.4f;
          const Array scores = random_scores(dtype, c.batch * c.tokens, c.tokens);
          const Array qkv = Array::random(dtype, int64_t{c.batch} * rows * 3 * width, 1, 0, 2);
          const Array out(dtype, scores.size());
          const vtbc_score_tokens_args args = {.batch = c.batch,
                                               .tokens = c.tokens,
                                               .kept = c.kept,
                                               .heads = heads,
                                               .head_dim = head_dim,
                                               .scale = scale,
                                               .trade_off = trade_off,
                                               .qkv = qkv.address(),
                                               .scores = first ? null : scores.address(),
                                               .out = out.address()};
          run(vtbc_score_tokens_launch, args, dtype, head_dim % 2 ? 2 : 0, {64});
          std::vector<double> expected;
          for (int64_t b = 0; b < c.batch; ++b) {
            const auto paid = attention(qkv, b, rows, heads, head_dim, scale);
            const auto row = rows_of(scores, c, b);
            for (int32_t i = 0; i < c.tokens; ++i) {
              const double own = paid[row[i] < 0 ? rows - 1 : row[i]], score = scores[b * c.tokens + i];
              const bool updated = row[i] > 0 || c.kept + 1 == c.tokens;
              expected.push_back(first ? own : updated ? (1 - double{trade_off}) * score + trade_off * own : score);
            }
          }
          // exp of logits up to 80, whose own rounding is an absolute error.
          ASSERT_LE(difference(out.read(), expected), dtype.rounding + 2e-5) << dtype.suffix << " " << c.tokens;
        }
      }
    }
  }
}

TEST(TokenChoice, PoolsScoresAndKeepsTheirSum) {
  for (const DType& dtype : dtypes) {
    for (int32_t height : {2, 3, 6, 7}) {
      for (int32_t width : {2, 5, 14}) {
        for (int32_t time : {1, 3}) {
          const int32_t batch = 2, out_height = height / 2, out_width = width / 2;
          const Array in = random_scores(dtype, int64_t{batch} * time * height * width, 5);
          const Array out(dtype, int64_t{batch} * time * out_height * out_width);
          run(vtbc_pool_scores_launch, {batch, time, height, width, in.address(), out.address()}, dtype, 1, {64});
          std::vector<double> expected;
          for (int32_t b = 0; b < batch; ++b) {
            double sum = 0, pooled = 0;
            for (int64_t i = 0; i < in.size() / batch; ++i) sum += in[b * in.size() / batch + i];
            for (int64_t i = 0; i < out.size() / batch; ++i) {
              const int64_t map = b * time + i / out_width / out_height;
              const int64_t y = i / out_width % out_height * 2, x = i % out_width * 2;
              double mean = 0;
              for (int corner = 0; corner < 4; ++corner) {
                mean += in[(map * height + y + corner / 2) * width + x + corner % 2] / 4.0;
              }
              expected.push_back(mean);
              pooled += mean;
            }
            for (int64_t i = 0; i < out.size() / batch; ++i) expected[b * out.size() / batch + i] *= sum / pooled;
          }
          ASSERT_LE(difference(out.read(), expected), dtype.rounding + 2e-6) << height << " x " << width;
        }
      }
    }
  }
}

TEST(TokenChoice, KeepsExactlyAsManyTokensWhateverTheScores) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> mixed = {nan, 1, infinity, -infinity, -2, 0, -0.0f, 1, 1};
  const std::vector<int32_t> mixed_order = {0, 2, 1, 7, 8, 5, 6, 4, 3};
  for (const DType& dtype : dtypes) {
    for (const std::vector<float>& values : {std::vector<float>(9, 0.5f), std::vector<float>(9, nan), mixed}) {
      for (int32_t kept = 0; kept < 9; ++kept) {
        const Array scores(dtype, values), in = Array::random(dtype, 9, 1), class_token(dtype, std::vector<float>{7});
        const Array out(dtype, kept + 2);
        run(vtbc_shrink_tokens_launch,
            {1, 9, 1, kept, in.address(), scores.address(), class_token.address(), 0, out.address()}, dtype);
        // Of equal scores the first are kept.
        std::vector<int32_t> order(9);
        std::iota(order.begin(), order.end(), 0);
        if (values[1] == 1) order = mixed_order;
        std::sort(order.begin(), order.begin() + kept);
        const std::vector<double> rows = out.read();
        EXPECT_EQ(rows[0], 7);
        for (int i = 0; i < kept; ++i) EXPECT_EQ(rows[i + 1], in[order[i]]) << dtype.suffix << " " << kept;
      }
    }
  }
}

TEST(TokenChoice, ANegativeNaNIsBelowAllNumbers) {
  // Bits are moved as they are: conversions may not keep the sign of a NaN.
  const Array scores(f32, std::vector<float>{0, 0, 0, 0});
  const float values[] = {-std::numeric_limits<float>::quiet_NaN(), -1, std::numeric_limits<float>::quiet_NaN(), 1};
  ASSERT_EQ(vtbe_copy_in(scores.address(), values, sizeof values), VTBE_OK);
  const Array in(f32, {10, 11, 12, 13}), class_token(f32, std::vector<float>{7}), out(f32, 5);
  run(vtbc_shrink_tokens_launch, {1, 4, 1, 3, in.address(), scores.address(), class_token.address(), 0, out.address()},
      f32);
  const std::vector<double> rows = out.read();
  EXPECT_EQ(rows[1], 11);
  EXPECT_EQ(rows[2], 12);
  EXPECT_EQ(rows[3], 13);
}

}  // namespace
}  // namespace vtb::test
