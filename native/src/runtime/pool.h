// Fork-join over a fixed set of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/rounding.h"
#include "vertebra.h"

namespace vtb {

// What a parallel region runs: task `index` in [0, tasks), on the pool's thread `worker` in [0, threads). A worker
// runs one task at a time, so memory indexed by worker is private to the task while it runs.
using TaskFunction = void (*)(const void* context, int64_t index, int32_t worker);

void run_tasks(vtb_pool* pool, int64_t tasks, TaskFunction function, const void* context);

// Runs body(index, worker) for every index in [0, tasks), tasks < 2^31, and returns when all are done. Every thread
// starts with a share of its own, the same part of [0, tasks) in every region, and takes it in order, so that
// neighbours meet in its caches; one that is done helps the others. A task should cost microseconds, not nanoseconds.
template <typename Body>
void parallel_for(vtb_pool* pool, int64_t tasks, const Body& body) {
  run_tasks(
      pool, tasks,
      [](const void* context, int64_t index, int32_t worker) { (*static_cast<const Body*>(context))(index, worker); },
      &body);
}

// Runs body(begin, end) for blocks of the rows [0, rows), at least one row of `row_floats` and at most task_floats
// each.
template <typename Body>
void parallel_for_rows(vtb_pool* pool, int64_t rows, int64_t row_floats, int64_t task_floats, const Body& body) {
  const int64_t block = std::max<int64_t>(1, task_floats / row_floats);
  parallel_for(pool, divide_up(rows, block),
               [&](int64_t index, int32_t) { body(index * block, std::min(rows, (index + 1) * block)); });
}

}  // namespace vtb
