// Body of the LayerNorm kernel; included after a simd header.
#pragma once

#include "layer_norm/layer_norm.h"
#include "shared/rows_f32.h"

namespace vtb::VTB_ISA {

static void layer_norm_rows(const vtb_layer_norm_args& args, int64_t begin, int64_t end) {
  const RowOperand operand = {args.in, args.map, args.groups, args.channels, args.gamma, args.beta, args.eps};
  read_rows(operand, begin, end, args.out + begin * args.channels, args.channels, nullptr);
}

}  // namespace vtb::VTB_ISA
