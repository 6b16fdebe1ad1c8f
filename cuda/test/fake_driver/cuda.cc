// A libcuda.so.1 without a GPU: the functions of the driver API that Vertebra calls, over the emulator, so that the
// code for real GPUs runs whole. It is as strict as the driver: a thread needs a current context. Environment variables
// make it a machine with another GPU or driver.
#include "vertebra_cuda_emulator.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace {

enum Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kUnsupportedPtxVersion = 222,
  kNotFound = 500,
  kIllegalAddress = 700,
  kCaptureUnsupported = 900,
};

int setting(const char* name, int otherwise) {
  const char* value = getenv(name);
  return value ? atoi(value) : otherwise;
}

int devices() { return setting("FAKE_CUDA_DEVICES", 2); }
int driver() { return setting("FAKE_CUDA_DRIVER", 13000); }
int capability() { return setting("FAKE_CUDA_CAPABILITY", 90); }

bool initialized = false;
int retained = 0;
char context = 0;
char module = 0;
thread_local void* current = nullptr;

Result result(vtbe_status status) {
  switch (status) {
    case VTBE_OK: return kSuccess;
    case VTBE_OUT_OF_MEMORY: return kOutOfMemory;
    case VTBE_CAPTURE: return kCaptureUnsupported;
    case VTBE_INVALID_VALUE: return kInvalidValue;
    default: return kIllegalAddress;
  }
}

bool no_context() { return current != &context || retained == 0; }

}  // namespace

#define VERTEBRA_NEED_CONTEXT \
  if (no_context()) return kInvalidContext

extern "C" {

int cuInit(unsigned) {
  if (devices() == 0) return kNoDevice;
  vtbe_set_memory_total(static_cast<int64_t>(setting("FAKE_CUDA_MIB", 8192)) << 20);
  initialized = true;
  return kSuccess;
}

int cuDriverGetVersion(int* version) {
  *version = driver();
  return kSuccess;
}

int cuDeviceGetCount(int* count) {
  *count = devices();
  return initialized ? kSuccess : kNotInitialized;
}

int cuDeviceGet(int* device, int ordinal) {
  if (ordinal < 0 || ordinal >= devices()) return kInvalidDevice;
  *device = ordinal;
  return kSuccess;
}

int cuDeviceGetName(char* name, int length, int device) {
  strncpy(name, ("Fake GPU " + std::to_string(device)).c_str(), static_cast<size_t>(length));
  return kSuccess;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case 16: *value = 132; return kSuccess;
    case 38: *value = 1 << 20; return kSuccess;
    case 75: *value = capability() / 10; return kSuccess;
    case 76: *value = capability() % 10; return kSuccess;
    case 97: *value = 163 << 10; return kSuccess;  // what the emulator allows
    default: return kInvalidValue;
  }
}

int cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = static_cast<size_t>(vtbe_memory_total());
  return kSuccess;
}

int cuDevicePrimaryCtxRetain(void** given, int) {
  ++retained;
  *given = &context;
  return kSuccess;
}

int cuDevicePrimaryCtxRelease_v2(int) {
  if (retained == 0) return kInvalidContext;
  --retained;
  return kSuccess;
}

int cuCtxSetCurrent(void* given) {
  current = given;
  return kSuccess;
}

// ---- memory ----

int cuMemGetInfo_v2(size_t* free, size_t* total) {
  VERTEBRA_NEED_CONTEXT;
  *free = static_cast<size_t>(vtbe_memory_total() - vtbe_memory_used());
  *total = static_cast<size_t>(vtbe_memory_total());
  return kSuccess;
}

int cuMemAlloc_v2(uint64_t* memory, size_t bytes) {
  VERTEBRA_NEED_CONTEXT;
  if (bytes == 0) return kInvalidValue;
  *memory = vtbe_alloc(static_cast<int64_t>(bytes));
  return *memory ? kSuccess : kOutOfMemory;
}

int cuMemFree_v2(uint64_t memory) {
  VERTEBRA_NEED_CONTEXT;
  return memory ? result(vtbe_free(memory)) : kInvalidValue;
}

int cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  VERTEBRA_NEED_CONTEXT;
  *memory = operator new (bytes, std::align_val_t{4096}, std::nothrow);
  return *memory ? kSuccess : kOutOfMemory;
}

int cuMemFreeHost(void* memory) {
  VERTEBRA_NEED_CONTEXT;
  operator delete (memory, std::align_val_t{4096});
  return kSuccess;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, vtbe_stream* stream) {
  VERTEBRA_NEED_CONTEXT;
  return result(vtbe_copy_in_async(stream, to, from, static_cast<int64_t>(bytes)));
}

int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, vtbe_stream* stream) {
  VERTEBRA_NEED_CONTEXT;
  return result(vtbe_copy_out_async(stream, to, from, static_cast<int64_t>(bytes)));
}

int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, vtbe_stream* stream) {
  VERTEBRA_NEED_CONTEXT;
  return result(vtbe_copy_async(stream, to, from, static_cast<int64_t>(bytes)));
}

