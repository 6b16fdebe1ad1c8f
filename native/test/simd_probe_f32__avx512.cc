#include "simd/avx512.h"

#include "simd_probe_f32.h"

namespace vtb::test {

const SimdProbe simd_avx512 = {
    avx512::Vec::width,       avx512::vocabulary,    avx512::copy_partial,      avx512::convert_partial,
    avx512::keep_first_lanes, avx512::exp_all,       avx512::fast_exp_all,      avx512::activate_all,
    avx512::fast_gelu_all,    avx512::fast_silu_all, avx512::gelu_for_bf16_all, avx512::round_to_bf16,
    avx512::split_pairs,      avx512::quantise,      avx512::dot_bytes,
};

}  // namespace vtb::test
