#include "simd/generic.h"

namespace vtb::generic {

// a and b hold even and odd elements in turn.
static inline void deinterleave(Vec a, Vec b, Vec* even, Vec* odd) {
  *even = {Float4{a.v[0], a.v[2], b.v[0], b.v[2]}};
  *odd = {Float4{a.v[1], a.v[3], b.v[1], b.v[3]}};
}

}  // namespace vtb::generic

#include "global_filter/global_filter_f32.h"

const vtb::GlobalFilterKernel vtb::global_filter_f32_generic = {"global_filter_f32__generic", 2 * generic::Vec::width,
                                                                generic::scratch_bytes, generic::run};
