// The dispatch table: for every operation the kernel of the best instruction set in use.
#pragma once

#include "gemm/gemm.h"
#include "image/resample.h"
#include "layer_norm/layer_norm.h"
#include "measure/measure.h"
#include "pooling/pooling.h"
#include "softmax/softmax.h"
#include "vertebra.h"
#include "window_attention/window_attention.h"

namespace vtb {

// Each member is a small struct of a kernel's name and functions, declared in <op>/<op>.h and defined for each level in
// <op>/<op>_f32__<isa>.cc. vtb_init fills the table for the level in use; a level without a file of its own takes the
// kernel of the level below.
struct Kernels {
  GemmKernel gemm;
  LayerNormKernel layer_norm;
  WindowAttentionKernel window_attention;
  PoolingKernel pooling;
  SoftmaxKernel softmax;
  FmaKernel fma;
  ResampleKernel resample;
};

// Valid once vtb_init has returned VTB_OK.
const Kernels& kernels();

}  // namespace vtb
