#include "test_support.h"

namespace vtb::test {
namespace {

TEST(Affine, OddShapesOptionalPartsActivations) {
  for (const DType& dtype : dtypes) {
    for (int32_t channels : {1, 3, 8, 24, 33}) {
      for (int32_t parts = 0; parts < 8; ++parts) {
        for (int64_t offset : {0, 1}) {
          const int32_t batch = 2, positions = 5, activation = (parts + channels) % activation_count;
          const Array in = Array::random(dtype, batch * positions * channels, channels, offset, 3);
          const Array factor = Array::random(dtype, batch * channels, 2),
                      scale = Array::random(f32, channels, 3, offset), shift = Array::random(f32, channels, 4);
          const Array out(dtype, in.size());
          const vtbc_affine_args args = {.batch = batch,
                                         .positions = positions,
                                         .channels = channels,
                                         .activation = activation,
                                         .in = in.address(),
                                         .factor = parts & 1 ? factor.address() : null,
                                         .scale = parts & 2 ? scale.address() : null,
                                         .shift = parts & 4 ? shift.address() : null,
                                         .out = out.address()};
          run(vtbc_affine_launch, args, dtype, parts % 3, {96});
          std::vector<double> expected(in.size());
          for (int64_t i = 0; i < in.size(); ++i) {
            const int64_t c = i % channels;
            double x = in[i];
            if (parts & 1) x *= factor[i / channels / positions * channels + c];
            if (parts & 2) x *= scale[c];
            if (parts & 4) x += shift[c];
            expected[i] = activate(x, activation);
          }
          ASSERT_LE(difference(out.read(), expected), dtype.rounding + 8 * 0x1p-24)
              << dtype.suffix << " " << channels << " parts " << parts;
        }
      }
    }
  }
}

}  // namespace
}  // namespace vtb::test
