#include "simd/generic.h"

#include "simd_probe_f32.h"

namespace vtb::test {

const SimdProbe simd_generic = {
    generic::Vec::width,       generic::vocabulary, generic::copy_partial, generic::convert_partial,
    generic::keep_first_lanes, generic::exp_all,    generic::activate_all,
};

}  // namespace vtb::test
