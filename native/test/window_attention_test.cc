// Windowed attention against plain loops in double precision.
#include "window_attention/window_attention.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>

#include "test_support.h"

namespace vtb::test {
namespace {

struct Problem {
  int32_t windows, windows_per_image, tokens, heads, head_dim;
  float scale;
  Guarded<float> qkv;
  std::unique_ptr<Guarded<float>> bias;  // or null
  int32_t bias_columns = 0;
  std::unique_ptr<Guarded<int32_t>> regions;  // or null
  Edge edge;

  Problem(int32_t images, int32_t windows_per_image, int32_t tokens, int32_t heads, int32_t head_dim, Edge edge)
      : windows(images * windows_per_image),
        windows_per_image(windows_per_image),
        tokens(tokens),
        heads(heads),
        head_dim(head_dim),
        scale(1 / std::sqrt(static_cast<float>(head_dim))),
        qkv(random_floats(int64_t{windows} * tokens * 3 * heads * head_dim, 17 * tokens + head_dim, edge, 2)),
        edge(edge) {}

  void add_bias() {
    bias = std::make_unique<Guarded<float>>(random_floats(int64_t{heads} * tokens * tokens, tokens + 5, edge));
  }

  void add_bias_table(int32_t columns) {
    bias_columns = columns;
    bias = std::make_unique<Guarded<float>>(
        random_floats(int64_t{heads} * (2 * (tokens / columns) - 1) * (2 * columns - 1), tokens + 5, edge));
  }

  double bias_of(int64_t head, int64_t query, int64_t key) const {
    if (!bias) return 0;
    if (bias_columns == 0) return (*bias)[(head * tokens + query) * tokens + key];
    const int64_t rows = tokens / bias_columns, columns = bias_columns;
    const int64_t row = key / columns - query / columns, column = key % columns - query % columns;
    return (*bias)[(head * (2 * rows - 1) + row + rows - 1) * (2 * columns - 1) + column + columns - 1];
  }

  void add_regions(const std::function<int32_t(int64_t)>& label) {
    regions = std::make_unique<Guarded<int32_t>>(int64_t{windows_per_image} * tokens, edge);
    for (int64_t i = 0; i < regions->size(); ++i) (*regions)[i] = label(i);
  }

  int64_t offset(int64_t row, int which, int64_t head) const { return ((row * 3 + which) * heads + head) * head_dim; }

