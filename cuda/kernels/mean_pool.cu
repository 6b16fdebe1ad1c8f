// The mean over all positions of an image. Of more positions than one block averages in the time of another launch, the
// means of equal parts come first, whose mean is that of all.
#include "average.cuh"

namespace vtb {
namespace {

constexpr int32_t most_positions = 256;  // that one launch takes
constexpr int32_t part_positions = 32;   // that are left to a part
constexpr int32_t most_parts = 128;

int32_t mean_parts(int32_t positions) {
  if (positions <= most_positions) return 1;
  for (int32_t parts = std::min(most_parts, positions / part_positions); parts > 1; --parts) {
    if (positions % parts == 0) return parts;
  }
  return 1;
}

template <typename T>
__device__ void mean_of_parts(const vtbc_mean_pool_args& args) {
  average_bins(static_cast<const T*>(args.in), static_cast<T*>(args.scratch), args.batch * args.parts,
               args.tokens / args.parts, 1, args.channels, 1, 1);
}

template <typename T>
__device__ void mean_pool(const vtbc_mean_pool_args& args) {
  const bool whole = args.parts == 1;
  average_bins(static_cast<const T*>(whole ? args.in : args.scratch), static_cast<T*>(args.out), args.batch,
               whole ? args.tokens : args.parts, 1, args.channels, 1, 1);
}

}  // namespace
}  // namespace vtb

VTB_KERNELS(vtb_mean_pool_parts, vtbc_mean_pool_args, vtb::block_threads, 0, vtb::mean_of_parts<T>(args))
VTB_KERNELS(vtb_mean_pool, vtbc_mean_pool_args, vtb::block_threads, 0, vtb::mean_pool<T>(args))

extern "C" int64_t vtbc_mean_pool_scratch(const vtbc_mean_pool_args* args, vtbc_dtype dtype) {
  const int32_t parts = vtb::mean_parts(args->tokens);
  return parts == 1 ? 0 : int64_t{args->batch} * parts * args->channels * (dtype == VTBC_F32 ? 4 : 2);
}

extern "C" int32_t vtbc_mean_pool_launch(vtbc_mean_pool_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t n = vtb::access_elements(dtype, args->channels, args->in, args->out, args->scratch);
  args->parts = vtb::mean_parts(args->tokens);
  int32_t count = 0;
  if (args->parts > 1) {
    launches[count] =
        vtb::launch_bins(vtb_mean_pool_parts_names[dtype], int64_t{args->batch} * args->parts, args->channels, n);
    launches[count++].to_scratch = 1;
  }
  launches[count++] = vtb::launch_bins(vtb_mean_pool_names[dtype], args->batch, args->channels, n);
  return count;
}
