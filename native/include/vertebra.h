/*
 * Vertebra: kernels of vision backbones for x86-64 CPUs. This header is the whole surface.
 *
 * Conventions
 *   - Activations are fp32, channels last, row-major: [rows, channels] with rows = batch * height * width.
 *     Rows are dense unless an argument gives a stride. No buffer needs padding: kernels read and write exactly
 *     what the shape says.
 *   - An operation is a function of a pool and one argument struct. The struct holds shapes and addresses; it is
 *     filled once, when a program is recorded, and may be run any number of times.
 *   - Arguments are not checked here: the caller has checked them. A null pointer is allowed only where "or null"
 *     is written.
 *   - `scratch` is memory for the call's threads: vtb_pool_threads(pool) * vtb_<op>_scratch(args) bytes, 64-byte
 *     aligned; it may be shared by all the operations of one program. vtb_<op>_scratch is a multiple of 64 and may be
 *     0; it reads the shape fields only.
 *   - Functions do not throw, print, abort or allocate, except those that create something.
 *   - Thread safety: operations may run concurrently when their outputs and scratch differ, also on one pool (a
 *     pool that is busy makes the second caller do its work alone).
 */
#ifndef VERTEBRA_H
#define VERTEBRA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vtb_status {
  VTB_OK = 0,
  VTB_OUT_OF_MEMORY = 1,
  VTB_UNKNOWN_ISA = 2,     /* VERTEBRA_ISA names no level */
  VTB_UNSUPPORTED_ISA = 3, /* VERTEBRA_ISA asks for more than this machine has */
  VTB_NOT_FINITE = 4       /* NaN or infinity among weights */
} vtb_status;

/* ---- instruction set ------------------------------------------------------------------------------------------- */

typedef enum vtb_isa {
  VTB_ISA_GENERIC = 0,
  VTB_ISA_AVX2 = 1,        /* AVX2, FMA, F16C */
  VTB_ISA_AVX512 = 2,      /* AVX-512 F, BW, DQ, VL */
  VTB_ISA_AVX512_VNNI = 3, /* and VNNI */
  VTB_ISA_AVX512_BF16 = 4, /* and BF16 */
  VTB_ISA_AMX = 5          /* and AMX TILE, BF16, INT8 */
} vtb_isa;

/*
 * Chooses the kernels, once; later calls return the first call's status. The level is the highest that CPUID and
 * the operating system (XCR0; for AMX also permission to the process, which this asks for) grant, or what the
 * environment variable VERTEBRA_ISA, a level's name, lowers it to. Must have returned VTB_OK before any operation runs,
 * and before the threads start that operations run on.
 */
vtb_status vtb_init(void);

/* The level in use, and the highest this machine grants. */
vtb_isa vtb_isa_level(void);
vtb_isa vtb_isa_detected(void);

/* "generic", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx". */
const char* vtb_isa_name(vtb_isa isa);

/* Names of the kernels chosen, such as gemm_f32_14x32__avx512, in alphabetical order, separated by spaces. */
const char* vtb_kernel_names(void);

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* 64-byte aligned memory; large blocks sit on huge pages where the system gives them. Null when there is none. */
void* vtb_alloc(int64_t bytes);
void vtb_free(void* memory);

/* ---- threads --------------------------------------------------------------------------------------------------- */

typedef struct vtb_pool vtb_pool;

/*
 * CPUs this process may use, rounded up: the smallest of the affinity mask and the cgroup's (v1 or v2) CPU quota,
 * at least 1.
 */
int32_t vtb_cpu_limit(void);

/* A pool of `threads` threads, the caller of an operation being one of them. Null when threads cannot be made. */
vtb_pool* vtb_pool_create(int32_t threads);
void vtb_pool_destroy(vtb_pool* pool);
int32_t vtb_pool_threads(const vtb_pool* pool);

/* ---- element types ---------------------------------------------------------------------------------------------- */

/* VTB_INT8 is an arithmetic only: no data comes as int8. */
typedef enum vtb_dtype { VTB_F32 = 0, VTB_F16 = 1, VTB_BF16 = 2, VTB_INT8 = 3 } vtb_dtype;

