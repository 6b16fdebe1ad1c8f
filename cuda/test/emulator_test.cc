// What the emulator promises: CUDA's semantics, and that mistakes are errors.
#include "emulator_kernels.h"
#include "kernel.h"
#include "test_support.h"

namespace vtb::test {
namespace {

class Stream {
 public:
  ~Stream() { vtbe_stream_destroy(stream_); }
  operator vtbe_stream*() const { return stream_; }

 private:
  vtbe_stream* stream_ = vtbe_stream_create();
};

std::vector<int32_t> integers(uint64_t from, int64_t count) {
  std::vector<int32_t> values(count);
  EXPECT_EQ(vtbe_copy_out(values.data(), from, count * 4), VTBE_OK) << vtbe_last_error();
  return values;
}

std::vector<int32_t> shuffled(int32_t what) {
  const Map out(std::vector<int32_t>(32, -7));
  launch("shuffles", {1}, {32}, WhatAndOut{what, out.address()});
  return integers(out.address(), 32);
}

TEST(Emulator, WarpOperations) {
  for (int t = 0; t < 32; ++t) {
    EXPECT_EQ(shuffled(0)[t], 5);
    EXPECT_EQ(shuffled(1)[t], t / 8 * 8 + 3);
    EXPECT_EQ(shuffled(2)[t], t ^ 16);
    EXPECT_EQ(shuffled(3)[t], t < 2 ? t : t - 2);
    EXPECT_EQ(shuffled(4)[t], 0x49249249);
    EXPECT_EQ(shuffled(5)[t], t < 16 ? 7 : 20);
  }
}

TEST(Emulator, BlocksGridsAndAtomics) {
  const Map out(std::vector<int32_t>(4 * 3 * 2 * 5 * 7 * 2, -1));
  launch("indices", {4, 3, 2}, {5, 7, 2}, WhatAndOut{0, out.address()});
  const std::vector<int32_t> actual = integers(out.address(), static_cast<int64_t>(out.rows.size()));
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_EQ(actual[i], static_cast<int32_t>(i) - 1);
}

TEST(Emulator, BarriersAndDynamicSharedMemory) {
  const Array in = Array::random(f32, 3 * 1024, 1), out(f32, 3);
  Stream stream;
  ASSERT_EQ(launch_on(stream, "tree_sum", {3}, {1024}, 4096, InAndOut{in.address(), out.address()}), VTBE_OK)
      << vtbe_last_error();
  const std::vector<double> actual = out.read();
  for (int block = 0; block < 3; ++block) {
    double sum = 0;
    for (int i = 0; i < 1024; ++i) sum += in[block * 1024 + i];
    EXPECT_NEAR(actual[block], sum, 1e-4);
  }
}

void tensor_cores(const DType& dtype) {
  const Array a = Array::random(dtype, 256, 1), b = Array::random(dtype, 128, 2), c(f32, 128);
  launch(std::string("multiply_") + dtype.suffix, {1}, {32}, Product{a.address(), b.address(), c.address()});
  std::vector<double> expected(128);
  for (int i = 0; i < 128 * 16; ++i) expected[i / 16] += a[i / 128 * 16 + i % 16] * b[i % 16 * 8 + i / 16 % 8];
  EXPECT_LE(difference(c.read(), expected), 16 * 0x1p-24);
}

TEST(Emulator, TensorCores) {
  tensor_cores(f16);
  tensor_cores(bf16);
}

// What a launch of `wrong` gives.
vtbe_status mistake(int32_t what, const Array& out) {
  Stream stream;
  return launch_on(stream, "wrong", {1}, {64}, 0, WhatAndOut{what, out.address()});
}

void expect_error(const std::vector<const char*>& parts) {
  for (const char* part : parts)
    EXPECT_NE(std::string(vtbe_last_error()).find(part), std::string::npos) << vtbe_last_error();
}

TEST(Emulator, DivergenceIsAnError) {
  const Array out(f32, 64);
  EXPECT_EQ(mistake(0, out), VTBE_DIVERGENCE);
  expect_error({"wrong", "block (0,0,0)", "thread (40,0,0) has exited", "__syncthreads, emulator_kernels.cu:"});
  EXPECT_EQ(mistake(1, out), VTBE_DIVERGENCE);
  expect_error({"different barriers"});
  EXPECT_EQ(mistake(2, out), VTBE_DIVERGENCE);
  expect_error({"thread (3,0,0) has exited"});
  EXPECT_EQ(mistake(3, out), VTBE_DIVERGENCE);
  expect_error({"mask"});
  EXPECT_EQ(mistake(4, out), VTBE_DIVERGENCE);
  expect_error({"waits at __syncthreads", "waits at a warp operation"});
  EXPECT_EQ(mistake(-1, out), VTBE_OK) << vtbe_last_error();
}

TEST(Emulator, MisalignedAccessIsAnError) {
  const Array out(f32, 64);
  EXPECT_EQ(mistake(8, out), VTBE_OUT_OF_BOUNDS);
  expect_error({"wrong", "aligned to 16"});
}

#if !defined(__SANITIZE_ADDRESS__)  // which ends the process at these
TEST(Emulator, WritesOutOfBoundsAreErrors) {
  const Array out(f32, 64);
  EXPECT_EQ(mistake(5, out), VTBE_OUT_OF_BOUNDS);
  expect_error({"wrong", "shared memory"});
  EXPECT_EQ(mistake(6, out), VTBE_OUT_OF_BOUNDS);
  expect_error({"wrong wrote behind allocation", "of 256 bytes"});
  EXPECT_EQ(mistake(7, out), VTBE_OUT_OF_BOUNDS);
  expect_error({"wrong wrote before allocation"});
  EXPECT_EQ(mistake(-1, out), VTBE_OK) << vtbe_last_error();
}
#else
TEST(EmulatorDeathTest, AccessesOutOfBoundsEndTheProcess) {
  const Array out(f32, 64);
  EXPECT_DEATH(mistake(5, out), "use-after-poison");
  EXPECT_DEATH(mistake(6, out), "use-after-poison");
  EXPECT_DEATH(mistake(7, out), "use-after-poison");
  EXPECT_DEATH(mistake(12, out), "use-after-poison");
}
#endif

TEST(Emulator, WhatWasNotWrittenIsNaN) {
  const Array out(f32, 64);
  for (double x : out.read()) EXPECT_TRUE(std::isnan(x));
#if defined(__SANITIZE_ADDRESS__)
  const std::vector<int32_t> reads = {9, 10, 11};
#else
  const std::vector<int32_t> reads = {9, 10, 11, 12};
#endif
  for (int32_t what : reads) {
    const Array values = Array::random(f32, 64, 1);
    ASSERT_EQ(mistake(what, values), VTBE_OK) << vtbe_last_error();
    EXPECT_TRUE(std::isnan(values.read()[0])) << what;
  }
}

TEST(Emulator, WritesOutsideOfWhatIsExpectedAreErrors) {
  Stream stream;
  const Array out(f32, 100);
  EXPECT_EQ(vtbe_expect_writes(stream, out.address(), 256), VTBE_OK);
  EXPECT_EQ(launch_on(stream, "wrong", {1}, {64}, 0, WhatAndOut{-1, out.address()}), VTBE_OK) << vtbe_last_error();
  EXPECT_EQ(vtbe_set_async(stream, out.address(), 0, 400), VTBE_OK);
  ASSERT_EQ(vtbe_capture_begin(stream), VTBE_OK);
  EXPECT_EQ(vtbe_expect_writes(stream, out.address(), 252), VTBE_OK);
  EXPECT_EQ(launch_on(stream, "wrong", {1}, {64}, 0, WhatAndOut{-1, out.address()}), VTBE_OK);
  vtbe_graph* graph = vtbe_capture_end(stream);
  EXPECT_EQ(vtbe_graph_launch(graph, stream), VTBE_OUT_OF_BOUNDS);
  expect_error({"wrong wrote outside of what it may write, byte 25", " of allocation", "of 400 bytes"});
  EXPECT_EQ(launch_on(stream, "wrong", {1}, {64}, 0, WhatAndOut{-1, out.address()}), VTBE_OK) << vtbe_last_error();
  vtbe_graph_destroy(graph);
}

TEST(Emulator, AddressesHaveToLieInLiveAllocations) {
  Stream stream;
  const uint64_t memory = vtbe_alloc(100);
  ASSERT_NE(memory, 0u);
  char host[101] = {};
  EXPECT_EQ(vtbe_copy_in(memory, host, 101), VTBE_INVALID_VALUE);
  expect_error({"101 bytes at byte 0 of allocation", "of 100 bytes"});
  EXPECT_EQ(vtbe_copy_out(host, memory + 1, 100), VTBE_INVALID_VALUE);
  EXPECT_EQ(vtbe_set_async(stream, memory, 0, 100), VTBE_OK);
  EXPECT_EQ(vtbe_free(memory + 4), VTBE_INVALID_VALUE);
  EXPECT_EQ(vtbe_free(memory), VTBE_OK);
  EXPECT_EQ(vtbe_free(memory), VTBE_INVALID_VALUE);
  EXPECT_EQ(vtbe_copy_out(host, memory, 4), VTBE_INVALID_VALUE);
  expect_error({"has been freed"});
  EXPECT_EQ(launch_on(stream, "wrong", {1}, {64}, 0, WhatAndOut{-1, Address{memory}}), VTBE_INVALID_VALUE);
  expect_error({"wrong: the pointer at byte 8", "has been freed"});
  EXPECT_EQ(launch_on(stream, "wrong", {1}, {64}, 0, WhatAndOut{-1, Address{64}}), VTBE_INVALID_VALUE);
}

TEST(Emulator, MemoryIsLimited) {
  const int64_t used = vtbe_memory_used(), total = vtbe_memory_total();
  vtbe_set_memory_total(used + 1000);
  EXPECT_EQ(vtbe_alloc(1001), 0u);
  expect_error({"no 1001 bytes left"});
  EXPECT_EQ(vtbe_alloc(0), 0u);
  const uint64_t memory = vtbe_alloc(1000);
  EXPECT_EQ(memory % 256, 0u);
  EXPECT_EQ(vtbe_memory_used(), used + 1000);
  EXPECT_EQ(vtbe_free(memory), VTBE_OK);
  vtbe_set_memory_total(total);
}

TEST(Emulator, LaunchesNoGPUTakesAreErrors) {
  Stream stream;
  const Array out(f32, 64);
  auto status = [&](Dim grid, Dim block, int32_t shared) {
    return launch_on(stream, "wrong", grid, block, shared, WhatAndOut{-1, out.address()});
  };
  EXPECT_EQ(status({0}, {32}, 0), VTBE_INVALID_VALUE);
  EXPECT_EQ(status({1, 65536}, {32}, 0), VTBE_INVALID_VALUE);
  EXPECT_EQ(status({1}, {65}, 0), VTBE_INVALID_VALUE);
  expect_error({"takes up to 64"});
  EXPECT_EQ(status({1}, {64}, 48 * 1024 + 1), VTBE_INVALID_VALUE);
  EXPECT_EQ(status({1}, {64}, 48 * 1024), VTBE_INVALID_VALUE);
  expect_error({"static and dynamic"});
  const vtbe_kernel* kernel = vtbe_kernel_find("wrong");
  EXPECT_EQ(vtbe_kernel_allow_shared(kernel, 164 << 10), VTBE_INVALID_VALUE);
  EXPECT_EQ(vtbe_kernel_allow_shared(kernel, 100 << 10), VTBE_OK);
  EXPECT_EQ(status({1}, {64}, 100 << 10), VTBE_OK) << vtbe_last_error();
  EXPECT_EQ(vtbe_kernel_find("no_such_kernel"), nullptr);
}

TEST(Emulator, FieldsOfArgumentStructsAreKnown) {
  EXPECT_EQ(emulator::Fields<vtbc_softmax_args>::view, "iipp");
  EXPECT_EQ(emulator::Fields<vtbc_shrink_tokens_args>::view, "iiiippplp");
  EXPECT_EQ(emulator::Fields<vtbc_gemm_args>::view, "iiiiipppppppppiii");
  std::string pointers;
  emulator::for_each_field(emulator::Fields<vtbc_layer_norm_args>::view, [&](char letter, size_t offset) {
    if (letter == 'p') pointers += std::to_string(offset) + " ";
  });
  EXPECT_EQ(pointers, "16 24 32 40 56 ");
}

TEST(Emulator, GraphsRunWhenTheyAreLaunched) {
  Stream stream;
  float in[64] = {}, out[64] = {};
  const Array memory(f32, 64);
  ASSERT_EQ(vtbe_capture_begin(stream), VTBE_OK);
  EXPECT_EQ(vtbe_capture_begin(stream), VTBE_CAPTURE);
  EXPECT_EQ(vtbe_copy_in_async(stream, memory.address(), in, 256), VTBE_OK);
  const vtbc_affine_args args = {1, 64, 1, VTBC_SIGMOID, memory.address(), nullptr, nullptr, nullptr, memory.address()};
  EXPECT_EQ(launch_on(stream, "vtb_affine_f32", {1}, {64}, 0, args), VTBE_OK);
  EXPECT_EQ(vtbe_copy_out_async(stream, out, memory.address(), 256), VTBE_OK);
  EXPECT_EQ(vtbe_copy_out(out, memory.address(), 256), VTBE_CAPTURE);
  expect_error({"a read by the host"});
  EXPECT_EQ(vtbe_alloc(4), 0u);
  EXPECT_EQ(vtbe_stream_synchronize(stream), VTBE_CAPTURE);
  vtbe_graph* graph = vtbe_capture_end(stream);
  ASSERT_NE(graph, nullptr);
  EXPECT_EQ(vtbe_graph_size(graph), 3);
  EXPECT_TRUE(std::isnan(memory.read()[0]));
  for (float value : {0.0f, 1.0f}) {
    in[7] = value;
    ASSERT_EQ(vtbe_graph_launch(graph, stream), VTBE_OK) << vtbe_last_error();
    EXPECT_NEAR(out[7], 1 / (1 + std::exp(-value)), 1e-6);
  }
  vtbe_graph_destroy(graph);
  EXPECT_EQ(vtbe_capture_end(stream), nullptr);
}

TEST(Emulator, AGraphUsesFreedMemory) {
  Stream stream;
  const uint64_t memory = vtbe_alloc(256);
  ASSERT_EQ(vtbe_capture_begin(stream), VTBE_OK);
  EXPECT_EQ(launch_on(stream, "wrong", {1}, {64}, 0, WhatAndOut{-1, Address{memory}}), VTBE_OK);
  vtbe_graph* graph = vtbe_capture_end(stream);
  EXPECT_EQ(vtbe_graph_launch(graph, stream), VTBE_OK);
  EXPECT_EQ(vtbe_free(memory), VTBE_OK);
  EXPECT_EQ(vtbe_graph_launch(graph, stream), VTBE_INVALID_VALUE);
  expect_error({"has been freed"});
  vtbe_graph_destroy(graph);
}

TEST(Emulator, Events) {
  Stream stream;
  vtbe_event *start = vtbe_event_create(), *end = vtbe_event_create();
  EXPECT_TRUE(std::isnan(vtbe_event_elapsed(start, end)));
  EXPECT_EQ(vtbe_event_record(start, stream), VTBE_OK);
  launch("barriers", {1}, {64}, WhatAndOut{10, null});
  EXPECT_EQ(vtbe_event_record(end, stream), VTBE_OK);
  EXPECT_GT(vtbe_event_elapsed(start, end), 0);
  vtbe_event_destroy(start);
  vtbe_event_destroy(end);
}

TEST(Emulator, Gemm) {
  const int32_t m = 5, n = 7, k = 9;
  Stream stream;
  for (const DType& dtype : dtypes) {
    const Array rows = Array::random(dtype, m * k, 1), weights = Array::random(dtype, n * k, 2), out(dtype, m * n);
    ASSERT_EQ(vtbe_gemm(stream, dtype.id, m, n, k, rows.address(), weights.address(), out.address()), VTBE_OK)
        << vtbe_last_error();
    std::vector<double> expected(out.size());
    for (int64_t i = 0; i < out.size() * k; ++i) {
      expected[i / k] += rows[i / k / n * k + i % k] * weights[i / k % n * k + i % k];
    }
    EXPECT_LE(difference(out.read(), expected), dtype.rounding + 20 * 0x1p-24) << dtype.suffix;
    const Array small(dtype, 10);
    EXPECT_EQ(vtbe_gemm(stream, dtype.id, m, n, k, small.address(), weights.address(), out.address()),
              VTBE_INVALID_VALUE);
    expect_error({"gemm: rows", dtype.id == VTBC_F32 ? "180 bytes" : "90 bytes"});
  }
}

TEST(Half, EveryValueAndRounding) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const float value = __half2float({static_cast<uint16_t>(i)});
    const uint32_t exponent = i >> 10 & 31;
    if (exponent == 31 && (i & 1023) != 0) {
      EXPECT_TRUE(std::isnan(value));
      continue;
    }
    const double magnitude = exponent == 31  ? INFINITY
                             : exponent == 0 ? std::ldexp(i & 1023, -24)
                                             : std::ldexp(1024 + (i & 1023), static_cast<int>(exponent) - 25);
    ASSERT_EQ(value, i >> 15 ? -magnitude : magnitude) << i;
    ASSERT_EQ(__float2half_rn(value).bits, i);
  }
  // Halfway between two neighbours, and to either side of it.
  for (uint32_t i = 0; i < 0x7c00; ++i) {
    const double low = __half2float({static_cast<uint16_t>(i)});
    const double high = i == 0x7bff ? 65536 : __half2float({static_cast<uint16_t>(i + 1)});
    const float middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(__float2half_rn(middle).bits, i % 2 == 0 ? i : i + 1) << i;
    ASSERT_EQ(__float2half_rn(std::nextafter(middle, 0.0f)).bits, i);
    ASSERT_EQ(__float2half_rn(-std::nextafter(middle, 1e6f)).bits, (i + 1) | 0x8000);
  }
  EXPECT_TRUE(std::isnan(__half2float(__float2half_rn(std::nanf("")))));
  EXPECT_EQ(__float2bfloat16_rn(std::bit_cast<float>(0x3f808000)).bits, 0x3f80);
  EXPECT_EQ(__float2bfloat16_rn(std::bit_cast<float>(0x3f818000)).bits, 0x3f82);
  EXPECT_EQ(__float2bfloat16_rn(std::bit_cast<float>(0x3f808001)).bits, 0x3f81);
  EXPECT_TRUE(std::isnan(__bfloat162float(__float2bfloat16_rn(std::bit_cast<float>(0x7fffffff)))));
}

}  // namespace
}  // namespace vtb::test
