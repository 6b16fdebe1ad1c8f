package io.vertebra.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyCommandTest {
  @TempDir
  private Path folder;
  private Path golden;

  @BeforeEach
  void copyGoldenFile() throws Exception {
    golden = Cli.golden(folder.resolve("a.safetensors"));
  }

  @Test
  void passes() {
    for (String device : List.of("cpu", "reference", "cuda-emulated")) {
      Cli result = Cli.run("verify", golden, "--device", device, "--precision", "fp32");
      assertThat(result.exitCode()).as(result.err()).isZero();
      assertThat(result.out()).contains("logits", "stage3", "PASS " + golden, "1 passed, 0 failed, 0 could not be run");
    }
  }

  @Test
  void aChangedValueFails() throws Exception {
    Path corrupted = corrupted();
    Cli result = Cli.run("verify", folder);
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.out()).contains("PASS " + golden, "FAIL " + corrupted, "1 passed, 1 failed");
    assertThat(Cli.run("verify", corrupted, "--tolerance", 1e6).exitCode()).isZero();
    assertThat(Cli.run("verify", golden, "--tolerance", 0).exitCode()).isEqualTo(1);
    assertThat(Cli.run("verify", golden, "--tolerance", "NaN").exitCode()).isEqualTo(2);
  }

  @Test
  void whatCannotBeRunIsTwoUnlessSomethingFails() throws Exception {
    Path text = Files.writeString(folder.resolve("z.safetensors"), "this is a text, and no golden file");
    Cli result = Cli.run("verify", text, golden);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err()).contains("cannot be run: " + text).doesNotContain("\tat ");
    assertThat(result.out()).contains("1 passed, 0 failed, 1 could not be run");
    corrupted();
    assertThat(Cli.run("verify", folder).exitCode()).isEqualTo(1);
    assertThat(Cli.run("verify", Cli.digitsWeights(folder)).exitCode()).isEqualTo(2);
    assertThat(Cli.run("verify", Files.createDirectory(folder.resolve("empty"))).exitCode()).isEqualTo(2);
  }

  @Test
  void machinesGetAnObjectAFile() throws Exception {
    Path corrupted = corrupted();
    Path missing = folder.resolve("missing.safetensors");
    Cli result = Cli.run("verify", "--json", golden, corrupted, missing);
    assertThat(result.objects()).extracting(object -> object.get("result")).containsExactly("PASS", "FAIL", "ERROR");
    assertThat(result.objects().get(0)).containsKeys("file", "seconds", "tensors");
    assertThat(result.objects().get(2)).containsOnlyKeys("file", "result", "error");
  }

  /** The golden file with its last value's sign and exponent changed. */
  private Path corrupted() throws Exception {
    byte[] bytes = Files.readAllBytes(golden);
    bytes[bytes.length - 1] ^= 0x41;
    return Files.write(folder.resolve("b.safetensors"), bytes);
  }
}