// ---- kernels ----

int cuModuleLoadDataEx(void** given, const void* image, unsigned, int*, void**) {
  VERTEBRA_NEED_CONTEXT;
  if (driver() < 13000) return kUnsupportedPtxVersion;
  const unsigned char fat_binary[4] = {0x50, 0xed, 0x55, 0xba};
  if (memcmp(image, fat_binary, sizeof fat_binary) != 0) return kInvalidImage;
  *given = &module;
  return kSuccess;
}

int cuModuleUnload(void* given) {
  VERTEBRA_NEED_CONTEXT;
  return given == &module ? kSuccess : kInvalidValue;
}

int cuModuleGetFunction(const vtbe_kernel** kernel, void* given, const char* name) {
  VERTEBRA_NEED_CONTEXT;
  if (given != &module) return kInvalidValue;
  *kernel = vtbe_kernel_find(name);
  return *kernel ? kSuccess : kNotFound;
}

int cuFuncSetAttribute(const vtbe_kernel* kernel, int attribute, int value) {
  VERTEBRA_NEED_CONTEXT;
  return attribute == 8 ? result(vtbe_kernel_allow_shared(kernel, value)) : kInvalidValue;
}

int cuLaunchKernel(const vtbe_kernel* kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, vtbe_stream* stream, void** parameters,
                   void**) {
  VERTEBRA_NEED_CONTEXT;
  return result(vtbe_launch(stream, kernel, static_cast<int32_t>(grid_x), static_cast<int32_t>(grid_y),
                            static_cast<int32_t>(grid_z), static_cast<int32_t>(block_x), static_cast<int32_t>(block_y),
                            static_cast<int32_t>(block_z), static_cast<int32_t>(shared_bytes), parameters[0]));
}

// ---- streams, graphs, events ----

int cuStreamCreate(vtbe_stream** stream, unsigned flags) {
  VERTEBRA_NEED_CONTEXT;
  if (flags != 1) return kInvalidValue;  // a stream that waits for the default stream would slow others down
  *stream = vtbe_stream_create();
  return *stream ? kSuccess : kOutOfMemory;
}

int cuStreamDestroy_v2(vtbe_stream* stream) {
  VERTEBRA_NEED_CONTEXT;
  vtbe_stream_destroy(stream);
  return kSuccess;
}

int cuStreamSynchronize(vtbe_stream* stream) {
  VERTEBRA_NEED_CONTEXT;
  return result(vtbe_stream_synchronize(stream));
}

int cuStreamBeginCapture_v2(vtbe_stream* stream, int mode) {
  VERTEBRA_NEED_CONTEXT;
  return mode == 1 ? result(vtbe_capture_begin(stream)) : kInvalidValue;
}

int cuStreamEndCapture(vtbe_stream* stream, vtbe_graph** graph) {
  VERTEBRA_NEED_CONTEXT;
  *graph = vtbe_capture_end(stream);
  return *graph ? kSuccess : kInvalidValue;
}

int cuGraphGetNodes(vtbe_graph* graph, void**, size_t* count) {
  *count = static_cast<size_t>(vtbe_graph_size(graph));
  return kSuccess;
}

int cuGraphInstantiateWithFlags(vtbe_graph** executable, vtbe_graph* graph, unsigned long long) {
  VERTEBRA_NEED_CONTEXT;
  *executable = graph;
  return kSuccess;
}

// The executable one is the same.
int cuGraphDestroy(vtbe_graph*) { return kSuccess; }

int cuGraphExecDestroy(vtbe_graph* graph) {
  VERTEBRA_NEED_CONTEXT;
  vtbe_graph_destroy(graph);
  return kSuccess;
}

int cuGraphLaunch(vtbe_graph* graph, vtbe_stream* stream) {
  VERTEBRA_NEED_CONTEXT;
  return result(vtbe_graph_launch(graph, stream));
}

int cuEventCreate(vtbe_event** event, unsigned) {
  VERTEBRA_NEED_CONTEXT;
  *event = vtbe_event_create();
  return *event ? kSuccess : kOutOfMemory;
}

int cuEventDestroy_v2(vtbe_event* event) {
  VERTEBRA_NEED_CONTEXT;
  vtbe_event_destroy(event);
  return kSuccess;
}

int cuEventRecord(vtbe_event* event, vtbe_stream* stream) {
  VERTEBRA_NEED_CONTEXT;
  return result(vtbe_event_record(event, stream));
}

int cuEventElapsedTime(float* milliseconds, const vtbe_event* start, const vtbe_event* end) {
  VERTEBRA_NEED_CONTEXT;
  *milliseconds = static_cast<float>(vtbe_event_elapsed(start, end));
  return *milliseconds >= 0 ? kSuccess : kInvalidValue;
}

int cuProfilerStart(void) {
  VERTEBRA_NEED_CONTEXT;
  return kSuccess;
}

int cuProfilerStop(void) {
  VERTEBRA_NEED_CONTEXT;
  return kSuccess;
}

}  // extern "C"
