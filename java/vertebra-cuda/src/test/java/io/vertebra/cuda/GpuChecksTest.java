package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** What cuda/gpu-check.sh takes to machines with a GPU, here on the emulator. */
class GpuChecksTest {
  private static final String GOLDEN = "../vertebra-golden/src/test/resources/golden/mini/swin_mini_basic.safetensors";

  private static String printed(Runnable check) {
    PrintStream out = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      check.run();
    } finally {
      System.setOut(out);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Test
  void conformance() {
    String[] options = {"--device", "cuda-emulated", "--cases", "layer norm.*", "--precisions", "fp16,bf16"};
    assertThat(printed(() -> ConformanceCheck.main(options)).lines()).hasSize(2 + 4)
        .anyMatch(line -> line.startsWith("| bf16 | cuBLAS | "));
    assertThatIllegalArgumentException().isThrownBy(() -> ConformanceCheck.main(new String[] {"--cases", "no such"}));
    assertThatIllegalArgumentException().isThrownBy(() -> ConformanceCheck.main(new String[] {"--case", "x"}))
        .withMessageContaining("--case");
  }

  @Test
  void timings() {
    String[] options = {"--device", "cuda-emulated", "--models", GOLDEN, "--batches", "1,2", "--runs", "2"};
    assertThat(printed(() -> TimingCheck.main(options))).contains("CUDA emulator", "fp16", "GB/s copied",
        "| swin_mini_basic.safetensors | 2 | ", "### swin_mini_basic.safetensors, batch 1", "| vtb_window_attention_")
        .doesNotContain("NaN");
  }
}
