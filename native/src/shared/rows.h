// The left operand of a row-wise operation, as vtb_gemm in vertebra.h defines it: gathered, then normalised.
#pragma once

#include <cstdint>

namespace vtb {

struct RowOperand {
  const float* base;
  const int32_t* map;  // [rows * groups], or null
  int32_t groups;
  int32_t columns;
  const float* gamma;  // [columns], or null: not normalised
  const float* beta;
  float eps;
};

}  // namespace vtb
