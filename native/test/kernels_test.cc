// Choosing the level, and what was chosen.
#include <cstdlib>
#include <string>

#include "runtime/isa.h"
#include "runtime/kernels.h"
#include "test_support.h"

namespace vtb::test {
namespace {

TEST(Isa, NamesAndNothingElseLowerTheLevel) {
  const auto levels = {VTB_ISA_GENERIC,     VTB_ISA_AVX2,        VTB_ISA_AVX512,
                       VTB_ISA_AVX512_VNNI, VTB_ISA_AVX512_BF16, VTB_ISA_AMX};
  vtb_isa level;
  for (vtb_isa detected : levels) {
    for (vtb_isa asked : levels) {
      const vtb_status status = choose_isa(vtb_isa_name(asked), detected, &level);
      EXPECT_EQ(status, asked <= detected ? VTB_OK : VTB_UNSUPPORTED_ISA);
      if (status == VTB_OK) {
        EXPECT_EQ(level, asked);
      }
    }
    for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
      EXPECT_EQ(choose_isa(nothing, detected, &level), VTB_OK);
      EXPECT_EQ(level, detected);
    }
    for (const char* wrong : {"avx", "AVX2", "avx512 ", "amx_", "unknown"}) {
      EXPECT_EQ(choose_isa(wrong, detected, &level), VTB_UNKNOWN_ISA) << wrong;
    }
  }
}

TEST(Isa, DetectionAgreesWithTheCompiler) {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  const bool bf16 = vnni && __builtin_cpu_supports("avx512bf16");
  const vtb_isa below_amx = bf16     ? VTB_ISA_AVX512_BF16
                            : vnni   ? VTB_ISA_AVX512_VNNI
                            : avx512 ? VTB_ISA_AVX512
                            : avx2   ? VTB_ISA_AVX2
                                     : VTB_ISA_GENERIC;
  if (vtb_isa_detected() != VTB_ISA_AMX) {
    EXPECT_EQ(vtb_isa_detected(), below_amx);
  }
}

TEST(Kernels, TheLevelAskedForIsTheLevelThatRuns) {
  const char* asked = std::getenv("VERTEBRA_ISA");
  const std::string level = vtb_isa_name(vtb_isa_level());
  if (asked && *asked) {
    EXPECT_EQ(level, asked);
  }
  // Above AVX-512 only int8 and bf16 products have kernels of their own; where they have none, their peak is that of fp32.
  const std::string suffix = vtb_isa_level() > VTB_ISA_AVX512 ? "__avx512" : "__" + level;
  const std::string int8_suffix = level == "avx512_bf16" ? "__avx512_vnni" : "__" + level;
  const std::string bf16_suffix = level == "avx512_vnni" ? suffix : "__" + level;
  const std::string names = " " + std::string(vtb_kernel_names()) + " ";
  const Kernels& k = kernels();
  const auto expect_end = [&](const std::string& name, const std::string& end) {
    ASSERT_GT(name.size(), end.size());
    EXPECT_EQ(name.substr(name.size() - end.size()), end) << name;
    EXPECT_NE(names.find(" " + name + " "), std::string::npos) << name;
  };
  for (const char* name : {k.gemm_f32.name, k.layer_norm.name, k.window_attention.name, k.pooling.name, k.softmax.name,
                           k.sum.name, k.affine.name, k.global_filter.name, k.resize.name, k.depthwise_conv.name,
                           k.window_pool.name, k.fma_f32.name, k.resample.name}) {
    expect_end(name, suffix);
  }
  expect_end(k.gemm_bf16.name, bf16_suffix);
  expect_end(k.fma_bf16.name, bf16_suffix);
  expect_end(k.gemm_int8.name, int8_suffix);
  expect_end(k.fma_int8.name, int8_suffix);
  EXPECT_EQ(vtb_init(), VTB_OK);
}

TEST(Memory, AlignedAndWritable) {
  for (int64_t bytes : {0, 1, 63, 4096, (4 << 20) - 1, 4 << 20, (9 << 20) + 5}) {
    char* memory = static_cast<char*>(vtb_alloc(bytes));
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % (bytes >= 4 << 20 ? 2 << 20 : 64), 0u);
    std::memset(memory, 7, bytes);
    vtb_free(memory);
  }
  vtb_free(nullptr);
}

TEST(Measure, FiguresArePlausible) {
  Pool one(1), two(2);
  for (const vtb_dtype arithmetic : {VTB_F32, VTB_BF16, VTB_INT8}) {
    EXPECT_GT(vtb_measure_fma(one, arithmetic, 0.02), 1e8);
    EXPECT_GT(vtb_measure_fma(two, arithmetic, 0.02), 1e8);
  }
  for (int64_t bytes : {int64_t{1} << 14, int64_t{1} << 22}) EXPECT_GT(vtb_measure_copy(two, bytes, 0.02), 1e8);
}

}  // namespace
}  // namespace vtb::test
