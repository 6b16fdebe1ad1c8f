// A matrix product for every position of a tile between two transforms, block by block of tiles, so that what the
// transforms write and read stays in the core's own cache; the products are tiles of the GEMM kernel.
#include "convolution/convolution.h"

#include <algorithm>
#include <limits>

#include "gemm/gemm.h"
#include "runtime/dispatch.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"

namespace vtb {
namespace {

Dispatched<ConvolutionKernel> kernels{{VTB_ISA_GENERIC, convolution_f32_generic},
                                      {VTB_ISA_AVX2, convolution_f32_avx2},
                                      {VTB_ISA_AVX512, convolution_f32_avx512}};

// What the transformed operand and the products of a block may take of L2, next to two panels of weights.
constexpr int64_t block_bytes = 512 * 1024;
// Fewer tiles than this in a block would read the weights from L3 too often for the arithmetic done with them.
constexpr int64_t tiles_worth_a_block = 48;
constexpr int64_t tasks_per_thread = 4;

// Positions of a transformed tile, row-major.
int64_t positions_of(int64_t tile) { return (tile + 2) * (tile + 2); }

int64_t tiles_of(int64_t tile, const vtb_convolution_args& args) {
  return args.batch * divide_up(args.height, tile) * divide_up(args.width, tile);
}

// Floats from tile to tile of the transformed operand: an odd number of cache lines, which spread over all cache sets.
int64_t operand_stride(const vtb_convolution_args& args) { return (divide_up(args.in_channels, 16) | 1) * 16; }

int64_t largest_block(int64_t tile, const vtb_convolution_args& args) {
  const GemmKernel& kernel = gemm_kernel(VTB_F32, args.in_channels);
  const int64_t floats = positions_of(tile) * (operand_stride(args) + kernel.nr);
  const int64_t tile_bytes = floats * static_cast<int64_t>(sizeof(float));
  return std::min(tiles_of(tile, args), std::max<int64_t>(kernel.mr, block_bytes / tile_bytes));
}

// A thread's scratch: which block it holds, zeros for the padding, its transformed operand, and the products of one
// panel.
struct alignas(64) Block {
  int64_t held;
  float* zeros() { return reinterpret_cast<float*>(this + 1); }
};

// The products of one panel at all positions: [positions][tiles][nr].
void multiply(const vtb_convolution_args& args, int64_t positions, const float* operand, int64_t tiles, int64_t panel,
              float* products) {
  const GemmKernel& kernel = gemm_kernel(VTB_F32, args.in_channels);
  const int64_t k = args.in_channels, stride = operand_stride(args);
  const int64_t row_tiles = divide_up(tiles, kernel.mr);
  GemmTile tile = {};
  tile.a_stride = stride;
  tile.words = args.in_channels;
  tile.columns = kernel.nr;
  tile.plain = true;
  tile.floor = -std::numeric_limits<float>::infinity();
  tile.out_stride = kernel.nr;
  tile.next_lines = static_cast<int32_t>(divide_up(kernel.unroll * kernel.nr, 16 * row_tiles));
  const int64_t tile_lines = k / kernel.unroll * tile.next_lines;
  for (int64_t position = 0; position < positions; ++position) {
    tile.panel = static_cast<const float*>(args.weight) + (panel * positions + position) * k * kernel.nr;
    for (int64_t t = 0; t < row_tiles; ++t) {
      const int64_t begin = tiles * t / row_tiles;
      tile.rows = static_cast<int32_t>(tiles * (t + 1) / row_tiles - begin);
      tile.a = operand + (position * tiles + begin) * stride;
      tile.out = products + (position * tiles + begin) * kernel.nr;
      tile.next = reinterpret_cast<const char*>(tile.panel + k * kernel.nr) + t * tile_lines * 64;
      kernel.tile(tile);
    }
  }
}

}  // namespace

// Of more channels, on the small maps that have so many, reading the larger weights from memory costs more than the
// fewer multiplications save.
int64_t convolution_tile(int64_t channels, int64_t in_channels) { return channels * in_channels <= 128 * 128 ? 4 : 2; }

int64_t convolution_scratch(int64_t tile, const vtb_convolution_args& args) {
  const int64_t stride = operand_stride(args), nr = gemm_kernel(VTB_F32, args.in_channels).nr;
  const int64_t floats = stride + positions_of(tile) * largest_block(tile, args) * (stride + nr);
  return static_cast<int64_t>(sizeof(Block)) + round_up(floats, 16) * static_cast<int64_t>(sizeof(float));
}

vtb_status convolution(int64_t tile, vtb_pool* pool, const vtb_convolution_args& args) {
  const int64_t threads = vtb_pool_threads(pool), tiles = tiles_of(tile, args), positions = positions_of(tile);
  const int64_t stride = operand_stride(args), nr = gemm_kernel(VTB_F32, args.in_channels).nr;
  const int64_t panels = divide_up(args.channels, nr);
  const int64_t tasks = threads == 1 ? 1 : threads * tasks_per_thread;
  const int64_t fewest =
      std::max(divide_up(tiles, largest_block(tile, args)), std::min(tasks, tiles / tiles_worth_a_block));
  // As many blocks for each thread.
  const int64_t blocks = fewest < threads ? fewest : round_up(fewest, threads);
  // Channels are divided only where there are too few tiles: threads that share a block each transform all of it.
  const int64_t parts = blocks >= 2 * threads ? 1 : std::min(panels, divide_up(tasks, blocks));
  const int64_t scratch_bytes = convolution_scratch(tile, args);
  const auto block_of = [&](int64_t worker) {
    return reinterpret_cast<Block*>(static_cast<char*>(args.scratch) + worker * scratch_bytes);
  };
  const WinogradTransforms& transform = tile == 4 ? kernels->tile4 : kernels->tile2;
  for (int64_t worker = 0; worker < threads; ++worker) {
    block_of(worker)->held = -1;
    std::fill_n(block_of(worker)->zeros(), stride, 0.0f);
  }
  parallel_for(pool, blocks * parts, [&](int64_t task, int32_t worker) {
    const int64_t index = task / parts, part = task % parts;
    const int64_t begin = tiles * index / blocks, end = tiles * (index + 1) / blocks;
    Block* block = block_of(worker);
    float* operand = block->zeros() + stride;
    float* products = operand + positions * (end - begin) * stride;
    if (block->held != index) {
      transform.in(args, begin, end, block->zeros(), operand, stride);
      block->held = index;
    }
    for (int64_t panel = panels * part / parts; panel < panels * (part + 1) / parts; ++panel) {
      multiply(args, positions, operand, end - begin, panel, products);
      const int64_t channel = panel * nr;
      transform.out(args, begin, end, products, nr, static_cast<int32_t>(channel),
                    static_cast<int32_t>(std::min(nr, args.channels - channel)));
    }
  });
  return VTB_OK;
}

}  // namespace vtb

extern "C" {

int64_t vtb_convolution_scratch(const vtb_convolution_args* args) {
  return vtb::convolution_scratch(vtb::convolution_tile(args->channels, args->in_channels), *args);
}

vtb_status vtb_convolution(vtb_pool* pool, const vtb_convolution_args* args) {
  return vtb::convolution(vtb::convolution_tile(args->channels, args->in_channels), pool, *args);
}

}  // extern "C"
