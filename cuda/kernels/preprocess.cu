// From an 8-bit image to a model's input: resize, crop, normalise. Separable resampling in the integer arithmetic of
// Pillow (src/libImaging/Resample.c): columns first, rounded to 8 bits, then rows.
#include "common.cuh"

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

// n neighbouring samples of a row of out. `filtered` starts with row first_row of the image.
template <typename T, int n>
__device__ void filter_rows(const uint8_t* filtered, const int32_t* first, const int32_t* weights,
                            const float* normalised, T* out, int32_t first_row, int32_t rows, int32_t out_width,
                            int32_t out_height, int32_t taps) {
  const int32_t samples = 3 * out_width;
  const uint32_t vectors = samples / n, count = vectors * out_height;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int32_t y = static_cast<uint32_t>(i) / vectors, x = (static_cast<uint32_t>(i) - y * vectors) * n;
    const int32_t above = first[y] - first_row;
    int32_t sums[n] = {};
    for (int32_t t = 0; t < taps; ++t) {
      // Beyond the image weights are zero.
      const int64_t row = min(above + t, rows - 1);
      const auto from = *reinterpret_cast<const Vector<uint8_t, n>*>(filtered + row * samples + x);
      const int32_t weight = weights[static_cast<int64_t>(y) * taps + t];
#pragma unroll
      for (int j = 0; j < n; ++j) sums[j] += weight * from.values[j];
    }
    float values[n];
#pragma unroll
    for (int j = 0; j < n; ++j) values[j] = normalised[(x + j) % 3 * 256 + rounded(sums[j])];
    store(out + i * n, values);
  }
}

template <typename T>
__device__ void filter_rows(const uint8_t* filtered, const int32_t* first, const int32_t* weights,
                            const float* normalised, T* out, int32_t first_row, int32_t rows, int32_t out_width,
                            int32_t out_height, int32_t taps) {
  if (out_width % 4 == 0 && aligned_16(filtered, out)) {
    filter_rows<T, 4>(filtered, first, weights, normalised, out, first_row, rows, out_width, out_height, taps);
  } else {
    filter_rows<T, 1>(filtered, first, weights, normalised, out, first_row, rows, out_width, out_height, taps);
  }
}

}  // namespace
}  // namespace vtb::preprocess

// Two launches preprocess an image, as io.vertebra.image.ReferencePreprocessor does. An output i of an axis is
//      (sum over t < taps of in[first[i] + t] * weights[i, t] + 2^21) >> 22, clamped to 0..255;
// first: [outputs], ascending, each within the axis; weights: [outputs, taps], taps a multiple of 4, zero beyond the
// axis, aligned to 16 bytes. An output whose weights are all zero is black.

// filtered: [rows, out_width, 3], the rows from first_row on of the image, their columns resampled. A pixel is
// pixel_stride bytes, among which byte `red` is its red sample, and so on; rows are row_stride bytes apart, and gaps
// between them are not read. rows * out_width < 2^31. Block: 256 threads. Grid: ceil(rows * out_width / 256) blocks;
// any is right.
extern "C" __global__ void __launch_bounds__(256)
    vtb_preprocess_columns(const uint8_t* pixels, const int32_t* first, const int32_t* weights, uint8_t* filtered,
                           int32_t width, int32_t pixel_stride, int32_t red, int32_t green, int32_t blue,
                           int64_t row_stride, int32_t first_row, int32_t rows, int32_t out_width, int32_t taps) {
  using vtb::preprocess::rounded;
  const int64_t count = static_cast<int64_t>(rows) * out_width;
  for (int64_t i = vtb::global_thread(); i < count; i += vtb::global_threads()) {
    const uint32_t y = static_cast<uint32_t>(i) / out_width, x = static_cast<uint32_t>(i) - y * out_width;
    const uint8_t* row = pixels + (first_row + static_cast<int64_t>(y)) * row_stride;
    const int32_t left = first[x];
    int32_t sums[3] = {};
    for (int32_t t = 0; t < taps; t += 4) {
      const int4 four = vtb::preprocess::load_weights(weights + static_cast<int64_t>(x) * taps + t);
      const int32_t weight[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const uint8_t* pixel = row + static_cast<int64_t>(min(left + t + j, width - 1)) * pixel_stride;
        sums[0] += weight[j] * pixel[red];
        sums[1] += weight[j] * pixel[green];
        sums[2] += weight[j] * pixel[blue];
      }
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) filtered[3 * i + c] = static_cast<uint8_t>(rounded(sums[c]));
  }
}
VTB_REGISTER_KERNEL(vtb_preprocess_columns, 256)

// out: [out_height, out_width, 3], from `filtered` as above, which has to hold all rows that weights other than zero
// reach. normalised: [3, 256], what a sample of a channel becomes. Less than 2^31 samples.
// Block: 256 threads. Grid: a thread for every 4 samples if out_width is a multiple of 4, else for every one; any is
// right.
#define VTB_PREPROCESS_ROWS(suffix, T)                                                                              \
  extern "C" __global__ void __launch_bounds__(256) vtb_preprocess_rows_##suffix(                                   \
      const uint8_t* filtered, const int32_t* first, const int32_t* weights, const float* normalised, T* out,       \
      int32_t first_row, int32_t rows, int32_t out_width, int32_t out_height, int32_t taps) {                       \
    vtb::preprocess::filter_rows(filtered, first, weights, normalised, out, first_row, rows, out_width, out_height, \
                                 taps);                                                                             \
  }                                                                                                                 \
  VTB_REGISTER_KERNEL(vtb_preprocess_rows_##suffix, 256)
VTB_FOR_EACH_DTYPE(VTB_PREPROCESS_ROWS)
