#include "simd/generic.h"

#include "simd_probe_f32.h"

namespace vtb::test {

const SimdProbe simd_generic = {
    generic::Vec::width,       generic::vocabulary,    generic::copy_partial,      generic::convert_partial,
    generic::keep_first_lanes, generic::exp_all,       generic::fast_exp_all,      generic::activate_all,
    generic::fast_gelu_all,    generic::fast_silu_all, generic::gelu_for_bf16_all, generic::round_to_bf16,
    generic::split_pairs,      generic::quantise,      generic::dot_bytes,
};

}  // namespace vtb::test