  std::string text() const {
    return "windows " + std::to_string(windows) + " tokens " + std::to_string(tokens) + " heads " +
           std::to_string(heads) + " head_dim " + std::to_string(head_dim) +
           (bias ? " bias " + std::to_string(bias_columns) : "") + (regions ? " regions" : "") +
           (edge == Edge::back ? " back" : " front");
  }
};

struct Expected {
  std::vector<double> out;
  double tolerance;  // of the relative L2 error
};

// A logit is off by its terms' roundings, at most a few of 2^-24 of the sum of their magnitudes in all but contrived
// data, and a weight exp(logit) by as much relatively; exp, scale and the division add a few roundings of their own,
// and the sums over tokens a random walk of as many steps.
Expected attend(const Problem& p) {
  Expected expected{std::vector<double>(int64_t{p.windows} * p.tokens * p.heads * p.head_dim), 0};
  std::vector<double> weights(p.tokens);
  double largest = 0;
  for (int64_t w = 0; w < p.windows; ++w) {
    const int32_t* regions = p.regions ? p.regions->data() + w % p.windows_per_image * p.tokens : nullptr;
    for (int64_t h = 0; h < p.heads; ++h) {
      for (int64_t i = 0; i < p.tokens; ++i) {
        const float* q = p.qkv.data() + p.offset(w * p.tokens + i, 0, h);
        double greatest = -HUGE_VAL, sum = 0;
        for (int64_t j = 0; j < p.tokens; ++j) {
          const float* k = p.qkv.data() + p.offset(w * p.tokens + j, 1, h);
          double dot = 0, magnitude = 0;
          for (int d = 0; d < p.head_dim; ++d) {
            dot += double{q[d]} * k[d];
            magnitude += std::fabs(double{q[d]} * k[d]);
          }
          const double bias = p.bias_of(h, i, j);
          weights[j] = p.scale * dot + bias - (regions && regions[i] != regions[j] ? 100 : 0);
          greatest = std::max(greatest, weights[j]);
          largest = std::max(largest, p.scale * magnitude + std::fabs(bias));
        }
        for (double& x : weights) sum += x = std::exp(x - greatest);
        double* out = expected.out.data() + ((w * p.tokens + i) * p.heads + h) * p.head_dim;
        for (int64_t j = 0; j < p.tokens; ++j) {
          const float* v = p.qkv.data() + p.offset(w * p.tokens + j, 2, h);
          for (int d = 0; d < p.head_dim; ++d) out[d] += weights[j] / sum * v[d];
        }
      }
    }
  }
  expected.tolerance = 0x1p-24 * (8 + 2 * largest + std::sqrt(p.tokens));
  return expected;
}

Guarded<float> run(const Problem& p, int32_t threads = 1) {
  const Pool pool(threads);
  Guarded<float> out(int64_t{p.windows} * p.tokens * p.heads * p.head_dim, p.edge);
  vtb_window_attention_args args{};
  args.windows = p.windows;
  args.windows_per_image = p.windows_per_image;
  args.tokens = p.tokens;
  args.heads = p.heads;
  args.head_dim = p.head_dim;
  args.bias_columns = p.bias_columns;
  args.scale = p.scale;
  const int64_t scratch_bytes = vtb_window_attention_scratch(&args);
  EXPECT_EQ(0, scratch_bytes % 64);
  Guarded<char> scratch(scratch_bytes * threads, p.edge);
  args.qkv = p.qkv.data();
  args.bias = p.bias ? p.bias->data() : nullptr;
  args.regions = p.regions ? p.regions->data() : nullptr;
  args.out = out.data();
  args.scratch = scratch.data();
  EXPECT_EQ(VTB_OK, vtb_window_attention(pool, &args));
  return out;
}

void check(const Problem& p, int32_t threads = 1) {
  const Expected expected = attend(p);
  EXPECT_LT(difference(run(p, threads), expected.out).relative_l2, expected.tolerance) << p.text();
}

TEST(WindowAttention, ShapesAndTails) {
  for (int32_t tokens : {1, 2, 3, 7, 15, 16, 17, 33, 48, 49, 50, 144, 196, 333}) {
    for (int32_t head_dim : {1, 3, 6, 12, 24, 31, 32, 33, 64}) {
      // The guard pages lie behind the buffers in one half of the shapes, before them in the other.
      Problem p(1, 2, tokens, 2, head_dim, (tokens + head_dim) % 2 ? Edge::back : Edge::front);
      p.add_bias();
      p.add_regions([](int64_t i) { return static_cast<int32_t>(i * i % 5 / 2); });
      check(p);
    }
  }
}

TEST(WindowAttention, RandomArguments) {
  for_random_cases([](Random& random) {
    const int32_t rows = random.between(1, 9), columns = random.between(1, 9);
    Problem p(random.between(1, 2), random.between(1, 4), rows * columns, random.between(1, 4), random.between(1, 70),
              random.edge());
    const int32_t bias = random.below(3);
    if (bias == 1) p.add_bias();
    if (bias == 2) p.add_bias_table(columns);
    if (random.coin()) p.add_regions([&](int64_t) { return random.below(3); });
    check(p, random.between(1, 4));
  });
}

TEST(WindowAttention, BiasAndRegionsAreOptional) {
  for (Edge edge : both_edges) {
    for (bool bias : {false, true}) {
      for (bool regions : {false, true}) {
        for (int32_t tokens : {5, 16, 49}) {
          Problem p(1, 3, tokens, 3, 32, edge);
          if (bias) p.add_bias();
          if (regions) p.add_regions([](int64_t i) { return static_cast<int32_t>(i % 3); });
          check(p);
        }
      }
    }
  }
}

TEST(WindowAttention, BiasTables) {
  for (auto [rows, columns] :
       {std::pair{1, 1}, {1, 9}, {9, 1}, {7, 7}, {3, 5}, {12, 12}, {5, 17}, {13, 14}, {4, 70}, {19, 29}, {33, 31}}) {
    for (Edge edge : both_edges) {
      Problem p(2, 2, rows * columns, 3, 12, edge);
      p.add_bias_table(columns);
      check(p);
      p.add_regions([](int64_t i) { return static_cast<int32_t>(i % 3); });
      check(p);
    }
  }
}

TEST(WindowAttention, LargestShapes) {
  for (auto [tokens, head_dim] : {std::pair{4096, 3}, std::pair{333, 256}}) {
    Problem p(1, 1, tokens, 1, head_dim, Edge::back);
    p.add_bias();
    check(p);
  }
}

TEST(WindowAttention, OneRegionMasksNothing) {
  Problem p(1, 2, 49, 2, 32, Edge::back);
  const Guarded<float> unmasked = run(p);
  p.add_regions([](int64_t i) { return i < 49 ? 7 : -3; });
  const Guarded<float> masked = run(p);
  EXPECT_TRUE(std::equal(masked.begin(), masked.end(), unmasked.begin()));
}

TEST(WindowAttention, RegionsOfOneTokenAttendToThemselves) {
  Problem p(1, 1, 49, 2, 32, Edge::back);
  p.add_regions([](int64_t i) { return static_cast<int32_t>(i) - 20; });
  check(p);
  const Guarded<float> out = run(p);
  for (int64_t i = 0; i < p.tokens; ++i) {
    for (int64_t h = 0; h < p.heads; ++h) {
      for (int64_t d = 0; d < p.head_dim; ++d) {
        EXPECT_FLOAT_EQ(p.qkv[p.offset(i, 2, h) + d], out[(i * p.heads + h) * p.head_dim + d]);
      }
    }
  }
}

// The window's row of labels repeats for every image of a batch.
TEST(WindowAttention, Batches) {
  Problem p(3, 4, 17, 2, 12, Edge::front);
  p.add_bias();
  Random random(3);
  p.add_regions([&](int64_t) { return random.below(9); });
  check(p);
}

TEST(WindowAttention, LargeLogits) {
  for (int32_t tokens : {7, 49, 144, 700}) {
    Problem p(1, 1, tokens, 2, 32, Edge::back);
    p.add_bias();
    for (float& x : *p.bias) x *= 80;
    check(p);
    // With such a bias a masked pair can outweigh the others: the mask is -100, not minus infinity.
    p.add_regions([](int64_t i) { return static_cast<int32_t>(i); });
    check(p);
    p.regions.reset();
    // All far below or above zero: only differences matter, whatever a padded lane holds.
    for (float shift : {-1000.0f, 1000.0f}) {
      p.add_bias();
      for (float& x : *p.bias) x += shift;
      check(p);
    }
    // No finite logit overflows on the way.
    for (float& x : *p.bias) x = -3e38f;
    check(p);
  }
}

TEST(WindowAttention, ThreadsDoNotChangeTheResult) {
  // Few pairs, whose queries are divided, and many.
  for (auto [windows, tokens, heads] : {std::tuple{1, 331, 1}, {1, 1200, 1}, {4, 49, 1}, {8, 49, 3}, {32, 17, 5}}) {
    Problem p(1, windows, tokens, heads, 24, Edge::back);
    p.add_bias();
    check(p);
    const Guarded<float> alone = run(p);
    for (int32_t threads : {2, 3, 5}) {
      const Guarded<float> shared = run(p, threads);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), shared.begin())) << p.text() << " threads " << threads;
    }
  }
}

// A NaN may not vanish in a maximum: it must reach the rows that depend on it, and no others.
TEST(WindowAttention, NanIsNotHidden) {
  for (int32_t tokens : {3, 49, 600}) {
    for (int which : {0, 1}) {
      Problem p(1, 2, tokens, 2, 32, Edge::back);
      p.qkv[p.offset(1, which, 1) + 5] = std::numeric_limits<float>::quiet_NaN();
      const Guarded<float> out = run(p);
      for (int64_t i = 0; i < out.size(); ++i) {
        const int64_t row = i / (p.heads * p.head_dim), head = i / p.head_dim % p.heads;
        const bool depends = head == 1 && (which == 0 ? row == 1 : row < tokens);
        EXPECT_EQ(depends, std::isnan(out[i])) << p.text() << " element " << i;
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
