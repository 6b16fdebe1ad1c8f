#include "adaptive_average_pool/adaptive_average_pool.h"

#include "runtime/dispatch.h"
#include "runtime/pool.h"

namespace vtb {
namespace {

Dispatched<AdaptiveAveragePoolKernel> kernels{{VTB_ISA_GENERIC, adaptive_average_pool_f32_generic},
                                              {VTB_ISA_AVX2, adaptive_average_pool_f32_avx2},
                                              {VTB_ISA_AVX512, adaptive_average_pool_f32_avx512}};

// Positions that bin i of n averages.
struct Bin {
  int32_t first, count;
};

Bin bin(int64_t i, int64_t n, int64_t size) {
  const int64_t first = i * size / n, end = divide_up((i + 1) * size, n);
  return {static_cast<int32_t>(first), static_cast<int32_t>(end - first)};
}

}  // namespace
}  // namespace vtb

vtb_status vtb_adaptive_average_pool(vtb_pool* pool, const vtb_adaptive_average_pool_args* call) {
  using namespace vtb;
  const vtb_adaptive_average_pool_args& args = *call;
  const int64_t channels = args.channels, stride = args.width * channels;
  parallel_for(pool, int64_t{args.batch} * args.out_height, [&](int64_t row, int32_t) {
    const float* image = args.in + row / args.out_height * args.height * stride;
    float* out = args.out + row * args.out_width * channels;
    const Bin rows = bin(row % args.out_height, args.out_height, args.height);
    for (int32_t x = 0; x < args.out_width; ++x) {
      const Bin columns = bin(x, args.out_width, args.width);
      kernels->mean(image + rows.first * stride + columns.first * channels, stride, rows.count, columns.count,
                    args.channels, out + x * channels);
    }
  });
  return VTB_OK;
}