/* ---- what this machine gives ------------------------------------------------------------------------------------ */

/*
 * Multiply-adds in registers at the level in use, all threads of the pool: operations a second (a multiplication and an
 * addition count 2). VTB_F32, or VTB_BF16 in pairs or tiles, or VTB_INT8 in fours or tiles, where the level has them;
 * below, what fp32 gives.
 */
double vtb_measure_fma(vtb_pool* pool, vtb_dtype arithmetic, double seconds);

/* Copying `bytes` per thread back and forth: bytes read plus bytes written, per second, all threads together. */
double vtb_measure_copy(vtb_pool* pool, int64_t bytes, double seconds);

/* ---- GEMM: out = epilogue(rows(a) . W^T) ------------------------------------------------------------------------- */

/* GELU is the exact form (its error behind a bf16 or int8 product: below 2^-12 |x|), SILU x * sigmoid(x). */
typedef enum vtb_activation {
  VTB_IDENTITY = 0,
  VTB_GELU = 1,
  VTB_RELU = 2,
  VTB_SILU = 3,
  VTB_SIGMOID = 4,
  VTB_TANH = 5
} vtb_activation;

/*
 * The arithmetic of a product is one of
 *   - VTB_F32;
 *   - VTB_BF16: both operands rounded to bf16 (halves to even), products summed in fp32. Subnormal operands may count
 *     as zero;
 *   - VTB_INT8: every row of both operands has a scale, the largest magnitude in it (2^-100 if that is larger) / 127,
 *     and its elements are rounded to integers of it (halves to even). Products of integers are summed exactly, so that
 *     all levels give the same bits; a sum times the scales of row and column is the product. A row of the left operand
 *     that holds NaN or infinity becomes NaN as a whole.
 * All else is fp32 with any. In bf16 and int8, rows of fewer than VTB_SHORTEST_ROUNDED elements are multiplied in fp32
 * all the same: they would gain nothing (a tile row of AMX is as long), and where they are pixels, all that follows
 * would carry their error. So are, in int8, rows of more than VTB_LONGEST_INT8 elements, whose sums might not fit 32
 * bits.
 */
#define VTB_SHORTEST_ROUNDED 32
#define VTB_LONGEST_INT8 131072

/* Bytes of the packed form of a weight matrix [n, k] at the level in use. */
int64_t vtb_gemm_packed_bytes(vtb_dtype arithmetic, int32_t n, int32_t k);

/*
 * Packs `weight`, [n, k] row-major of `dtype` (little endian, any alignment), for the level in use.
 * VTB_NOT_FINITE when an element is NaN or infinite, or rounds to infinity; `packed` is then useless.
 */
vtb_status vtb_gemm_pack(vtb_pool* pool, const void* weight, vtb_dtype dtype, vtb_dtype arithmetic, int32_t n,
                         int32_t k, void* packed);

/*
 * Row i of the left operand has k floats, read so:
 *   1. gathered: the concatenation of `groups` segments of k / groups floats; segment g starts at
 *      a + a_map[i * groups + g] * (k / groups), and is all zeros where the map says -1. Without a map (null), row i
 *      starts at a + i * k and groups is 1.
 *   2. normalised, unless gamma is null: LayerNorm over the k floats (biased variance), * gamma + beta. A row whose
 *      groups is 1 and whose map says -1 stays zero: it is padding, not data.
 *
 * Column j of row i of the product becomes
 *      activation(sum + bias[j]) * gate[r * gate_stride + j] + residual[s, j],   r = out_map[i], or i without a map
 * with s = residual_map[r], or r without a map (-1: nothing is added); if activation_last, the activation is applied to
 * the whole instead. It is stored to out[r, j]; a row whose out_map says -1 is dropped. `out` may be the same memory as
 * `residual` if there is no residual_map, and must not overlap `a` or `gate`. Each r occurs at most once.
 */
