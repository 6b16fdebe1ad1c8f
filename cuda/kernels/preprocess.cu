// From an 8-bit image to a model's input: resize, crop, normalise. Separable resampling in the integer arithmetic of
// Pillow (src/libImaging/Resample.c): columns first, rounded to 8 bits, then rows.
#include "vectors.cuh"

namespace vtb::preprocess {
namespace {

constexpr int weight_bits = 22;

// A sum of weighted samples as a sample.
__device__ __forceinline__ int32_t rounded(int32_t sum) {
  return min(max((sum + (1 << (weight_bits - 1))) >> weight_bits, 0), 255);
}

// Four weights of an output; rows of weights are whole vectors.
__device__ __forceinline__ int4 load_weights(const int32_t* weights) {
  VTB_CHECK_ALIGNED(weights, 16);
  return *reinterpret_cast<const int4*>(weights);
}

// Columns: `scratch` is [rows, out_width, 3].
__device__ __forceinline__ void filter_columns(const vtbc_preprocess_args& args) {
  const int32_t out_width = args.out_width;
  const int64_t count = static_cast<int64_t>(args.rows) * out_width;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const uint32_t y = static_cast<uint32_t>(i) / out_width, x = static_cast<uint32_t>(i) - y * out_width;
    const uint8_t* row = args.pixels + static_cast<int64_t>(y) * args.row_stride;
    const int32_t left = args.x_first[x];
    int32_t sums[3] = {};
    for (int32_t t = 0; t < args.x_taps; t += 4) {
      const int4 four = load_weights(args.x_weights + static_cast<int64_t>(x) * args.x_taps + t);
      const int32_t weight[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const uint8_t* pixel = row + static_cast<int64_t>(min(left + t + j, args.width - 1)) * args.pixel_stride;
        sums[0] += weight[j] * pixel[args.red];
        sums[1] += weight[j] * pixel[args.green];
        sums[2] += weight[j] * pixel[args.blue];
      }
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) args.scratch[3 * i + c] = static_cast<uint8_t>(rounded(sums[c]));
  }
}

// Neighbouring samples of a row of out that a thread computes.
__host__ __device__ __forceinline__ int samples_of_thread(const vtbc_preprocess_args& args) {
  return args.out_width % 4 == 0 && aligned_16(args.scratch, args.out) ? 4 : 1;
}

template <int n>
__device__ __forceinline__ void filter_rows(const vtbc_preprocess_args& args) {
  const int32_t samples = 3 * args.out_width;
  const uint32_t vectors = samples / n, count = vectors * args.out_height;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int32_t y = static_cast<uint32_t>(i) / vectors, x = (static_cast<uint32_t>(i) - y * vectors) * n;
    const int32_t above = args.y_first[y] - args.first_row;
    int32_t sums[n] = {};
    for (int32_t t = 0; t < args.y_taps; ++t) {
      // Beyond the image weights are zero.
      const int64_t row = min(above + t, args.rows - 1);
      const auto from = *reinterpret_cast<const Vector<uint8_t, n>*>(args.scratch + row * samples + x);
      const int32_t weight = args.y_weights[static_cast<int64_t>(y) * args.y_taps + t];
#pragma unroll
      for (int j = 0; j < n; ++j) sums[j] += weight * from.values[j];
    }
    float values[n];
#pragma unroll
    for (int j = 0; j < n; ++j) values[j] = args.normalised[(x + j) % 3 * 256 + rounded(sums[j])];
    store(args.out + i * n, values);
  }
}

__device__ __forceinline__ void filter_rows(const vtbc_preprocess_args& args) {
  if (samples_of_thread(args) == 4) {
    filter_rows<4>(args);
  } else {
    filter_rows<1>(args);
  }
}

}  // namespace
}  // namespace vtb::preprocess

VTB_KERNEL(vtb_preprocess_columns, uint8_t, vtbc_preprocess_args, vtb::block_threads, 0,
           vtb::preprocess::filter_columns(args))
VTB_KERNEL(vtb_preprocess_rows, float, vtbc_preprocess_args, vtb::block_threads, 0, vtb::preprocess::filter_rows(args))

extern "C" int64_t vtbc_preprocess_scratch(const vtbc_preprocess_args* args) {
  return int64_t{3} * args->rows * args->out_width;
}

extern "C" int32_t vtbc_preprocess_launch(vtbc_preprocess_args* args, vtbc_dtype, vtbc_launch* launches) {
  const int64_t samples = int64_t{3} * args->out_width * args->out_height;
  launches[0] = vtb::launch_threads("vtb_preprocess_columns", int64_t{args->rows} * args->out_width);
  launches[0].to_scratch = 1;
  launches[1] = vtb::launch_threads("vtb_preprocess_rows", samples / vtb::preprocess::samples_of_thread(*args));
  return 2;
}
