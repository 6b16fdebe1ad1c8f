#include "stream.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

struct vtbe_graph {
  std::vector<vtb::emulator::Operation> operations;
};

struct vtbe_stream {
  vtbe_graph* capture = nullptr;  // what is being captured
  std::optional<vtb::emulator::Range> expected_writes;
};

struct vtbe_event {
  bool recorded = false;
  std::chrono::steady_clock::time_point time;
};

namespace vtb::emulator {
namespace {

using Clock = std::chrono::steady_clock;

thread_local std::string last_error;

// Captures that this thread has begun and not ended.
thread_local int captures = 0;

void* host(uint64_t address) { return reinterpret_cast<void*>(address); }

vtbe_status not_during_capture(const char* what) {
  if (captures == 0) return VTBE_OK;
  return failed(VTBE_CAPTURE, std::string(what) + " while this thread captures a stream");
}

}  // namespace

Device& device() {
  static Device* const one = new Device();  // outlives everything
  return *one;
}

vtbe_status failed(vtbe_status status, const std::string& why) {
  last_error = why;
  return status;
}

std::optional<Range> take_expected_writes(vtbe_stream* stream) {
  return std::exchange(stream->expected_writes, std::nullopt);
}

vtbe_status submit(vtbe_stream* stream, Operation operation) {
  try {
    if (stream->capture) {
      stream->capture->operations.push_back(std::move(operation));
      return VTBE_OK;
    }
    const std::lock_guard<std::mutex> guard(device().lock);
    return operation();
  } catch (const std::bad_alloc&) {
    return failed(VTBE_OUT_OF_MEMORY, "the host is out of memory");
  }
}

vtbe_status check_range(const std::string& what, uint64_t address, int64_t bytes) {
  std::string why;
  if (bytes < 0) return failed(VTBE_INVALID_VALUE, what + ": " + std::to_string(bytes) + " bytes");
  if (device().memory.holds(address, bytes, why)) return VTBE_OK;
  return failed(VTBE_INVALID_VALUE, what + ": " + why);
}

}  // namespace vtb::emulator

using namespace vtb::emulator;