typedef struct vtb_gemm_args {
  int32_t arithmetic; /* vtb_dtype: VTB_F32, VTB_BF16 or VTB_INT8 */
  int32_t m, n, k;
  int32_t groups;
  const float* a;
  const int32_t* a_map; /* [m * groups], or null */
  const float* gamma;   /* [k], or null */
  const float* beta;    /* [k]; null only with gamma */
  float eps;
  int32_t activation;      /* vtb_activation */
  const void* weight;      /* [n, k], packed for the same arithmetic */
  const float* bias;       /* [n], or null */
  int32_t activation_last; /* 0 or 1 */
  const float* gate;       /* or null */
  int64_t gate_stride;
  const float* residual;       /* [rows, n], or null */
  const int32_t* residual_map; /* [rows of out], or null */
  const int32_t* out_map;      /* [m], or null */
  float* out;
  void* scratch;
} vtb_gemm_args;

int64_t vtb_gemm_scratch(const vtb_gemm_args* args);
vtb_status vtb_gemm(vtb_pool* pool, const vtb_gemm_args* args);

/* ---- LayerNorm -------------------------------------------------------------------------------------------------- */

/*
 * out[i] = row i of the operand, [rows, channels], read as vtb_gemm reads its left operand. `out` may equal `in`
 * without a map.
 */
typedef struct vtb_layer_norm_args {
  int32_t rows, channels;
  int32_t groups;
  const float* in;
  const int32_t* map; /* [rows * groups], or null */
  const float* gamma; /* [channels], or null: gather only */
  const float* beta;
  float eps;
  float* out;
} vtb_layer_norm_args;

vtb_status vtb_layer_norm(vtb_pool* pool, const vtb_layer_norm_args* args);

/* ---- windowed attention ------------------------------------------------------------------------------------------ */

/*
 * Multi-head attention inside each window (Swin Transformer, arXiv 2103.14030, equation 4 and section 3.2):
 *      S[i, j] = scale * q_i . k_j + bias[head, i, j] - (region_i == region_j ? 0 : 100),
 *      out_i = sum_j softmax_j(S)[i, j] v_j
 * qkv: [windows * tokens, 3 * heads * head_dim], channel = which * heads * head_dim + head * head_dim + d.
 * out: [windows * tokens, heads * head_dim].
 * bias: [heads, tokens, tokens]; or, of windows whose tokens lie in `rows` rows of bias_columns columns, a table
 *      [heads, 2 * rows - 1, 2 * bias_columns - 1] over what the key's row and column exceed the query's by, from
 *      1 - rows and 1 - bias_columns on.
 * regions: [windows_per_image, tokens] labels below 2^24 in magnitude, window w using row w % windows_per_image, or
 *      null when nothing is masked.
 */
typedef struct vtb_window_attention_args {
  int32_t windows, windows_per_image, tokens, heads, head_dim;
  int32_t bias_columns; /* columns of a window if the bias is a table, else 0 */
  float scale;
  const float* qkv;
  const float* bias; /* as above, or null */
  const int32_t* regions;
  float* out;
  void* scratch;
} vtb_window_attention_args;

int64_t vtb_window_attention_scratch(const vtb_window_attention_args* args);
vtb_status vtb_window_attention(vtb_pool* pool, const vtb_window_attention_args* args);

/* ---- small operations -------------------------------------------------------------------------------------------- */

/* out[b, c] = mean over t of in[b, t, c]. */
typedef struct vtb_mean_pool_args {
  int32_t batch, tokens, channels;
  const float* in;
  float* out;
} vtb_mean_pool_args;

vtb_status vtb_mean_pool(vtb_pool* pool, const vtb_mean_pool_args* args);

/* Softmax of each row of [rows, channels]. `out` may equal `in`. */
typedef struct vtb_softmax_args {
  int32_t rows, channels;
  const float* in;
  float* out;
} vtb_softmax_args;

vtb_status vtb_softmax(vtb_pool* pool, const vtb_softmax_args* args);

/*
 * out[i] = activation(sum over the terms t of in<t>[map<t>[i]]), rows of `channels` floats; a term without a map (null)
 * gives its row i, -1 in a map nothing. 1 to 3 terms. `out` overlaps no term.
 */
typedef struct vtb_sum_args {
  int32_t rows, channels, terms, activation;
  const float* in0;
  const float* in1;
  const float* in2;
  const int32_t* map0; /* [rows], or null */
  const int32_t* map1;
  const int32_t* map2;
  float* out;
} vtb_sum_args;

