// Choosing the level, and what was chosen.
#include <cstdlib>
#include <string>

#include "runtime/dispatch.h"
#include "runtime/isa.h"
#include "test_support.h"

namespace vtb::test {
namespace {

constexpr vtb_isa levels[] = {VTB_ISA_GENERIC,     VTB_ISA_AVX2,        VTB_ISA_AVX512,
                              VTB_ISA_AVX512_VNNI, VTB_ISA_AVX512_BF16, VTB_ISA_AMX};

TEST(Isa, NamesAndNothingElseLowerTheLevel) {
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

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

TEST(Dispatch, TheLevelAskedForIsTheLevelThatRuns) {
  const char* asked = std::getenv("VERTEBRA_ISA");
  if (asked && *asked) {
    EXPECT_STREQ(vtb_isa_name(vtb_isa_level()), asked);
  }
  EXPECT_EQ(vtb_init(), VTB_OK);
}

TEST(Dispatch, EveryKernelIsTheHighestOfItsListUpToTheLevel) {
  std::string names;
  for (const KernelTiers* tiers = KernelTiers::first(); tiers; tiers = tiers->next()) {
    const char* highest = nullptr;
    for (const vtb_isa level : levels) {
      const char* name = tiers->name_at(level);
      if (!name) continue;
      EXPECT_TRUE(ends_with(name, std::string("__") + vtb_isa_name(level))) << name;
      if (level <= vtb_isa_level()) highest = name;
    }
    EXPECT_EQ(tiers->name(), highest);
    if (highest) names += std::string(names.empty() ? "" : " ") + highest;
  }
  EXPECT_EQ(names, vtb_kernel_names());
}

// The three levels of simd/, and for products above them what has instructions of its own.
TEST(Dispatch, NoLevelIsForgotten) {
  int products = 0;
  for (const KernelTiers* tiers = KernelTiers::first(); tiers; tiers = tiers->next()) {
    const auto starts = [&](const char* start) {
      for (const vtb_isa level : levels) {
        const char* name = tiers->name_at(level);
        if (name) return std::string(name).rfind(start, 0) == 0;
      }
      return false;
    };
    const bool bf16 = starts("gemm_bf16") || starts("fma_bf16"), int8 = starts("gemm_int8") || starts("fma_int8");
    products += bf16 + int8;
    for (const vtb_isa level : {VTB_ISA_GENERIC, VTB_ISA_AVX2, VTB_ISA_AVX512}) {
      // Without instructions for bf16 or int8, their peak is that of fp32.
      EXPECT_EQ(tiers->name_at(level) != nullptr, !starts("fma_bf16") && !starts("fma_int8")) << level;
    }
    EXPECT_EQ(tiers->name_at(VTB_ISA_AVX512_VNNI) != nullptr, int8);
    EXPECT_EQ(tiers->name_at(VTB_ISA_AVX512_BF16) != nullptr, bf16);
    EXPECT_EQ(tiers->name_at(VTB_ISA_AMX) != nullptr, bf16 || int8);
  }
  EXPECT_EQ(products, 4);
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
