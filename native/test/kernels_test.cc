// Choosing the level, and what was chosen.
#include <cstdlib>
#include <string>

#include "runtime/isa.h"
#include "runtime/kernels.h"
#include "test_support.h"

namespace vtb::test {
namespace {

TEST(Isa, NamesAndNothingElseLowerTheLevel) {
  vtb_isa level;
  for (vtb_isa detected : {VTB_ISA_GENERIC, VTB_ISA_AVX2, VTB_ISA_AVX512}) {
    for (vtb_isa asked : {VTB_ISA_GENERIC, VTB_ISA_AVX2, VTB_ISA_AVX512}) {
      const vtb_status status = choose_isa(vtb_isa_name(asked), detected, &level);
      EXPECT_EQ(status, asked <= detected ? VTB_OK : VTB_UNSUPPORTED_ISA);
      if (status == VTB_OK) { EXPECT_EQ(level, asked); }
    }
    for (const char* nothing : {static_cast<const char*>(nullptr), ""}) {
      EXPECT_EQ(choose_isa(nothing, detected, &level), VTB_OK);
      EXPECT_EQ(level, detected);
    }
    for (const char* wrong : {"avx", "AVX2", "avx512 ", "amx", "unknown"}) {
      EXPECT_EQ(choose_isa(wrong, detected, &level), VTB_UNKNOWN_ISA) << wrong;
    }
  }
}

TEST(Isa, DetectionAgreesWithTheCompiler) {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  EXPECT_EQ(vtb_isa_detected(), avx512 ? VTB_ISA_AVX512 : avx2 ? VTB_ISA_AVX2 : VTB_ISA_GENERIC);
}

TEST(Kernels, TheLevelAskedForIsTheLevelThatRuns) {
  const char* asked = std::getenv("VERTEBRA_ISA");
  const std::string level = vtb_isa_name(vtb_isa_level());
  if (asked && *asked) { EXPECT_EQ(level, asked); }
  const std::string suffix = "__" + level;
  const Kernels& k = kernels();
  int64_t length = 0;
  for (const char* name : {k.gemm.name, k.layer_norm.name, k.window_attention.name, k.pooling.name, k.softmax.name,
                           k.sum.name, k.affine.name, k.global_filter.name, k.resize.name,
                           k.depthwise_conv.name, k.window_pool.name, k.fma.name, k.resample.name}) {
    const std::string text = name;
    ASSERT_GT(text.size(), suffix.size());
    EXPECT_EQ(text.substr(text.size() - suffix.size()), suffix) << text;
    EXPECT_NE((" " + std::string(vtb_kernel_names()) + " ").find(" " + text + " "), std::string::npos) << text;
    length += static_cast<int64_t>(text.size()) + 1;
  }
  EXPECT_GE(static_cast<int64_t>(std::string(vtb_kernel_names()).size()), length - 1);
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
  EXPECT_GT(vtb_measure_fma(one, 0.02), 1e8);
  EXPECT_GT(vtb_measure_fma(two, 0.02), 1e8);
  for (int64_t bytes : {int64_t{1} << 14, int64_t{1} << 22}) EXPECT_GT(vtb_measure_copy(two, bytes, 0.02), 1e8);
}

}  // namespace
}  // namespace vtb::test