vtb_status vtb_sum(vtb_pool* pool, const vtb_sum_args* args);

/* out[b, p, c] = activation(in[b, p, c] * factor[b, c] * scale[c] + shift[c]), p < positions. `out` may equal `in`. */
typedef struct vtb_affine_args {
  int32_t batch, positions, channels, activation;
  const float* in;
  const float* factor; /* [batch, channels], or null */
  const float* scale;  /* [channels], or null */
  const float* shift;  /* [channels], or null */
  float* out;
} vtb_affine_args;

vtb_status vtb_affine(vtb_pool* pool, const vtb_affine_args* args);

/* ---- convolution of each channel by itself ----------------------------------------------------------------------- */

/*
 * Depthwise convolution over [batch, time, height, width], zero padding, channels last; a plain image has time 1.
 *      out[b, t, y, x, c] = activation(bias[c] + sum over taps of
 *                                      weight[tap, c] * in[b, t', y', x', first_channel + c / multiplier])
 * with t' = t * stride_time + tap's time - padding_time, and so on; taps in (time, height, width) order. `in` has
 * in_channels channels.
 */
typedef struct vtb_depthwise_conv_args {
  int32_t batch, time, height, width, in_channels, first_channel;
  int32_t out_time, out_height, out_width, channels, multiplier;
  int32_t size_time, size_height, size_width;
  int32_t stride_time, stride_height, stride_width;
  int32_t padding_time, padding_height, padding_width;
  int32_t activation;
  const float* in;
  const float* weight; /* [taps, channels] */
  const float* bias;   /* [channels], or null */
  float* out;
  void* scratch;
} vtb_depthwise_conv_args;

int64_t vtb_depthwise_conv_scratch(const vtb_depthwise_conv_args* args);
vtb_status vtb_depthwise_conv(vtb_pool* pool, const vtb_depthwise_conv_args* args);

/* ---- 3x3 convolution -------------------------------------------------------------------------------------------- */

/*
 * Dense 3x3 convolution of [batch, height, width, in_channels] to [batch, height, width, channels], stride 1, zero
 * padding 1:
 *      out[b, y, x, o] = activation(bias[o] + sum over r, c, i of g[o, r, c, i] * in[b, y + r - 1, x + c - 1, i])
 * by Winograd's minimal filtering (A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv
 * 1509.09308, section 4) in tiles of 2 x 2 or, of few channels, 4 x 4 outputs. F(2x2, 3x3) takes 4 / 9 of the
 * multiplications; F(4x4, 3x3) takes 1 / 4, weights 9 / 4 as large and three times the rounding error. Its points are
 * fractions of few bits around 1 (cf. S. A. Alam et al., "Winograd Convolution for Deep Neural Networks: Efficient
 * Point Selection", arXiv 2201.10369): the usual 1, -1, 2 and -2 err twice as much again.
 */

/* Bytes of the packed form of a convolution's weights at the level in use. */
int64_t vtb_convolution_packed_bytes(int32_t channels, int32_t in_channels);

/*
 * Transforms and packs g, [channels, 9 * in_channels] row-major over (tap, input channel), of `dtype` (little endian,
 * any alignment), for the level in use: of every output and input channel the taps g become G g G^T, in double
 * precision, rounded once to fp32. G has a row for each point x,
 *      (1, x, x^2) / product of x - z over the other finite points z; (0, 0, 1) for infinity
 *      tile of 2 x 2: 0, 1, -1, infinity; of 4 x 4: 0, 5/8, -5/8, 3/2, -3/2, infinity
 * VTB_NOT_FINITE when an element is NaN or infinite, or becomes so; `packed` is then useless.
 */
vtb_status vtb_convolution_pack(vtb_pool* pool, const void* weight, vtb_dtype dtype, int32_t channels,
                                int32_t in_channels, void* packed);

typedef struct vtb_convolution_args {
  int32_t batch, height, width, in_channels, channels, activation;
  const float* in;
  const void* weight; /* packed */
  const float* bias;  /* [channels], or null */
  float* out;
  void* scratch;
} vtb_convolution_args;

