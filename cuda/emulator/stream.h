// The one device of the process: its memory, its lock, and what the functions of the C interface share.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "memory.h"
#include "vertebra_cuda_emulator.h"

namespace vtb::emulator {

struct Device {
  std::mutex lock;
  Memory memory;
};

Device& device();

// Notes why, for vtbe_last_error, and returns the status.
vtbe_status failed(vtbe_status status, const std::string& why);

// Checks its arguments and does its work.
using Operation = std::function<vtbe_status()>;

// What the next launch on the stream may write, if that was said; once.
std::optional<Range> take_expected_writes(vtbe_stream* stream);

// Does the operation now, or notes it if the stream captures. The device's lock is not held.
vtbe_status submit(vtbe_stream* stream, Operation operation);

// VTBE_INVALID_VALUE unless the bytes lie in one live allocation; `what` names them.
vtbe_status check_range(const std::string& what, uint64_t address, int64_t bytes);

}  // namespace vtb::emulator