extern "C" {

const char* vtbe_last_error(void) { return last_error.c_str(); }

// ---- memory

uint64_t vtbe_alloc(int64_t bytes) {
  if (not_during_capture("an allocation") != VTBE_OK) return 0;
  const std::lock_guard<std::mutex> guard(device().lock);
  const uint64_t address = device().memory.allocate(bytes);
  if (address == 0) {
    failed(VTBE_OUT_OF_MEMORY, "no " + std::to_string(bytes) +
                                   " bytes left: " + std::to_string(device().memory.used()) + " of " +
                                   std::to_string(device().memory.total) + " are allocated");
  }
  return address;
}

vtbe_status vtbe_free(uint64_t memory) {
  if (const vtbe_status status = not_during_capture("a release"); status != VTBE_OK) return status;
  const std::lock_guard<std::mutex> guard(device().lock);
  if (memory == 0 || device().memory.release(memory)) return VTBE_OK;
  return failed(VTBE_INVALID_VALUE, "no allocation starts here, or it has been freed before");
}

int64_t vtbe_memory_total(void) { return device().memory.total; }

int64_t vtbe_memory_used(void) {
  const std::lock_guard<std::mutex> guard(device().lock);
  return device().memory.used();
}

void vtbe_set_memory_total(int64_t bytes) {
  const std::lock_guard<std::mutex> guard(device().lock);
  device().memory.total = bytes;
}

vtbe_status vtbe_copy_in(uint64_t to, const void* from, int64_t bytes) {
  if (const vtbe_status status = not_during_capture("a synchronous copy"); status != VTBE_OK) return status;
  vtbe_stream now;
  return vtbe_copy_in_async(&now, to, from, bytes);
}

vtbe_status vtbe_copy_out(void* to, uint64_t from, int64_t bytes) {
  if (const vtbe_status status = not_during_capture("a read by the host"); status != VTBE_OK) return status;
  vtbe_stream now;
  return vtbe_copy_out_async(&now, to, from, bytes);
}

// ---- streams and graphs

vtbe_stream* vtbe_stream_create(void) { return new (std::nothrow) vtbe_stream(); }

void vtbe_stream_destroy(vtbe_stream* stream) {
  if (!stream) return;
  if (stream->capture) vtbe_graph_destroy(vtbe_capture_end(stream));
  delete stream;
}

vtbe_status vtbe_stream_synchronize(vtbe_stream*) { return not_during_capture("waiting for a stream"); }

vtbe_status vtbe_copy_in_async(vtbe_stream* stream, uint64_t to, const void* from, int64_t bytes) {
  return submit(stream, [=] {
    const vtbe_status status = check_range("copy to the device", to, bytes);
    if (status == VTBE_OK) std::memcpy(host(to), from, bytes);
    return status;
  });
}

vtbe_status vtbe_copy_out_async(vtbe_stream* stream, void* to, uint64_t from, int64_t bytes) {
  return submit(stream, [=] {
    const vtbe_status status = check_range("copy from the device", from, bytes);
    if (status == VTBE_OK) std::memcpy(to, host(from), bytes);
    return status;
  });
}

vtbe_status vtbe_copy_async(vtbe_stream* stream, uint64_t to, uint64_t from, int64_t bytes) {
  return submit(stream, [=] {
    vtbe_status status = check_range("copy's source", from, bytes);
    if (status == VTBE_OK) status = check_range("copy's destination", to, bytes);
    if (status == VTBE_OK) std::memmove(host(to), host(from), bytes);
    return status;
  });
}

vtbe_status vtbe_set_async(vtbe_stream* stream, uint64_t memory, uint8_t value, int64_t bytes) {
  return submit(stream, [=] {
    const vtbe_status status = check_range("set", memory, bytes);
    if (status == VTBE_OK) std::memset(host(memory), value, bytes);
    return status;
  });
}

vtbe_status vtbe_expect_writes(vtbe_stream* stream, uint64_t address, int64_t bytes) {
  stream->expected_writes = {address, bytes};
  return VTBE_OK;
}

vtbe_status vtbe_capture_begin(vtbe_stream* stream) {
  if (stream->capture) return failed(VTBE_CAPTURE, "the stream captures already");
  stream->capture = new (std::nothrow) vtbe_graph();
  if (!stream->capture) return failed(VTBE_OUT_OF_MEMORY, "the host is out of memory");
  ++captures;
  return VTBE_OK;
}

vtbe_graph* vtbe_capture_end(vtbe_stream* stream) {
  vtbe_graph* graph = stream->capture;
  if (!graph) {
    failed(VTBE_CAPTURE, "the stream does not capture");
    return nullptr;
  }
  stream->capture = nullptr;
  --captures;
  return graph;
}

vtbe_status vtbe_graph_launch(vtbe_graph* graph, vtbe_stream* stream) {
  if (stream->capture) return failed(VTBE_CAPTURE, "a graph launch while the stream captures");
  for (const Operation& operation : graph->operations) {
    const vtbe_status status = submit(stream, operation);
    if (status != VTBE_OK) return status;
  }
  return VTBE_OK;
}

int32_t vtbe_graph_size(const vtbe_graph* graph) { return static_cast<int32_t>(graph->operations.size()); }

void vtbe_graph_destroy(vtbe_graph* graph) { delete graph; }

// ---- events

vtbe_event* vtbe_event_create(void) { return new (std::nothrow) vtbe_event(); }

void vtbe_event_destroy(vtbe_event* event) { delete event; }

vtbe_status vtbe_event_record(vtbe_event* event, vtbe_stream* stream) {
  if (stream->capture) return failed(VTBE_CAPTURE, "an event recorded while the stream captures");
  event->recorded = true;
  event->time = Clock::now();
  return VTBE_OK;
}

double vtbe_event_elapsed(const vtbe_event* start, const vtbe_event* end) {
  if (!start->recorded || !end->recorded) return std::numeric_limits<double>::quiet_NaN();
  return std::chrono::duration<double, std::milli>(end->time - start->time).count();
}

}  // extern "C"
