// Means over bins of a map.
#include "average.cuh"

namespace vtb {
namespace {

template <typename T>
__device__ void adaptive_average_pool(const vtbc_resize_args& args) {
  average_bins(static_cast<const T*>(args.in), static_cast<T*>(args.out), args.batch, args.height, args.width,
               args.channels, args.out_height, args.out_width);
}

}  // namespace
}  // namespace vtb

VTB_KERNELS(vtb_adaptive_average_pool, vtbc_resize_args, vtb::block_threads, 0, vtb::adaptive_average_pool<T>(args))

extern "C" int32_t vtbc_adaptive_average_pool_launch(vtbc_resize_args* args, vtbc_dtype dtype, vtbc_launch* launches) {
  const int64_t bins = int64_t{args->batch} * args->out_height * args->out_width;
  const int64_t n = vtb::access_elements(dtype, args->channels, args->in, args->out);
  launches[0] = vtb::launch_bins(vtb_adaptive_average_pool_names[dtype], bins, args->channels, n);
  return 1;
}
