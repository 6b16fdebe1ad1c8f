#include "test_support.h"

namespace vtb::test {
namespace {

TEST(Sum, TermsMapsActivations) {
  const int32_t rows = 6;
  const Map map0({1, -1, 0, 3, 3, 2}), map1({-1, 0, 0, 1, -1, 1}), map2({7, 6, 5, 4, -1, 0});
  for (const DType& dtype : dtypes) {
    for (int32_t channels : {1, 8, 12, 40}) {
      for (int32_t bits = 0; bits < 8; ++bits) {
        for (int32_t terms : {1, 2, 3}) {
          for (int64_t offset : {0, 1}) {
            const int32_t activation = (bits + terms) % activation_count;
            const Array in[] = {Array::random(dtype, 8 * channels, 1, offset), Array::random(dtype, 8 * channels, 2),
                                Array::random(dtype, 8 * channels, 3)};
            const Map* maps[] = {bits & 1 ? &map0 : nullptr, bits & 2 ? &map1 : nullptr, bits & 4 ? &map2 : nullptr};
            const Array out(dtype, rows * channels);
            const auto map_address = [&](int t) { return maps[t] ? maps[t]->address() : null; };
            const vtbc_sum_args args = {.rows = rows,
                                        .channels = channels,
                                        .activation = activation,
                                        .in0 = in[0].address(),
                                        .in1 = terms > 1 ? in[1].address() : null,
                                        .in2 = terms > 2 ? in[2].address() : null,
                                        .map0 = map_address(0),
                                        .map1 = map_address(1),
                                        .map2 = map_address(2),
                                        .out = out.address()};
            run(vtbc_sum_launch, args, dtype, bits % 3, {64});
            std::vector<double> expected(out.size());
            for (int32_t i = 0; i < rows * channels; ++i) {
              double sum = 0;
              for (int32_t t = 0; t < terms; ++t) {
                const int32_t row = maps[t] ? maps[t]->rows[i / channels] : i / channels;
                if (row >= 0) sum += in[t][row * channels + i % channels];
              }
              expected[i] = activate(sum, activation);
            }
            ASSERT_LE(difference(out.read(), expected), dtype.rounding + 8 * 0x1p-24)
                << dtype.suffix << " " << channels << " " << bits;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
