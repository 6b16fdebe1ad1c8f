/*
 * Vertebra's CUDA operations: what the kernels of cuda/kernels take, and how they are launched.
 *
 * Conventions
 *   - An operation has one argument struct, and its kernels take that struct by value as their only parameter. Names
 *     are those of native/include/vertebra.h.
 *   - Addresses are the device's. Activations, and the weights of products, are of the operation's dtype and declared
 *     void; everything else (bias, gamma, filter, ...) is fp32 or int32, as declared. All are channels last, row-major
 *     and dense. A null pointer is allowed only where "or null" is written.
 *   - A tensor has fewer than 2^31 elements.
 *   - vtbc_<op>_launch tells how to launch the operation: it writes one to VTBC_MOST_LAUNCHES launches, to be given to
 *     one stream in this order, and returns how many. It may fill fields of the struct that say "by the launch"; so
 *     copy the struct's bytes afterwards. Arguments are not checked.
 *   - vtbc_<op>_scratch is the device memory, in bytes, that the operation wants at `scratch`, aligned to 256. It reads
 *     the shape fields only.
 *   - These are functions of the host. They do not throw, print, abort, allocate or touch a device, and may be called
 *     from any thread.
 *   - Every kernel is right for any grid and moves 16 bytes an access where addresses and lengths allow it.
 */
#ifndef VERTEBRA_CUDA_H
#define VERTEBRA_CUDA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vtbc_dtype { VTBC_F32 = 0, VTBC_F16 = 1, VTBC_BF16 = 2 } vtbc_dtype;

/* GELU is the exact form, SILU x * sigmoid(x). */
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

/* ---- matrix product: out = epilogue(rows(a) . weight^T) ---------------------------------------------------------- */

/*
 * Row i of the product goes to row r = out_map[i] of out, or to row i without a map; it is dropped where that is -1:
 *      out[r, c] = activation(product[i, c] + bias[c]) * gate[r * gate_stride + c] + residual[s, c]
 * with s = residual_map[r], or r without a map (-1: nothing is added). If activation_last, the activation is applied to
 * the whole instead. `out` may equal `residual` without a residual_map. Each r occurs at most once.
 */
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

/* What a block multiplies of a row of either operand before it waits for the next, in bytes. */
#define VTBC_GEMM_STEP_BYTES 64

/* Outputs along each side of a block's tile; the smaller is for where the larger leaves multiprocessors idle. */
#define VTBC_GEMM_SMALL_TILE 64
#define VTBC_GEMM_LARGE_TILE 128

/*
 * Row i of the left operand has k elements: the concatenation of `groups` segments of k / groups; segment g starts at
 * a + a_map[i * groups + g] * (k / groups), and is all zeros where the map says -1. Without a map (null), row i starts
 * at a + i * k and groups is 1. `out` is neither `a` nor the gate.
 */
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

/*
 * out[i] = row i of the operand, read as vtbc_gemm reads its left one, then, unless gamma is null, LayerNorm (biased
 * variance) * gamma + beta. A row of one group that the map drops (-1) stays zero. `out` may equal `in` without a map.
 */
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

/*
 * Multi-head attention inside each window:
 *      S[i, j] = scale * q_i . k_j + bias[head, i, j] - (region_i == region_j ? 0 : 100)
 *      out_i = sum_j softmax_j(S)[i, j] v_j
 * qkv: [windows * tokens, 3 * heads * head_dim], channel = which * heads * head_dim + head * head_dim + d.
 * out: [windows * tokens, heads * head_dim], not qkv.
 * bias: [heads, tokens, tokens]; or, of windows whose tokens lie in `rows` rows of bias_columns columns, a table
 *      [heads, 2 * rows - 1, 2 * bias_columns - 1] over what the key's row and column exceed the query's by, from
 *      1 - rows and 1 - bias_columns on.
 * regions: [windows_per_image, tokens] labels, window w using row w % windows_per_image.
 */
