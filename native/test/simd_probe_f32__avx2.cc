#include "simd/avx2.h"

#include "simd_probe_f32.h"

namespace vtb::test {

const SimdProbe simd_avx2 = {
    avx2::Vec::width,        avx2::vocabulary,    avx2::copy_partial, avx2::convert_partial, avx2::keep_first_lanes,
    avx2::exp_all,           avx2::fast_exp_all,  avx2::activate_all, avx2::fast_gelu_all,   avx2::fast_silu_all,
    avx2::gelu_for_bf16_all, avx2::round_to_bf16, avx2::split_pairs,  avx2::quantise,        avx2::dot_bytes,
};

}  // namespace vtb::test
