// Shrinking, recovering and scoring of chosen tokens.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "test_support.h"

namespace vtb::test {
namespace {

int32_t shrunken(int32_t tokens, int32_t kept) { return kept + (kept < tokens ? 2 : 1); }

// For every token its row among the shrunken ones, or -1.
std::vector<int32_t> rows_of(const float* scores, int32_t tokens, int32_t kept) {
  std::vector<int32_t> order(tokens), rows(tokens, -1);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [=](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  std::sort(order.begin(), order.begin() + kept);
  for (int32_t i = 0; i < kept; ++i) rows[order[i]] = i + 1;
  return rows;
}

// Positive scores, some of them equal.
Guarded<float> random_scores(int64_t count, uint64_t seed, Edge edge) {
  Guarded<float> scores(count, edge);
  Random random(seed);
  const int32_t steps = static_cast<int32_t>(2 * count);
  for (float& score : scores) score = static_cast<float>(1 + random.below(steps)) / static_cast<float>(steps);
  return scores;
}

struct Case {
  int32_t batch, tokens, kept;
};

const Case cases[] = {{1, 1, 0},   {1, 1, 1},   {2, 2, 1},    {1, 3, 2},   {2, 9, 4},
                      {3, 12, 12}, {1, 49, 24}, {2, 196, 98}, {1, 300, 7}, {1, 64, 0}};

template <typename Check>
void for_cases(const Check& check) {
  const auto run = [&](const Pool& pool, const Case& c, Edge edge) {
    SCOPED_TRACE(testing::Message() << c.kept << " of " << c.tokens << " tokens, batch " << c.batch);
    check(pool, c, edge, random_scores(int64_t{c.batch} * c.tokens, c.tokens, edge));
  };
  for (int32_t threads : {1, 3}) {
    Pool pool(threads);
    for (const Case& c : cases) {
      for (Edge edge : both_edges) run(pool, c, edge);
    }
  }
  for_random_cases([&](Random& random) {
    const int32_t tokens = random.between(1, 60);
    run(Pool(random.between(1, 4)), {random.between(1, 3), tokens, random.between(0, tokens)}, random.edge());
  });
}

TEST(TokenChoice, ShrinksToKeptTokensAndTheirRepresentative) {
  for_cases([](vtb_pool* pool, const Case& c, Edge edge, const Guarded<float>& scores) {
    for (int32_t channels : {1, 5, 128, 131, 260}) {
      const int64_t rows = shrunken(c.tokens, c.kept), class_stride = 2 * channels;
      const auto in = random_floats(int64_t{c.batch} * c.tokens * channels, 1, edge);
      const auto class_token = random_floats((c.batch - 1) * class_stride + channels, 2, edge);
      Guarded<float> out(c.batch * rows * channels, edge);
      const vtb_shrink_tokens_args args = {c.batch,
                                           c.tokens,
                                           channels,
                                           c.kept,
                                           in.data(),
                                           c.kept == c.tokens ? nullptr : scores.data(),
                                           class_token.data(),
                                           class_stride,
                                           out.data()};
      ASSERT_EQ(vtb_shrink_tokens(pool, &args), VTB_OK);
      std::vector<double> expected(out.size());
      for (int64_t b = 0; b < c.batch; ++b) {
        const float* score = scores.data() + b * c.tokens;
        const auto row = rows_of(score, c.tokens, c.kept);
        double total = 0;
        for (int32_t i = 0; i < c.tokens; ++i) total += row[i] < 0 ? score[i] : 0;
        for (int64_t x = 0; x < channels; ++x) {
          expected[b * rows * channels + x] = class_token[b * class_stride + x];
          for (int32_t i = 0; i < c.tokens; ++i) {
            const double value = in[(b * c.tokens + i) * channels + x];
            const int64_t to = row[i] < 0 ? rows - 1 : row[i];
            expected[(b * rows + to) * channels + x] += row[i] < 0 ? score[i] / total * value : value;
          }
        }
      }
      // A weighted mean of up to 300 values below 1, rounded term by term.
      ASSERT_LE(difference(out, expected).max_abs, 2e-6);
    }
  });
}

TEST(TokenChoice, RecoversEveryTokenToItsPlace) {
  for_cases([](vtb_pool* pool, const Case& c, Edge edge, const Guarded<float>& scores) {
    for (int32_t channels : {1, 5, 131}) {
      const int64_t rows = shrunken(c.tokens, c.kept);
      const auto in = random_floats(int64_t{c.batch} * c.tokens * channels, 1, edge);
      const auto before = random_floats(c.batch * rows * channels, 2, edge);
      const auto after = random_floats(c.batch * rows * channels, 3, edge);
      Guarded<float> out(in.size(), edge);
      const vtb_recover_tokens_args args = {c.batch,       c.tokens,      channels,     c.kept,    in.data(),
                                            scores.data(), before.data(), after.data(), out.data()};
      ASSERT_EQ(vtb_recover_tokens(pool, &args), VTB_OK);
      std::vector<double> expected;
      for (int64_t i = 0; i < in.size(); ++i) {
        const int64_t b = i / channels / c.tokens;
        const int32_t row = rows_of(scores.data() + b * c.tokens, c.tokens, c.kept)[i / channels % c.tokens];
        const int64_t at = (b * rows + (row < 0 ? rows - 1 : row)) * channels + i % channels;
        expected.push_back(row < 0 ? double{in[i]} + after[at] - before[at] : after[at]);
      }
      ASSERT_LE(difference(out, expected).max_abs, 4e-7);
    }
  });
}

TEST(TokenChoice, ScoresByTheClassTokensAttention) {
  for_cases([](vtb_pool* pool, const Case& c, Edge edge, const Guarded<float>& scores) {
    for (int32_t head_dim : {1, 7, 8, 28}) {
      for (bool first : {false, true}) {
        if (first && c.kept < c.tokens) continue;
        const int32_t heads = 3, rows = shrunken(c.tokens, c.kept), width = heads * head_dim;
        const float scale = 0.7f, trade_off = 0.4f;
        const auto qkv = random_floats(int64_t{c.batch} * rows * 3 * width, 1, edge, 2);
        Guarded<float> out(scores.size(), edge);
        vtb_score_tokens_args args = {c.batch,    c.tokens,   c.kept,
                                      heads,      head_dim,   scale,
                                      trade_off,  qkv.data(), first ? nullptr : scores.data(),
                                      out.data(), nullptr};
        Guarded<char> scratch(vtb_pool_threads(pool) * vtb_score_tokens_scratch(&args), Edge::front);
        args.scratch = scratch.data();
        ASSERT_EQ(vtb_score_tokens(pool, &args), VTB_OK);
        std::vector<double> expected;
        for (int64_t b = 0; b < c.batch; ++b) {
          std::vector<double> mean(rows);
          for (int32_t head = 0; head < heads; ++head) {
            std::vector<double> weights(rows);
            double sum = 0;
            for (int64_t j = 0; j < rows; ++j) {
              const float *q = qkv.data() + b * rows * 3 * width + head * head_dim, *k = q + j * 3 * width + width;
              double logit = 0;
              for (int32_t d = 0; d < head_dim; ++d) logit += double{q[d]} * k[d];
              sum += weights[j] = std::exp(logit * scale);
            }
            for (int32_t j = 0; j < rows; ++j) mean[j] += weights[j] / sum / heads;
          }
          const float* score = scores.data() + b * c.tokens;
          const auto row = rows_of(score, c.tokens, c.kept);
          for (int32_t i = 0; i < c.tokens; ++i) {
            const double paid = mean[row[i] < 0 ? rows - 1 : row[i]];
            const bool updated = row[i] > 0 || c.kept + 1 == c.tokens;
            const double mixed = (1 - double{trade_off}) * score[i] + trade_off * paid;
            expected.push_back(first ? paid : updated ? mixed : score[i]);
          }
        }
        // exp of logits up to 80, whose own rounding is an absolute error.
        ASSERT_LE(difference(out, expected).max_abs, 2e-5);
      }
    }
  });
}

void check_pooled_scores(const Pool& pool, const vtb_pool_scores_args& shape, Edge edge) {
  const int32_t out_height = shape.height / 2, out_width = shape.width / 2;
  const auto in = random_scores(int64_t{shape.batch} * shape.time * shape.height * shape.width, 5, edge);
  Guarded<float> out(int64_t{shape.batch} * shape.time * out_height * out_width, edge);
  vtb_pool_scores_args args = shape;
  args.in = in.data();
  args.out = out.data();
  ASSERT_EQ(vtb_pool_scores(pool, &args), VTB_OK);
  const int64_t image = in.size() / shape.batch, pooled_image = out.size() / shape.batch;
  std::vector<double> expected;
  for (int64_t b = 0; b < shape.batch; ++b) {
    double sum = 0, pooled = 0;
    for (int64_t i = 0; i < image; ++i) sum += in[b * image + i];
    for (int64_t i = 0; i < pooled_image; ++i) {
      const int64_t map = b * shape.time + i / out_width / out_height;
      const int64_t y = i / out_width % out_height * 2, x = i % out_width * 2;
      double mean = 0;
      for (int corner = 0; corner < 4; ++corner) {
        mean += in[(map * shape.height + y + corner / 2) * shape.width + x + corner % 2] / 4.0;
      }
      expected.push_back(mean);
      pooled += mean;
    }
    for (int64_t i = 0; i < pooled_image; ++i) expected[b * pooled_image + i] *= sum / pooled;
  }
  // The roundings of two sums, which walk randomly: of up to 300 values, or of more.
  const double tolerance = 2e-6 * std::max(1.0, std::sqrt(static_cast<double>(image) / 300));
  ASSERT_LE(difference(out, expected).relative_l2, tolerance) << shape.height << " x " << shape.width;
}

TEST(TokenChoice, PoolsScoresAndKeepsTheirSum) {
  Pool pool(2);
  for (int32_t height : {2, 3, 6, 7}) {
    for (int32_t width : {2, 5, 14}) {
      for (int32_t time : {1, 3}) {
        check_pooled_scores(pool, {2, time, height, width, nullptr, nullptr}, Edge::back);
      }
    }
  }
}

TEST(TokenChoice, PoolsScoresOfRandomShapes) {
  for_random_cases([](Random& random) {
    const vtb_pool_scores_args shape = {
        random.between(1, 3), random.between(1, 4), random.between(2, 30), random.between(2, 30), nullptr, nullptr};
    check_pooled_scores(Pool(random.between(1, 4)), shape, random.edge());
  });
}

TEST(TokenChoice, KeepsExactlyAsManyTokensWhateverTheScores) {
  Pool pool(1);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> mixed = {nan, 1, infinity, -infinity, -nan, 0, -0.0f, 1, 1};
  for (const std::vector<float>& scores :
       {std::vector<float>(9, 0.5f), std::vector<float>(9, nan), std::vector<float>(9, -nan), mixed}) {
    for (int32_t kept = 0; kept < 9; ++kept) {
      const auto in = random_floats(9, 1);
      const float class_token = 7;
      Guarded<float> out(kept + 2), back(9);
      const vtb_shrink_tokens_args args = {1, 9, 1, kept, in.data(), scores.data(), &class_token, 0, out.data()};
      ASSERT_EQ(vtb_shrink_tokens(pool, &args), VTB_OK);
      const vtb_recover_tokens_args recover = {1,          9,          1,          kept, in.data(), scores.data(),
                                               out.data(), out.data(), back.data()};
      ASSERT_EQ(vtb_recover_tokens(pool, &recover), VTB_OK);
      int32_t same = 0;
      for (int i = 0; i < 9; ++i) same += back[i] == in[i];
      EXPECT_GE(same, kept);
      if (scores[1] == 0.5f) {
        // Of equal scores the first are kept.
        for (int i = 0; i < kept; ++i) EXPECT_EQ(out[i + 1], in[i]);
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
