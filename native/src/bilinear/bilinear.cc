#include "bilinear/bilinear.h"

#include <algorithm>

#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<BilinearKernel> kernels{
    {VTB_ISA_GENERIC, bilinear_f32_generic}, {VTB_ISA_AVX2, bilinear_f32_avx2}, {VTB_ISA_AVX512, bilinear_f32_avx512}};

// Output position i of n lies `weight` of the way from `lower` to `upper`.
struct Neighbours {
  int64_t lower, upper;
  float weight;
};

Neighbours neighbours(int64_t i, int32_t n, int32_t size) {
  const double source = std::max(0.0, (i + 0.5) * size / n - 0.5);
  const int64_t lower = static_cast<int64_t>(source);
  return {lower, std::min<int64_t>(lower + 1, size - 1), static_cast<float>(source - lower)};
}

}  // namespace
}  // namespace vtb

vtb_status vtb_bilinear(vtb_pool* pool, const vtb_bilinear_args* call) {
  using namespace vtb;
  const vtb_bilinear_args& args = *call;
  const int64_t channels = args.channels, stride = args.width * channels;
  parallel_for(pool, int64_t{args.batch} * args.out_height, [&](int64_t row, int32_t) {
    const float* image = args.in + row / args.out_height * args.height * stride;
    float* out = args.out + row * args.out_width * channels;
    const Neighbours rows = neighbours(row % args.out_height, args.out_height, args.height);
    const float* upper = image + rows.lower * stride;
    const float* lower = image + rows.upper * stride;
    for (int32_t x = 0; x < args.out_width; ++x) {
      const Neighbours columns = neighbours(x, args.out_width, args.width);
      const int64_t left = columns.lower * channels, right = columns.upper * channels;
      kernels->interpolate(upper + left, upper + right, lower + left, lower + right, columns.weight, rows.weight,
                           args.channels, out + x * channels);
    }
  });
  return VTB_OK;
}
