#define VTB_ISA avx512_vnni
#include "simd/avx512.h"

#include "simd_probe_f32.h"

namespace vtb::test {

const SimdProbe simd_avx512_vnni = {
    avx512_vnni::Vec::width,      avx512_vnni::vocabulary,        avx512_vnni::copy_partial,
    avx512_vnni::convert_partial, avx512_vnni::keep_first_lanes,  avx512_vnni::exp_all,
    avx512_vnni::fast_exp_all,    avx512_vnni::activate_all,      avx512_vnni::fast_gelu_all,
    avx512_vnni::fast_silu_all,   avx512_vnni::gelu_for_bf16_all, avx512_vnni::round_to_bf16,
    avx512_vnni::split_pairs,     avx512_vnni::quantise,          avx512_vnni::dot_bytes,
};

}  // namespace vtb::test
