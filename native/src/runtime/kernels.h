// The dispatch table: for every operation the kernel of the best instruction set in use.
#pragma once

#include "affine/affine.h"
#include "depthwise_conv/depthwise_conv.h"
#include "gemm/gemm.h"
#include "global_filter/global_filter.h"
#include "image/resample.h"
#include "layer_norm/layer_norm.h"
#include "measure/measure.h"
#include "pooling/pooling.h"
#include "resize/resize.h"
#include "softmax/softmax.h"
#include "sum/sum.h"
#include "vertebra.h"
#include "window_attention/window_attention.h"
#include "window_pool/window_pool.h"
#include "winograd_conv/winograd_conv.h"

namespace vtb {

// Each member is a small struct of a kernel's name and functions, declared in <op>/<op>.h and defined for each level in
// <op>/<op>_<dtype>__<isa>.cc. vtb_init fills the table for the level in use; a level without a file of its own takes
// the kernel of the level below.
struct Kernels {
  GemmKernel gemm_f32, gemm_bf16, gemm_int8;
  LayerNormKernel layer_norm;
  WindowAttentionKernel window_attention;
  PoolingKernel pooling;
  SoftmaxKernel softmax;
  SumKernel sum;
  AffineKernel affine;
  GlobalFilterKernel global_filter;
  ResizeKernel resize;
  DepthwiseConvKernel depthwise_conv;
  WindowPoolKernel window_pool;
  WinogradConvKernel winograd_conv;
  FmaKernel fma_f32, fma_bf16, fma_int8;
  ResampleKernel resample;
};

// Valid once vtb_init has returned VTB_OK.
const Kernels& kernels();

}  // namespace vtb
