// out = epilogue(rows(a) . weight^T), rows gathered on the way to shared memory: convolutions without their matrix of
// patches, and layers whose product is not worth a pass of its own.
//
// A block computes a tile of the product, `stages - 1` steps of k being under way from global memory while one is
// multiplied. A step is 64 bytes of a row in every dtype: four chunks of 16. A warp has warp_rows x 32 of the tile,
// in parts of 16 x 8 as mma.m16n8k16 leaves them: with g = lane / 4 and t = lane % 4 a lane holds {(g, 2t),
// (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)}; floats are multiplied without mma, but held alike.
#include "epilogue.cuh"

namespace vtb {
namespace gemm {

constexpr int stages = 3, chunks = 4, warp_columns = 32;

template <typename T>
constexpr int step = chunks* vector_size<T>;

// A row's chunk in a tile of shared memory. Rows of 64 bytes would meet in the same banks; this order lets eight rows
// touch all.
template <typename T>
__device__ __forceinline__ T* chunk_at(T* tile, int row, int chunk) {
  return tile + row * step<T> + (chunk ^ (row / 2 % chunks)) * vector_size<T>;
}

// The left operand, row i: `groups` segments, segment g from a + map[i * groups + g] * segment, zeros where the map
// says -1; row i of a without a map. The weight is one without a map, too.
template <typename T>
struct Operand {
  const T* data;
  const int32_t* map;
  int32_t rows, groups, segment;

  // The first element of a segment, or -1.
  __device__ __forceinline__ int32_t source(int32_t row, int32_t group) const {
    if (row >= rows || group >= groups) return -1;
    const int32_t from = map ? map[row * groups + group] : row;
    return from < 0 ? -1 : from * segment;
  }
};

// Copies tiles of `count` rows of an operand, step by step of k, by chunks or else by elements. A thread has the same
// chunk of several rows.
template <typename T, int count, int threads, bool vectors>
struct Fetcher {
  static constexpr int own = count * chunks / threads, between = threads / chunks;

  const Operand<T>& operand;
  int32_t first, group = 0, offset;  // row of this thread's first chunk, and where the next step starts
  int32_t sources[own];

  __device__ __forceinline__ Fetcher(const Operand<T>& operand, int32_t first_row)
      : operand(operand), first(first_row + threadIdx.x / chunks), offset(threadIdx.x % chunks * vector_size<T>) {
    seek();
  }

  // To the group of the offset.
  __device__ __forceinline__ void seek() {
    while (offset >= operand.segment) {
      offset -= operand.segment;
      ++group;
    }
#pragma unroll
    for (int i = 0; i < own; ++i) sources[i] = operand.source(first + i * between, group);
  }

  // Starts the copy of the next step.
  __device__ __forceinline__ void fetch(T* tile) {
#pragma unroll
    for (int i = 0; i < own; ++i) {
      T* const to = chunk_at(tile, threadIdx.x / chunks + i * between, threadIdx.x % chunks);
      int32_t source = sources[i];
      if constexpr (vectors) {
        copy_async_16(to, operand.data + source + offset, source >= 0);
      } else {
        int32_t at = offset, from = group;
        for (int e = 0; e < vector_size<T>; ++e, ++at) {
          if (at == operand.segment) {
            at = 0;
            source = operand.source(first + i * between, ++from);
          }
          to[e] = source >= 0 ? operand.data[source + at] : from_float<T>(0);
        }
      }
    }
    offset += step<T>;
    if (offset >= operand.segment) seek();
  }
};

// sums += a b^T for one step, of the warp's rows of tile a and columns, rows of tile b.
template <typename T, int parts>
__device__ __forceinline__ void multiply_step(float (&sums)[parts][4][4], T* a, T* b, int first_row, int first_column) {
  const int lane = threadIdx.x % 32;
  if constexpr (sizeof(T) == 2) {
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      uint32_t left[parts][4], right[2][4];
#pragma unroll
      for (int i = 0; i < parts; ++i) {
        ldmatrix<false>(left[i], chunk_at(a, first_row + 16 * i + lane % 16, 2 * k + lane / 16));
      }
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        ldmatrix<false>(right[j], chunk_at(b, first_column + 16 * j + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
      }
#pragma unroll
      for (int i = 0; i < parts; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          mma_m16n8k16<T>(sums[i][j], left[i], {right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]});
        }
      }
    }
  } else {
#pragma unroll
    for (int k = 0; k < step<T>; k += 2) {
      float left[2 * parts][2];
#pragma unroll
      for (int i = 0; i < 2 * parts; ++i) load(left[i], chunk_at(a, first_row + 8 * i + lane / 4, k / 4) + k % 4);
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        float right[2];
        load(right, chunk_at(b, first_column + j / 2 * 8 + lane % 4 * 2 + j % 2, k / 4) + k % 4);
#pragma unroll
        for (int i = 0; i < 2 * parts; ++i) {
          sums[i / 2][j / 2][i % 2 * 2 + j % 2] += left[i][0] * right[0];
          sums[i / 2][j / 2][i % 2 * 2 + j % 2] += left[i][1] * right[1];
        }
      }
    }
  }
}

template <typename T, int tile>
constexpr int memory_elements = stages * 2 * tile* step<T>;

