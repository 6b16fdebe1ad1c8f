/*
 * Vertebra's CUDA emulator: runs the kernels of cuda/kernels on the host, for tests on machines without a GPU. The
 * functions mean what those of the CUDA driver API and cuBLAS mean that Vertebra uses; on top of that, mistakes
 * which a GPU lets pass are errors here. It is slow.
 *
 * Conventions
 *   - Device memory is an address in a uint64_t. It is the process's own memory, but the host reads and writes it only
 *     through the functions below.
 *   - A function that can fail returns a status or null, and vtbe_last_error() then says why, naming the kernel, block
 *     and thread, or the allocation. A launch that fails leaves memory as it is at that point; the emulator goes on.
 *   - Work on a stream is done when the call returns, unless the stream captures: then it is only noted, and checked
 *     and done whenever the graph is launched.
 *   - Thread safety: all functions may be called from any thread; calls run one at a time. A stream serves one thread
 *     at a time.
 *   - Nothing throws, prints or aborts. (A build with AddressSanitizer ends the process at the first wrong access.)
 */
#ifndef VERTEBRA_CUDA_EMULATOR_H
#define VERTEBRA_CUDA_EMULATOR_H

#include "vertebra_cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum vtbe_status {
  VTBE_OK = 0,
  VTBE_OUT_OF_MEMORY = 1,
  VTBE_INVALID_VALUE = 2, /* an argument; an address outside of every live allocation; a grid or block no GPU takes */
  VTBE_CAPTURE = 3,       /* what a capture does not allow, such as a read by the host */
  VTBE_DIVERGENCE = 4,    /* threads of a block or warp do not meet at one barrier or warp operation */
  VTBE_OUT_OF_BOUNDS = 5  /* a kernel's write outside of what it may write; a misaligned access */
} vtbe_status;

/* Why the last call of this thread that failed did so; until its next failure. */
const char* vtbe_last_error(void);

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/*
 * Device memory, aligned to 256 bytes, every byte 0xff: a float is NaN, an integer -1. 0 when `bytes` is not positive
 * or the device's memory is spent. Not while the calling thread captures.
 */
uint64_t vtbe_alloc(int64_t bytes);

/* Its bytes become NaN, and using it is an error from here on. 0 is allowed. Not while the thread captures. */
vtbe_status vtbe_free(uint64_t memory);

/* The device's memory, all of it and what is allocated; the former can be set (initially 8 GiB). */
int64_t vtbe_memory_total(void);
int64_t vtbe_memory_used(void);
void vtbe_set_memory_total(int64_t bytes);

/* Synchronous copies: an error while the calling thread captures. */
vtbe_status vtbe_copy_in(uint64_t to, const void* from, int64_t bytes);
vtbe_status vtbe_copy_out(void* to, uint64_t from, int64_t bytes);

/* ---- streams and graphs ------------------------------------------------------------------------------------------ */

typedef struct vtbe_stream vtbe_stream;
typedef struct vtbe_graph vtbe_graph;

/* Null when memory is out. */
vtbe_stream* vtbe_stream_create(void);
void vtbe_stream_destroy(vtbe_stream* stream);

/* An error while the calling thread captures. */
vtbe_status vtbe_stream_synchronize(vtbe_stream* stream);

/* Host memory is read or written when the copy is done: in a captured stream, at every launch of the graph. */
vtbe_status vtbe_copy_in_async(vtbe_stream* stream, uint64_t to, const void* from, int64_t bytes);
vtbe_status vtbe_copy_out_async(vtbe_stream* stream, void* to, uint64_t from, int64_t bytes);
vtbe_status vtbe_copy_async(vtbe_stream* stream, uint64_t to, uint64_t from, int64_t bytes);
vtbe_status vtbe_set_async(vtbe_stream* stream, uint64_t memory, uint8_t value, int64_t bytes);

/* As cuStreamBeginCapture with CU_STREAM_CAPTURE_MODE_THREAD_LOCAL. */
vtbe_status vtbe_capture_begin(vtbe_stream* stream);

/* The graph of what the stream was given since, ready to be launched; null when the stream does not capture. */
vtbe_graph* vtbe_capture_end(vtbe_stream* stream);

vtbe_status vtbe_graph_launch(vtbe_graph* graph, vtbe_stream* stream);

/* Number of operations: kernels, copies, sets and products. */
int32_t vtbe_graph_size(const vtbe_graph* graph);
void vtbe_graph_destroy(vtbe_graph* graph);

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

typedef struct vtbe_kernel vtbe_kernel;

/* The kernel of this name, such as vtb_softmax_f32; null when there is none. Never freed. */
const vtbe_kernel* vtbe_kernel_find(const char* name);

/* Bytes of the struct it takes. */
int32_t vtbe_kernel_args_bytes(const vtbe_kernel* kernel);

/*
 * Lets launches of the kernel ask for so many bytes of dynamic shared memory
 * (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES). Up to 48 KiB are allowed without, and 163 KiB, the most of sm_80,
 * at all.
 */
vtbe_status vtbe_kernel_allow_shared(const vtbe_kernel* kernel, int32_t bytes);

/*
 * Runs the kernel as cuLaunchKernel does; args points to its argument struct, which is copied. Pointers in it must be
 * null or lie in live allocations.
 */
vtbe_status vtbe_launch(vtbe_stream* stream, const vtbe_kernel* kernel, int32_t grid_x, int32_t grid_y, int32_t grid_z,
                        int32_t block_x, int32_t block_y, int32_t block_z, int32_t shared_bytes, const void* args);

/*
 * What the next launch on the stream may write: `bytes` bytes at `address`. If it changes any other byte of the
 * device's memory, it fails with VTBE_OUT_OF_BOUNDS. Compares all memory, and so is meant for small models.
 */
vtbe_status vtbe_expect_writes(vtbe_stream* stream, uint64_t address, int64_t bytes);

/* ---- products ---------------------------------------------------------------------------------------------------- */

/*
 * What Vertebra uses of cublasGemmEx with CUBLAS_COMPUTE_32F: out = rows weights^T, rows [m, k], weights [n, k], out
 * [m, n], all row-major and of the dtype.
 */
vtbe_status vtbe_gemm(vtbe_stream* stream, vtbc_dtype dtype, int32_t m, int32_t n, int32_t k, uint64_t rows,
                      uint64_t weights, uint64_t out);

/* ---- events ------------------------------------------------------------------------------------------------------ */

typedef struct vtbe_event vtbe_event;

/* Null when memory is out. */
vtbe_event* vtbe_event_create(void);
void vtbe_event_destroy(vtbe_event* event);

/* Notes the time; an error while the stream captures. */
vtbe_status vtbe_event_record(vtbe_event* event, vtbe_stream* stream);

/* Milliseconds between two recorded events; NaN if one has not been recorded. */
double vtbe_event_elapsed(const vtbe_event* start, const vtbe_event* end);

#ifdef __cplusplus
}
#endif

#endif