int64_t vtb_convolution_scratch(const vtb_convolution_args* args);
vtb_status vtb_convolution(vtb_pool* pool, const vtb_convolution_args* args);

/* ---- global filter ----------------------------------------------------------------------------------------------- */

/*
 * out = irfft2(rfft2(in) * filter) over height and width of each channel, that is a circular convolution (Rao et al.,
 * arXiv 2107.00645).
 * in: [batch, height, width, in_channels], of which channels first_channel ... are filtered.
 * out: [batch, height, width, channels].
 * filter: [height, width / 2 + 1, channels, 2], real and imaginary parts; columns 0 and, for an even width, width / 2
 *      are Hermitian in the row frequency.
 * Any size, primes included.
 */
typedef struct vtb_global_filter_args {
  int32_t batch, height, width, in_channels, first_channel, channels;
  const float* in;
  const float* filter;
  float* out;
  void* scratch;
} vtb_global_filter_args;

int64_t vtb_global_filter_scratch(const vtb_global_filter_args* args);
vtb_status vtb_global_filter(vtb_pool* pool, const vtb_global_filter_args* args);

/* ---- pooling and resizing of maps -------------------------------------------------------------------------------- */

/* The maximum or mean of each window of [batch, time, height, width, channels]; padding is left out of both. */
typedef struct vtb_window_pool_args {
  int32_t batch, time, height, width, channels;
  int32_t out_time, out_height, out_width;
  int32_t size_time, size_height, size_width;
  int32_t stride_time, stride_height, stride_width;
  int32_t padding_time, padding_height, padding_width;
  int32_t average; /* 0: maximum, 1: mean */
  const float* in;
  float* out;
} vtb_window_pool_args;

vtb_status vtb_window_pool(vtb_pool* pool, const vtb_window_pool_args* args);

/*
 * [batch, height, width, channels] to [batch, out_height, out_width, channels]: bin i of n averages positions
 * floor(i size / n) to ceil((i + 1) size / n) - 1.
 */
typedef struct vtb_adaptive_average_pool_args {
  int32_t batch, height, width, channels, out_height, out_width;
  const float* in;
  float* out;
} vtb_adaptive_average_pool_args;

vtb_status vtb_adaptive_average_pool(vtb_pool* pool, const vtb_adaptive_average_pool_args* args);

/*
 * [batch, height, width, channels] to [batch, out_height, out_width, channels], with half-pixel centres:
 * source = max((i + 0.5) * size / out_size - 0.5, 0), the upper neighbour clamped.
 */
typedef struct vtb_bilinear_args {
  int32_t batch, height, width, channels, out_height, out_width;
  const float* in;
  float* out;
} vtb_bilinear_args;

vtb_status vtb_bilinear(vtb_pool* pool, const vtb_bilinear_args* args);

/* ---- chosen tokens ----------------------------------------------------------------------------------------------- */

/*
 * A light UniFormer block (Li et al., arXiv 2201.09450) computes on the `kept` tokens of each image with the highest
 * scores; of equal scores the earlier token's counts as higher. It is always exactly `kept`: NaN too has a place in the
 * order, above all numbers or, with its sign bit set, below. The block's rows, `shrunken` of them an image, are the
 * class token, the kept tokens in the order they lie, and, unless kept == tokens, one representative of those left out:
 *      shrunken = 1 + kept + (kept < tokens)
 */

/*
 * in: [batch, tokens, channels]; out: [batch, shrunken, channels]. The class token of image b starts at
 * class_token + b * class_stride; the representative is the sum of the tokens left out, each times its score / the sum
 * of their scores.
 */
typedef struct vtb_shrink_tokens_args {
  int32_t batch, tokens, channels, kept;
  const float* in;
  const float* scores; /* [batch, tokens]; null only if kept == tokens */
  const float* class_token;
  int64_t class_stride;
  float* out;
} vtb_shrink_tokens_args;

vtb_status vtb_shrink_tokens(vtb_pool* pool, const vtb_shrink_tokens_args* args);

/*
 * The way back: out[b, i] = the row of `after` that holds token i if it is kept, else what the representative gained,
 *      in[b, i] + after[b, representative] - before[b, representative].
 * before, after: [batch, shrunken, channels].
 */
