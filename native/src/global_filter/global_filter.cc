#include "global_filter/global_filter.h"

#include <cmath>
#include <initializer_list>

#include "runtime/dispatch.h"
#include "runtime/pool.h"
#include "runtime/rounding.h"

namespace vtb {
namespace {

Dispatched<GlobalFilterKernel> kernels{{VTB_ISA_GENERIC, global_filter_f32_generic},
                                       {VTB_ISA_AVX2, global_filter_f32_avx2},
                                       {VTB_ISA_AVX512, global_filter_f32_avx512}};

// A pass over n elements needs at most n pairs, and the passes' lengths at least halve; the first third is a table of
// all roots, from which those are taken.
int64_t roots_bytes(int32_t length) { return round_up(int64_t{length} * 3 * 2 * sizeof(float), 64); }

// Into radices that have a kernel of their own, and primes.
void factor(int32_t length, DftPlan* plan) {
  const auto take = [&](int32_t radix) {
    plan->radix[plan->factors++] = radix;
    length /= radix;
  };
  for (int32_t odd : {7, 5, 3}) {
    while (length % odd == 0) take(odd);
  }
  while (length % 8 == 0 && length % 32 != 16) take(8);  // 16 is 4 x 4
  while (length % 4 == 0) take(4);
  if (length % 2 == 0) take(2);
  for (int32_t prime = 11; prime <= length / prime; prime += 2) {
    while (length % prime == 0) take(prime);
  }
  if (length > 1 || plan->factors == 0) take(length);
}

// `memory` has roots_bytes(length).
DftPlan make_plan(int32_t length, void* memory) {
  DftPlan plan = {};
  plan.length = length;
  factor(length, &plan);

  // Powers of the first root, in double precision: exact to fp32 for any length that memory can hold.
  struct Root {
    float cosine, sine;
  };
  Root* table = static_cast<Root*>(memory);
  const double angle = 2 * M_PI / length, cosine = std::cos(angle), sine = std::sin(angle);
  double re = 1, im = 0;
  for (int32_t i = 0; i < length; ++i) {
    table[i] = {static_cast<float>(re), static_cast<float>(im)};
    const double next = re * cosine - im * sine;
    im = re * sine + im * cosine;
    re = next;
  }

  Root* next = table + length;
  plan.roots = &next->cosine;
  int32_t stride = 1;  // the product of the radices before
  for (int32_t factor = 0; factor < plan.factors; ++factor) {
    const int32_t radix = plan.radix[factor], parts = length / stride / radix;
    for (int32_t i = 0; i < radix; ++i) *next++ = table[length / radix * i];
    for (int32_t p = 1; p < parts; ++p) {
      for (int32_t k = 1; k < radix; ++k) *next++ = table[k * p * stride];
    }
    stride *= radix;
  }
  return plan;
}

}  // namespace
}  // namespace vtb

int64_t vtb_global_filter_scratch(const vtb_global_filter_args* args) {
  using namespace vtb;
  return roots_bytes(args->width) + roots_bytes(args->height) + kernels->scratch(args->height, args->width);
}

vtb_status vtb_global_filter(vtb_pool* pool, const vtb_global_filter_args* args) {
  using namespace vtb;
  const GlobalFilterKernel& kernel = *kernels;
  const int64_t thread_bytes = vtb_global_filter_scratch(args);
  const int64_t table_bytes = thread_bytes - kernel.scratch(args->height, args->width);
  // The first thread's tables serve all.
  char* scratch = static_cast<char*>(args->scratch);
  const DftPlan rows = make_plan(args->width, scratch);
  const DftPlan columns = make_plan(args->height, scratch + roots_bytes(args->width));
  const int64_t tiles = divide_up(args->channels, kernel.tile_channels);
  parallel_for(pool, args->batch * tiles, [&](int64_t task, int32_t worker) {
    kernel.run(*args, rows, columns, task / tiles, static_cast<int32_t>(task % tiles) * kernel.tile_channels,
               scratch + worker * thread_bytes + table_bytes);
  });
  return VTB_OK;
}
