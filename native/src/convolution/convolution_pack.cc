// Winograd's transform of the taps, G g G^T, straight into the panels that the GEMM kernel multiplies.
#include <algorithm>
#include <atomic>

#include "convolution/convolution.h"
#include "gemm/gemm.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"
#include "shared/elements.h"

namespace vtb {
namespace {

constexpr int64_t taps = 9;

// Position p of G g G^T is the sum over t of factors[p][t] * tap t of g.
struct TapTransform {
  int64_t positions;
  double factors[36][taps];
};

// G has a row for each of the points and for infinity, as vertebra.h says.
TapTransform tap_transform(int64_t tile) {
  constexpr double points2[] = {0, 1, -1}, points4[] = {0, 5 / 8.0, -5 / 8.0, 3 / 2.0, -3 / 2.0};
  const double* points = tile == 4 ? points4 : points2;
  const int64_t side = tile + 2, finite = side - 1;
  double g[6][3] = {};
  for (int64_t i = 0; i < finite; ++i) {
    const double x = points[i];
    double divisor = 1;
    for (int64_t j = 0; j < finite; ++j) divisor *= j == i ? 1 : x - points[j];
    g[i][0] = 1 / divisor;
    g[i][1] = x / divisor;
    g[i][2] = x * x / divisor;
  }
  g[finite][2] = 1;
  TapTransform transform = {side * side, {}};
  for (int64_t p = 0; p < transform.positions; ++p) {
    for (int64_t t = 0; t < taps; ++t) transform.factors[p][t] = g[p / side][t / 3] * g[p % side][t % 3];
  }
  return transform;
}

template <typename Source>
vtb_status pack(int64_t tile, vtb_pool* pool, const void* weight, int64_t channels, int64_t in_channels, void* packed) {
  const int64_t nr = gemm_kernel(VTB_F32, in_channels).nr;
  const TapTransform transform = tap_transform(tile);
  std::atomic<bool> finite{true};
  parallel_for(pool, divide_up(channels, nr), [&](int64_t panel, int32_t) {
    const int64_t first = panel * nr, present = std::min(nr, channels - first);
    float* words = static_cast<float*>(packed) + first * transform.positions * in_channels;
    bool panel_finite = true;
    for (int64_t i = 0; i < in_channels; ++i) {
      for (int64_t j = 0; j < nr; ++j) {
        double g[taps] = {};
        for (int64_t t = 0; t < taps && j < present; ++t) {
          g[t] = Source::to_float(read<Source>(weight, ((first + j) * taps + t) * in_channels + i));
        }
        for (int64_t p = 0; p < transform.positions; ++p) {
          double sum = 0;
          for (int64_t t = 0; t < taps; ++t) sum += transform.factors[p][t] * g[t];
          const float rounded = static_cast<float>(sum);
          panel_finite &= F32::is_finite(to_bits(rounded));
          words[(p * in_channels + i) * nr + j] = rounded;
        }
      }
    }
    if (!panel_finite) finite = false;
  });
  return finite ? VTB_OK : VTB_NOT_FINITE;
}

}  // namespace

int64_t convolution_packed_bytes(int64_t tile, int32_t channels, int32_t in_channels) {
  const int32_t side = static_cast<int32_t>(tile) + 2, k = side * side * in_channels;
  return gemm_packed_bytes(gemm_kernel(VTB_F32, k), channels, k);
}

vtb_status convolution_pack(int64_t tile, vtb_pool* pool, const void* weight, vtb_dtype dtype, int32_t channels,
                            int32_t in_channels, void* packed) {
  switch (dtype) {
    case VTB_F16: return pack<F16>(tile, pool, weight, channels, in_channels, packed);
    case VTB_BF16: return pack<BF16>(tile, pool, weight, channels, in_channels, packed);
    default: return pack<F32>(tile, pool, weight, channels, in_channels, packed);
  }
}

}  // namespace vtb

extern "C" {

int64_t vtb_convolution_packed_bytes(int32_t channels, int32_t in_channels) {
  return vtb::convolution_packed_bytes(vtb::convolution_tile(channels, in_channels), channels, in_channels);
}

vtb_status vtb_convolution_pack(vtb_pool* pool, const void* weight, vtb_dtype dtype, int32_t channels,
                                int32_t in_channels, void* packed) {
  const int64_t tile = vtb::convolution_tile(channels, in_channels);
  return vtb::convolution_pack(tile, pool, weight, dtype, channels, in_channels, packed);
}

}  // extern "C"
