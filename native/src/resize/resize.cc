#include "resize/resize.h"

#include <algorithm>

#include "runtime/kernels.h"
#include "runtime/pool.h"

namespace {

// Runs body(image, out row) for all of them.
template <typename Body>
void for_each_row(vtb_pool* pool, const vtb_resize_args& args, const Body& body) {
  vtb::parallel_for(pool, int64_t{args.batch} * args.out_height, [&](int64_t index, int32_t) {
    const int64_t row = index % args.out_height;
    body(args.in + index / args.out_height * args.height * args.width * args.channels, static_cast<int32_t>(row),
         args.out + index * args.out_width * args.channels);
  });
}

// Positions that bin i of n averages.
struct Bin {
  int32_t first, count;
};

Bin bin(int64_t i, int64_t n, int64_t size) {
  const int64_t first = i * size / n, end = ((i + 1) * size + n - 1) / n;
  return {static_cast<int32_t>(first), static_cast<int32_t>(end - first)};
}

// Output position i of n lies `weight` of the way from `lower` to `upper`.
struct Neighbours {
  int64_t lower, upper;
  float weight;
};

Neighbours neighbours(int32_t i, int32_t n, int32_t size) {
  const double source = std::max(0.0, (i + 0.5) * size / n - 0.5);
  const int32_t lower = static_cast<int32_t>(source);
  return {lower, std::min(lower + 1, size - 1), static_cast<float>(source - lower)};
}

}  // namespace

vtb_status vtb_adaptive_average_pool(vtb_pool* pool, const vtb_resize_args* args) {
  const int32_t channels = args->channels;
  const int64_t stride = int64_t{args->width} * channels;
  for_each_row(pool, *args, [=](const float* image, int32_t y, float* out) {
    const Bin rows = bin(y, args->out_height, args->height);
    for (int32_t x = 0; x < args->out_width; ++x) {
      const Bin columns = bin(x, args->out_width, args->width);
      vtb::kernels().resize.mean(image + rows.first * stride + int64_t{columns.first} * channels, stride, rows.count,
                                 columns.count, channels, out + int64_t{x} * channels);
    }
  });
  return VTB_OK;
}

vtb_status vtb_bilinear(vtb_pool* pool, const vtb_resize_args* args) {
  const int64_t channels = args->channels, stride = args->width * channels;
  for_each_row(pool, *args, [=](const float* image, int32_t y, float* out) {
    const Neighbours rows = neighbours(y, args->out_height, args->height);
    const float* upper = image + rows.lower * stride;
    const float* lower = image + rows.upper * stride;
    for (int32_t x = 0; x < args->out_width; ++x) {
      const Neighbours columns = neighbours(x, args->out_width, args->width);
      const int64_t left = columns.lower * channels, right = columns.upper * channels;
      vtb::kernels().resize.interpolate(upper + left, upper + right, lower + left, lower + right, columns.weight,
                                        rows.weight, args->channels, out + x * channels);
    }
  });
  return VTB_OK;
}
