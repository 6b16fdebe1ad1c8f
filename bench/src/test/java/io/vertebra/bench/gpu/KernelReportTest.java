package io.vertebra.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class KernelReportTest {
  @Test
  void oneRowForAllTypes() {
    List<String> ptxas = """
        ptxas info    : Compiling entry function 'vtb_x_f16_64' for 'sm_80'
            0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
        ptxas info    : Used 99 registers, used 1 barriers, 64 bytes smem
        ptxas info    : Compiling entry function 'vtb_x_f16_64' for 'sm_90'
            0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
        ptxas info    : Used 40 registers, used 1 barriers, 128 bytes smem
        ptxas info    : Compiling entry function 'vtb_x_f32_64' for 'sm_90'
            0 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads
        ptxas info    : Used 32 registers
        ptxas info    : Compiling entry function 'vtb_convert_f16_f32' for 'sm_90'
        ptxas info    : Used 16 registers
        """.lines().toList();
    List<String> ptx = """
        .visible .entry vtb_x_f16_64(
        \tcp.async.cg.shared.global [%r1], [%rd1], 16;
        \t@%p1 ld.global.nc.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];
        \tmma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
        .visible .entry vtb_x_f32_64(
        \tld.global.v2.f32 {%f1, %f2}, [%rd1];
        \tst.global.v4.f32 [%rd1], {%f1, %f2, %f3, %f4};
        """.lines().toList();
    assertThat(KernelReport.report(ptxas, ptx).subList(2, 4)).containsExactly(
        "| `vtb_convert_f16_f32` | 16 | 0 | 0 | 0 | 0 | 0 |",
        "| `vtb_x_64` | 32 / 40 | 8 / 0 | 0 / 128 | 0 / 1 | 0 / 2 | 1 / 0 |");
  }
}
