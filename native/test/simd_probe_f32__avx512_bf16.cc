#define VTB_ISA avx512_bf16
#include "simd/avx512.h"

#include "simd_probe_f32.h"

namespace vtb::test {

const SimdProbe simd_avx512_bf16 = {
    avx512_bf16::Vec::width,      avx512_bf16::vocabulary,        avx512_bf16::copy_partial,
    avx512_bf16::convert_partial, avx512_bf16::keep_first_lanes,  avx512_bf16::exp_all,
    avx512_bf16::fast_exp_all,    avx512_bf16::activate_all,      avx512_bf16::fast_gelu_all,
    avx512_bf16::fast_silu_all,   avx512_bf16::gelu_for_bf16_all, avx512_bf16::round_to_bf16,
    avx512_bf16::split_pairs,     avx512_bf16::quantise,          avx512_bf16::dot_bytes,
};

}  // namespace vtb::test
