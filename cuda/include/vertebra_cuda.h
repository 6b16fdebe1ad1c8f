/*
 * Vertebra's CUDA operations: what the kernels of cuda/kernels take, and how they are launched.
 *
 * An operation is the one of the same name in native/include/vertebra.h, where its formula and shapes are, and its
 * fields mean the same. Here is what differs, and what holds for all:
 *   - The kernels of an operation take its struct by value as their only parameter.
 *   - Addresses are the device's. Activations, and the weights of products, are of the operation's dtype and declared
 *     void; all else is of the type declared. A null pointer is allowed only where "or null" is written. A tensor has
 *     fewer than 2^31 elements.
 *   - vtbc_<op>_launch writes one to VTBC_MOST_LAUNCHES launches, which are to be given to one stream in this order,
 *     and returns how many. It fills the fields that say "by the launch"; so copy the struct's bytes afterwards.
 *   - vtbc_<op>_scratch is the device memory, in bytes, that the operation wants at `scratch`, aligned to 256. It reads
 *     the shape fields only.
 *   - These are functions of the host. They check nothing, do not throw, print, abort, allocate or touch a device, and
 *     may be called from any thread.
 *   - Every kernel is right for any grid and moves 16 bytes an access where addresses and lengths allow it.
 */
#ifndef VERTEBRA_CUDA_H
#define VERTEBRA_CUDA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vtbc_dtype { VTBC_F32 = 0, VTBC_F16 = 1, VTBC_BF16 = 2 } vtbc_dtype;

typedef enum vtbc_activation {
  VTBC_IDENTITY = 0,
  VTBC_GELU = 1,
  VTBC_RELU = 2,
  VTBC_SILU = 3,
  VTBC_SIGMOID = 4,
  VTBC_TANH = 5
} vtbc_activation;

#define VTBC_MOST_LAUNCHES 3

typedef struct vtbc_launch {
  const char* kernel;       /* name of the entry point; lives as long as the process */
  int64_t grid;             /* blocks; a device takes up to 2^31 - 1 */
  int32_t block_x, block_y; /* threads of a block */
  int64_t shared_bytes;     /* dynamic shared memory */
  int32_t to_scratch;       /* 1: the kernel writes `scratch` alone; 0: `out` alone */
} vtbc_launch;

/* ---- matrix product ---------------------------------------------------------------------------------------------- */

/* What vtb_gemm does with the product. `out` may equal `residual` without a residual_map. */
typedef struct vtbc_epilogue {
  const float* bias;           /* [columns], or null */
  const void* gate;            /* or null */
  const void* residual;        /* [rows, columns], or null */
  const int32_t* residual_map; /* [rows of out], or null */
  const int32_t* out_map;      /* [rows of the product], or null */
  void* out;
  int32_t activation;      /* vtbc_activation */
  int32_t activation_last; /* 0 or 1 */
  int32_t gate_stride;
} vtbc_epilogue;

/* Of a row of either operand, in bytes, what a block multiplies at a time. */
#define VTBC_GEMM_STEP_BYTES 64

/* Outputs along each side of a block's tile; the smaller is for where the larger leaves multiprocessors idle. */
#define VTBC_GEMM_SMALL_TILE 64
#define VTBC_GEMM_LARGE_TILE 128