template <typename T, int tile, int threads, bool vectors>
__device__ __forceinline__ void gemm(const Operand<T>& a, const Operand<T>& weight, const Epilogue<T>& epilogue,
                                     T* memory) {
  constexpr int warps_across = tile / warp_columns, warp_rows = tile / (threads / 32 / warps_across);
  constexpr int parts = warp_rows / 16;
  constexpr int tile_elements = tile * step<T>, staged_rows = 32, pitch = warp_columns + 4;
  static_assert(threads / 32 * staged_rows * pitch * sizeof(float) <= memory_elements<T, tile> * sizeof(T),
                "results are staged there too");
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_row = warp / warps_across * warp_rows, warp_column = warp % warps_across * warp_columns;
  const int32_t m = a.rows, n = weight.rows, k = weight.segment;
  const int32_t steps = (k + step<T> - 1) / step<T>, across = (n + tile - 1) / tile, down = (m + tile - 1) / tile;

  for (int32_t unit = blockIdx.x; unit < down * across; unit += gridDim.x) {
    const int32_t first_row = unit / across * tile, first_column = unit % across * tile;
    Fetcher<T, tile, threads, vectors> rows(a, first_row), columns(weight, first_column);
    auto fetch = [&](int stage) {
      T* const left = memory + 2 * stage * tile_elements;
      rows.fetch(left);
      columns.fetch(left + tile_elements);
    };
#pragma unroll 1
    for (int i = 0; i < stages - 1; ++i) {
      if (i < steps) fetch(i);
      commit_copies();
    }
    float sums[parts][4][4] = {};
    int stage = 0;
    for (int32_t i = 0; i < steps; ++i) {
      wait_copies<stages - 2>();
      __syncthreads();
      if (i + stages - 1 < steps) fetch(stage == 0 ? stages - 1 : stage - 1);
      commit_copies();
      T* const left = memory + 2 * stage * tile_elements;
      multiply_step(sums, left, left + tile_elements, warp_row, warp_column);
      stage = stage + 1 < stages ? stage + 1 : 0;
    }

    // Results pass through shared memory, for vectors along rows; 32 rows of each warp at a time.
    float* const staged = reinterpret_cast<float*>(memory) + warp * staged_rows * pitch;
    __syncthreads();
    for (int done = 0; done < parts; done += 2) {
#pragma unroll
      for (int i = 0; i < parts; ++i) {
        if (i / 2 != done / 2) continue;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const float pair[2] = {sums[i][j][2 * half], sums[i][j][2 * half + 1]};
            store(staged + (i % 2 * 16 + half * 8 + lane / 4) * pitch + 8 * j + lane % 4 * 2, pair);
          }
        }
      }
      __syncwarp();
      by_width<T>(epilogue.takes_vectors(), [&](auto width) {
        constexpr int v = decltype(width)::value, row_lanes = warp_columns / v;
        const int32_t column = lane % row_lanes * v, c = first_column + warp_column + column;
#pragma unroll 1
        for (int i = lane / row_lanes; i < staged_rows; i += 32 / row_lanes) {
          const int32_t row = first_row + warp_row + done * 16 + i;
          if (row >= m || c >= n) continue;
          float x[v];
          load(x, staged + i * pitch + column);
          epilogue.finish(x, row, c);
        }
      });
      __syncwarp();
    }
    __syncthreads();
  }
}

template <typename T, int tile>
__device__ void gemm(const Operand<T>& a, const Operand<T>& weight, const Epilogue<T>& epilogue) {
  VTB_SHARED(T, memory, (memory_elements<T, tile>));
  if (fits_vectors<T>(a.segment, a.data, weight.data)) {
    gemm<T, tile, 2 * tile, true>(a, weight, epilogue, memory);
  } else {
    gemm<T, tile, 2 * tile, false>(a, weight, epilogue, memory);
  }
}

}  // namespace gemm
}  // namespace vtb

// out = epilogue(rows(a) . weight^T): m rows, weight [n, k] row-major. Row i of the left operand is the concatenation
// of `groups` segments of k / groups elements, segment g from a + a_map[i * groups + g] * (k / groups), zeros where
// the map says -1; without a map (null) row i of a, [m, k], groups being 1. The epilogue is vtb::Epilogue with n
// channels; out is neither a nor the gate.
//
// The number at the end of the name is the side of a block's tile of the product: 128, or 64 where that leaves
// multiprocessors without work. Segments, k and n that are multiples of vector_size<T> are the fast case.
// Block: 2 side threads, no others. Grid: ceil(m / side) * ceil(n / side) gives every block one tile.
#define VTB_GEMM(name, T, side)                                                                                      \
  extern "C" __global__ void __launch_bounds__(2 * side, sizeof(T) == 2 ? 256 / side : 1)                            \
      name(const T* a, const int32_t* a_map, int32_t groups, const T* weight, const float* bias, int32_t activation, \
           int32_t activation_last, const T* gate, int32_t gate_stride, const T* residual,                           \
           const int32_t* residual_map, const int32_t* out_map, T* out, int32_t m, int32_t n, int32_t k) {           \
    vtb::gemm::gemm<T, side>(                                                                                        \
        {a, a_map, m, groups, k / groups}, {weight, nullptr, n, 1, k},                                               \
        {bias, activation, activation_last, gate, gate_stride, residual, residual_map, out_map, out, n});            \
  }                                                                                                                  \
  VTB_REGISTER_KERNEL(name, 2 * side)
#define VTB_GEMMS(suffix, T)              \
  VTB_GEMM(vtb_gemm_##suffix##_64, T, 64) \
  VTB_GEMM(vtb_gemm_##suffix##_128, T, 128)
VTB_FOR_EACH_DTYPE(VTB_GEMMS)