typedef struct vtb_recover_tokens_args {
  int32_t batch, tokens, channels, kept;
  const float* in;
  const float* scores; /* as above */
  const float* before;
  const float* after;
  float* out;
} vtb_recover_tokens_args;

vtb_status vtb_recover_tokens(vtb_pool* pool, const vtb_recover_tokens_args* args);

/*
 * New scores: out[b, i] = (1 - trade_off) * scores[b, i] + trade_off * w for a kept token, and scores[b, i] for the
 * others, where w is the attention the class token pays to the token's row, softmax(scale * q . k) averaged over heads;
 * out = w if scores is null. If kept + 1 == tokens, the one left out takes the attention paid to the representative.
 * qkv: [batch, shrunken, 3 * heads * head_dim], channels as for windowed attention.
 */
typedef struct vtb_score_tokens_args {
  int32_t batch, tokens, kept, heads, head_dim;
  float scale, trade_off;
  const float* qkv;
  const float* scores; /* as above */
  float* out;          /* [batch, tokens] */
  void* scratch;
} vtb_score_tokens_args;

int64_t vtb_score_tokens_scratch(const vtb_score_tokens_args* args);
vtb_status vtb_score_tokens(vtb_pool* pool, const vtb_score_tokens_args* args);

/*
 * Means of 2 x 2 scores, [batch, time, height, width] to [batch, time, height / 2, width / 2], an odd last row or
 * column left out, then scaled so that each batch element keeps its sum.
 */
typedef struct vtb_pool_scores_args {
  int32_t batch, time, height, width;
  const float* in;
  float* out;
} vtb_pool_scores_args;

vtb_status vtb_pool_scores(vtb_pool* pool, const vtb_pool_scores_args* args);

/* ---- preprocessing ----------------------------------------------------------------------------------------------- */

/*
 * Resizes an 8-bit RGB image, cuts the crop and normalises it: out[y, x, c], channels last. Separable resampling in the
 * integer arithmetic of Pillow (src/libImaging/Resample.c): columns first, rounded to 8 bits, then rows. Only what the
 * crop needs is computed. Results are the same at every level.
 *
 * Tap t of output column x is source column x_first[x] + t with a weight k[t] of 22 fractional bits, t < x_taps, a
 * multiple of 4. Weights come in groups of four taps, split so that each part fits 16 bits, two taps to an integer:
 *      k[0] >> 11 | k[1] >> 11 << 16,   k[2], k[3] alike,   (k[0] & 2047) | (k[1] & 2047) << 16,   k[2], k[3] alike.
 * Taps beyond the image have weight zero. x_first ascends. The same holds for rows. An output whose weights are all
 * zero is black; one tap of 1 << 22 copies.
 *
 * Byte `red` of a pixel is its red sample, and so on; equal offsets make a grey image RGB. Reads no byte but those from
 * the first pixel to the last, gaps between rows included.
 */
typedef struct vtb_preprocess_args {
  int32_t width, height;    /* of the source */
  int32_t pixel_stride;     /* bytes from a pixel to the next: 1 to 4 */
  int32_t red, green, blue; /* each below pixel_stride */
  int64_t row_stride;       /* bytes from a row to the next, at least width * pixel_stride */
  const uint8_t* pixels;
  int32_t out_width, out_height; /* of the crop */
  int32_t x_taps, y_taps;
  const int32_t* x_first;   /* [out_width] */
  const int32_t* x_weights; /* [out_width, x_taps] */
  const int32_t* y_first;   /* [out_height] */
  const int32_t* y_weights; /* [out_height, y_taps] */
  const float* normalised;  /* [3, 256]: what a sample of a channel becomes */
  float* out;               /* [out_height, out_width, 3] */
  void* scratch;
} vtb_preprocess_args;

/* Reads x_first and y_first besides the shape fields. */
int64_t vtb_preprocess_scratch(const vtb_preprocess_args* args);
vtb_status vtb_preprocess(vtb_pool* pool, const vtb_preprocess_args* args);

#ifdef __cplusplus
}
#endif

#endif