typedef struct vtbc_window_attention_args {
  int32_t windows, windows_per_image, tokens, heads;
  int32_t head_dim;     /* up to VTBC_MOST_HEAD_DIM */
  int32_t bias_columns; /* columns of a window if the bias is a table, else 0 */
  float scale;
  const void* qkv;
  const float* bias;      /* as above, or null */
  const int32_t* regions; /* as above, or null when nothing is masked */
  void* out;
} vtbc_window_attention_args;

int32_t vtbc_window_attention_launch(vtbc_window_attention_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- small operations -------------------------------------------------------------------------------------------- */

/* out[b, c] = mean over t of in[b, t, c]; of many tokens, the mean of the means of equal parts. */
typedef struct vtbc_mean_pool_args {
  int32_t batch, tokens, channels;
  int32_t parts; /* by the launch */
  const void* in;
  void* out;
  void* scratch;
} vtbc_mean_pool_args;

int64_t vtbc_mean_pool_scratch(const vtbc_mean_pool_args* args, vtbc_dtype dtype);
int32_t vtbc_mean_pool_launch(vtbc_mean_pool_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* Softmax of each row of [rows, channels]. `out` may equal `in`. */
typedef struct vtbc_softmax_args {
  int32_t rows, channels;
  const void* in;
  void* out;
} vtbc_softmax_args;

int32_t vtbc_softmax_launch(vtbc_softmax_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/*
 * out[i] = activation(sum over the terms t of in<t>[map<t>[i]]), rows of `channels` elements; a term without a map
 * (null) gives its row i, -1 in a map nothing. in1 and in2 may be null. `out` overlaps no term that has a map.
 */
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

/* out[b, p, c] = activation(in[b, p, c] * factor[b, c] * scale[c] + shift[c]), p < positions. `out` may equal `in`. */
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

/*
 * Depthwise convolution over [batch, time, height, width], zero padding, channels last; a plain image has time 1.
 *      out[b, t, y, x, c] = activation(bias[c] + sum over taps of
 *                                      weight[tap, c] * in[b, t', y', x', first_channel + c / multiplier])
 * with t' = t * stride_time + tap's time - padding_time, and so on; taps in (time, height, width) order. `in` has
 * in_channels channels. out: [batch, out_time, out_height, out_width, channels].
 */
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

/*
 * out = irfft2(rfft2(in) * filter) over height and width of each channel, that is a circular convolution (Rao et al.,
 * arXiv 2107.00645). in: [batch, height, width, in_channels], of which channels first_channel ... are filtered; out:
 * [batch, height, width, channels]. filter: [height, width / 2 + 1, channels, 2], real and imaginary parts; columns 0
 * and, for an even width, width / 2 are Hermitian in the row frequency. Any size, primes included. Maps that fit the
 * shared memory of a block take one launch, larger ones three and scratch.
 */
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

/*
 * The maximum or mean of each window of [batch, time, height, width, channels]; padding is left out of both, and is
 * less than the window's size along each axis.
 */
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

/* [batch, height, width, channels] to [batch, out_height, out_width, channels]. */
typedef struct vtbc_resize_args {
  int32_t batch, height, width, channels, out_height, out_width;
  const void* in;
  void* out;
} vtbc_resize_args;

/* Bin i of n averages positions floor(i size / n) to ceil((i + 1) size / n) - 1. */
int32_t vtbc_adaptive_average_pool_launch(vtbc_resize_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/*
 * Bilinear, half-pixel centres: source = max((i + 0.5) * size / out_size - 0.5, 0), the upper neighbour clamped. Sizes
 * up to 16384.
 */
int32_t vtbc_bilinear_launch(vtbc_resize_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- chosen tokens ----------------------------------------------------------------------------------------------- */

/*
 * Operations compute on the `kept` tokens of each image with the highest scores; of equal scores the earlier token's
 * counts as higher; NaN lies above all numbers or, with its sign bit set, below. An image has
 *      shrunken = 1 + kept + (kept < tokens)
 * rows: the class token, the kept tokens in the order they lie, one representative of the others.
 */

/*
 * in: [batch, tokens, channels]; out: [batch, shrunken, channels]. The class token of image b starts at class_token +
 * b * class_stride; the representative is the sum of the tokens left out, each times its score / the sum of their
 * scores.
 */
typedef struct vtbc_shrink_tokens_args {
  int32_t batch, tokens, channels, kept;
  const void* in;
  const void* scores; /* [batch, tokens]; null only if kept == tokens */
  const void* class_token;
  int64_t class_stride;
  void* out;
} vtbc_shrink_tokens_args;

int32_t vtbc_shrink_tokens_launch(vtbc_shrink_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/*
 * The way back: out[b, i] = the row of `after` that holds token i if it is kept, else what the representative gained,
 *      in[b, i] + after[b, representative] - before[b, representative];      before, after: [batch, shrunken,
 *      channels].
 */
typedef struct vtbc_recover_tokens_args {
  int32_t batch, tokens, channels, kept;
  const void* in;
  const void* scores; /* as above */
  const void* before;
  const void* after;
  void* out;
} vtbc_recover_tokens_args;

int32_t vtbc_recover_tokens_launch(vtbc_recover_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/*
 * New scores: out[b, i] = (1 - trade_off) * scores[b, i] + trade_off * w for a kept token, and scores[b, i] for the
 * others, where w is the attention the class token pays to the token's row, softmax(scale * q . k) averaged over heads;
 * out = w if scores is null. If kept + 1 == tokens, the one left out takes the attention paid to the representative.
 * qkv: [batch, shrunken, 3 * heads * head_dim], channels as for windowed attention.
 */
typedef struct vtbc_score_tokens_args {
  int32_t batch, tokens, kept, heads, head_dim;
  float scale, trade_off;
  const void* qkv;
  const void* scores; /* as above */
  void* out;          /* [batch, tokens] */
} vtbc_score_tokens_args;

int32_t vtbc_score_tokens_launch(vtbc_score_tokens_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/*
 * Means of 2 x 2 scores, [batch, time, height, width] to [batch, time, height / 2, width / 2], an odd last row or
 * column left out, then scaled so that each batch element keeps its sum.
 */
typedef struct vtbc_pool_scores_args {
  int32_t batch, time, height, width;
  const void* in;
  void* out;
} vtbc_pool_scores_args;

int32_t vtbc_pool_scores_launch(vtbc_pool_scores_args* args, vtbc_dtype dtype, vtbc_launch* launches);

/* ---- image ------------------------------------------------------------------------------------------------------- */

/*
 * Resizes an 8-bit RGB image, cuts the crop and normalises it, as io.vertebra.image.ReferencePreprocessor does: columns
 * first, rounded to 8 bits, then rows. An output i of an axis is
 *      (sum over t < taps of in[first[i] + t] * weights[i, t] + 2^21) >> 22, clamped to 0..255;
 * first ascends, each within the axis; taps is a multiple of 4; weights are zero beyond the axis, and aligned to 16
 * bytes. An output whose weights are all zero is black.
 *
 * Byte `red` of a pixel is its red sample, and so on. Gaps between rows are not read. Only the rows that weights other
 * than zero reach are there: `rows` of them, from first_row of the image on. rows * out_width and the samples of out
 * are fewer than 2^31.
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
  void* out;                /* [out_height, out_width, 3] */
  uint8_t* scratch;
} vtbc_preprocess_args;

int64_t vtbc_preprocess_scratch(const vtbc_preprocess_args* args);
int32_t vtbc_preprocess_launch(vtbc_preprocess_args* args, vtbc_dtype dtype, vtbc_launch* launches);

#ifdef __cplusplus
}
#endif

#endif
