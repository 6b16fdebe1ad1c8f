// out = epilogue(rows(a) . weight^T), rows gathered on the way to shared memory: convolutions without their matrix of
// patches, and layers whose product is not worth a pass of its own.
//
// A block computes a tile of the product, `stages - 1` steps of k being under way from global memory while one is
// multiplied. A step is as many bytes of a row in every dtype: chunks of 16. A warp has warp_rows x 32 of the tile,
// in parts of 16 x 8 as mma.m16n8k16 leaves them: with g = lane / 4 and t = lane % 4 a lane holds {(g, 2t),
// (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)}; floats are multiplied without mma, but held alike.
#include "epilogue.cuh"
#include "tensor_cores.cuh"

namespace vtb {
namespace gemm {

constexpr int stages = 3, chunks = VTBC_GEMM_STEP_BYTES / 16, warp_columns = 32;

template <typename T>
constexpr int step = chunks* vector_size<T>;

// A warp has a fixed share of a tile: a block has so many threads for every row of the tile, no others.
constexpr int row_threads = 2;

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
__device__ __forceinline__ void gemm(const Operand<T>& a, const Operand<T>& weight, const vtbc_epilogue& epilogue,
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
      by_width<T>(finishes_vectors<T>(epilogue, n), [&](auto width) {
        constexpr int v = decltype(width)::value, row_lanes = warp_columns / v;
        const int32_t column = lane % row_lanes * v, c = first_column + warp_column + column;
#pragma unroll 1
        for (int i = lane / row_lanes; i < staged_rows; i += 32 / row_lanes) {
          const int32_t row = first_row + warp_row + done * 16 + i;
          if (row >= m || c >= n) continue;
          float x[v];
          load(x, staged + i * pitch + column);
          finish<T>(epilogue, n, x, row, c);
        }
      });
      __syncwarp();
    }
    __syncthreads();
  }
}

template <typename T, int tile>
__device__ void gemm(const vtbc_gemm_args& args) {
  VTB_SHARED(T, memory, (memory_elements<T, tile>));
  const Operand<T> a = {static_cast<const T*>(args.a), args.a_map, args.m, args.groups, args.k / args.groups};
  const Operand<T> weight = {static_cast<const T*>(args.weight), nullptr, args.n, 1, args.k};
  if (fits_vectors<T>(a.segment, a.data, weight.data)) {
    gemm<T, tile, row_threads * tile, true>(a, weight, args.epilogue, memory);
  } else {
    gemm<T, tile, row_threads * tile, false>(a, weight, args.epilogue, memory);
  }
}

}  // namespace gemm
}  // namespace vtb

#define VTB_GEMM(tile)                                                                                        \
  VTB_KERNELS(vtb_gemm_##tile, vtbc_gemm_args, vtb::gemm::row_threads* tile, sizeof(T) == 2 ? 320 / tile : 1, \
              vtb::gemm::gemm<T, tile>(args))
VTB_GEMM(64)
VTB_GEMM(128)
static_assert(VTBC_GEMM_SMALL_TILE == 64 && VTBC_GEMM_LARGE_TILE == 128, "there is a kernel for either");

extern "C" int64_t vtbc_gemm_tiles(int32_t m, int32_t n, int32_t tile) {
  return vtb::divide_up(m, tile) * vtb::divide_up(n, tile);
}

extern "C" int32_t vtbc_gemm_launch(vtbc_gemm_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const char* const kernel = args->tile == VTBC_GEMM_SMALL_TILE ? vtb_gemm_64_names[dtype] : vtb_gemm_128_names[dtype];
  const int64_t tiles = vtbc_gemm_tiles(args->m, args->n, args->tile);
  launches[0] = {kernel, tiles, vtb::gemm::row_threads * args->tile, 1, 0, 0};
  return 1;
}