/* Rows with a norm are made by vtbc_layer_norm before. `out` is neither `a` nor the gate. */
typedef struct vtbc_gemm_args {
  int32_t m, n, k, groups;
  int32_t tile; /* VTBC_GEMM_SMALL_TILE or VTBC_GEMM_LARGE_TILE */
  const void* a;
  const int32_t* a_map; /* [m * groups], or null */
  const void* weight;   /* [n, k] */
  vtbc_epilogue epilogue;
} vtbc_gemm_args;
int32_t vtbc_gemm_launch(vtbc_gemm_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* Tiles of that size, a block each. */
int64_t vtbc_gemm_tiles(int32_t m, int32_t n, int32_t tile);

/* The epilogue of a product that cuBLAS made. `out` may equal `product` without an out_map. */
typedef struct vtbc_epilogue_args {
  int32_t rows, channels;
  const void* product; /* [rows, channels] */
  vtbc_epilogue epilogue;
} vtbc_epilogue_args;
int32_t vtbc_epilogue_launch(vtbc_epilogue_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- LayerNorm --------------------------------------------------------------------------------------------------- */

typedef struct vtbc_layer_norm_args {
  int32_t rows, channels, groups;
  const void* in;
  const int32_t* map; /* [rows * groups], or null */
  const float* gamma; /* [channels], or null: gather only */
  const float* beta;  /* [channels]; null only with gamma */
  float eps;
  void* out; /* [rows, channels] */
} vtbc_layer_norm_args;
int32_t vtbc_layer_norm_launch(vtbc_layer_norm_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- windowed attention ------------------------------------------------------------------------------------------ */

/* The widest heads there is a kernel for. */
#define VTBC_MOST_HEAD_DIM 128

/* `out` is not qkv. */
typedef struct vtbc_window_attention_args {
  int32_t windows, windows_per_image, tokens, heads;
  int32_t head_dim;     /* up to VTBC_MOST_HEAD_DIM */
  int32_t bias_columns; /* columns of a window if the bias is a table, else 0 */
  float scale;
  const void* qkv;
  const float* bias;      /* or null */
  const int32_t* regions; /* or null */
  void* out;
} vtbc_window_attention_args;
int32_t vtbc_window_attention_launch(vtbc_window_attention_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- small operations -------------------------------------------------------------------------------------------- */

/* Of many tokens the mean of the means of equal parts. */
typedef struct vtbc_mean_pool_args {
  int32_t batch, tokens, channels;
  int32_t parts; /* by the launch */
  const void* in;
  void* out;
  void* scratch;
} vtbc_mean_pool_args;
int64_t vtbc_mean_pool_scratch(const vtbc_mean_pool_args* args, vtbc_dtype dtype);
int32_t vtbc_mean_pool_launch(vtbc_mean_pool_args* args, vtbc_dtype dtype, vtbc_launch* launches);

typedef struct vtbc_softmax_args {
  int32_t rows, channels;
  const void* in;
  void* out;
} vtbc_softmax_args;
int32_t vtbc_softmax_launch(vtbc_softmax_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* A null in1 or in2 is no term. `out` may be a term that has no map. */
typedef struct vtbc_sum_args {
  int32_t rows, channels, activation;
  const void* in0;
  const void* in1;
  const void* in2;
  const int32_t* map0; /* [rows], or null */
  const int32_t* map1;
  const int32_t* map2;
  void* out;
} vtbc_sum_args;
int32_t vtbc_sum_launch(vtbc_sum_args* args, vtbc_dtype dtype, vtbc_launch* launches);

typedef struct vtbc_affine_args {
  int32_t batch, positions, channels, activation;
  const void* in;
  const void* factor; /* [batch, channels], or null */
  const float* scale; /* [channels], or null */
  const float* shift; /* [channels], or null */
  void* out;
} vtbc_affine_args;
int32_t vtbc_affine_launch(vtbc_affine_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* Between fp32 and the dtype, a half type, rounded to nearest even. */
typedef struct vtbc_convert_args {
  int32_t count;
  int32_t to_f32; /* 0: `in` is fp32 and `out` of the dtype; 1: the other way round */
  const void* in;
  void* out;
} vtbc_convert_args;
int32_t vtbc_convert_launch(vtbc_convert_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- convolution of each channel by itself ----------------------------------------------------------------------- */

typedef struct vtbc_depthwise_conv_args {
  int32_t batch, time, height, width, in_channels, first_channel;
  int32_t out_time, out_height, out_width, channels, multiplier;
  int32_t size_time, size_height, size_width;
  int32_t stride_time, stride_height, stride_width;
  int32_t padding_time, padding_height, padding_width;
  int32_t activation;
  int32_t strips_x; /* by the launch */
  const void* in;
  const float* weight; /* [taps, channels] */
  const float* bias;   /* [channels], or null */
  void* out;
} vtbc_depthwise_conv_args;
int32_t vtbc_depthwise_conv_launch(vtbc_depthwise_conv_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- global filter ----------------------------------------------------------------------------------------------- */

/* Maps that fit the shared memory of a block take one launch, larger ones three, and scratch. */
typedef struct vtbc_global_filter_args {
  int32_t batch, height, width, in_channels, first_channel, channels;
  int32_t shared_memory; /* the most dynamic shared memory a block of the device has, in bytes */
  int32_t lines;         /* by the launch */
  const void* in;
  const float* filter;
  void* out;
  float* scratch;
} vtbc_global_filter_args;
int64_t vtbc_global_filter_scratch(const vtbc_global_filter_args* args);
int32_t vtbc_global_filter_launch(vtbc_global_filter_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- pooling and resizing of maps -------------------------------------------------------------------------------- */

typedef struct vtbc_window_pool_args {
  int32_t batch, time, height, width, channels;
  int32_t out_time, out_height, out_width;
  int32_t size_time, size_height, size_width;
  int32_t stride_time, stride_height, stride_width;
  int32_t padding_time, padding_height, padding_width;
  int32_t average; /* 0: maximum, 1: mean */
  const void* in;
  void* out;
} vtbc_window_pool_args;
int32_t vtbc_window_pool_launch(vtbc_window_pool_args* args, vtbc_dtype dtype, vtbc_launch* launches);

typedef struct vtbc_resize_args {
  int32_t batch, height, width, channels, out_height, out_width;
  const void* in;
  void* out;
} vtbc_resize_args;
int32_t vtbc_adaptive_average_pool_launch(vtbc_resize_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* Sizes up to 16384. */
int32_t vtbc_bilinear_launch(vtbc_resize_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- chosen tokens ----------------------------------------------------------------------------------------------- */

typedef struct vtbc_shrink_tokens_args {
  int32_t batch, tokens, channels, kept;
  const void* in;
  const void* scores; /* [batch, tokens]; null only if kept == tokens */
  const void* class_token;
  int64_t class_stride;
  void* out;
} vtbc_shrink_tokens_args;
int32_t vtbc_shrink_tokens_launch(vtbc_shrink_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches);

typedef struct vtbc_recover_tokens_args {
  int32_t batch, tokens, channels, kept;
  const void* in;
  const void* scores; /* likewise */
  const void* before;
  const void* after;
  void* out;
} vtbc_recover_tokens_args;
int32_t vtbc_recover_tokens_launch(vtbc_recover_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches);

typedef struct vtbc_score_tokens_args {
  int32_t batch, tokens, kept, heads, head_dim;
  float scale, trade_off;
  const void* qkv;
  const void* scores; /* likewise */
  void* out;          /* [batch, tokens] */
} vtbc_score_tokens_args;
int32_t vtbc_score_tokens_launch(vtbc_score_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches);

typedef struct vtbc_pool_scores_args {
  int32_t batch, time, height, width;
  const void* in;
  void* out;
} vtbc_pool_scores_args;
int32_t vtbc_pool_scores_launch(vtbc_pool_scores_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- image ------------------------------------------------------------------------------------------------------- */

/*
 * Taps are plain 32-bit weights here, one an integer, rows of them aligned to 16 bytes. Of the image only the rows are
 * there that weights other than zero reach: `rows` of them, from first_row on. rows * out_width < 2^31. Always fp32.
 */
typedef struct vtbc_preprocess_args {
  int32_t width, first_row, rows;
  int32_t pixel_stride; /* bytes from a pixel to the next */
  int32_t red, green, blue;
  int64_t row_stride;            /* bytes from a row to the next */
  const uint8_t* pixels;         /* of first_row */
  int32_t out_width, out_height; /* of the crop */
  int32_t x_taps, y_taps;
  const int32_t* x_first;   /* [out_width] */
  const int32_t* x_weights; /* [out_width, x_taps] */
  const int32_t* y_first;   /* [out_height] */
  const int32_t* y_weights; /* [out_height, y_taps] */
  const float* normalised;  /* [3, 256]: what a sample of a channel becomes */
  float* out;               /* [out_height, out_width, 3] */
  uint8_t* scratch;
} vtbc_preprocess_args;
int64_t vtbc_preprocess_scratch(const vtbc_preprocess_args* args);
int32_t vtbc_preprocess_launch(vtbc_preprocess_args* args, vtbc_dtype dtype, vtbc_launch* launches);

#ifdef __cplusplus
}
#endif

#endif
