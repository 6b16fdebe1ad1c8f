package io.vertebra.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Families;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
  @Test
  void helpAndVersion() {
    assertThat(Cli.run("--help").out()).contains("classify", "verify", "Exit codes");
    assertThat(Cli.run("--version").out()).startsWith("vertebra ");
    assertThat(Cli.run("embed", "--help").out()).contains("--batch", "npy");
    assertThat(Cli.run("embed", "--help").exitCode()).isZero();
  }

  @Test
  void wrongUsageIsTwo() {
    assertThat(Cli.run().exitCode()).isEqualTo(2);
    assertThat(Cli.run().err()).contains("a command is missing");
    assertThat(Cli.run("clasify").err()).contains("clasify");
    assertThat(Cli.run("classify", "--top", "0").err()).contains("--top must be at least 1");
    assertThat(Cli.run("classify", "--device", "tpu").exitCode()).isEqualTo(2);
    assertThat(Cli.run("classify", "--device", "tpu").err())
        .contains("tpu is no device; there are cpu, reference, cuda, cuda:N");
    assertThat(Cli.run("classify", "--precision", "fp16").err()).contains("fp16 needs device cuda")
        .doesNotContain("\tat ");
    Cli gpu = Cli.run("classify", "--device", "cuda:77");
    assertThat(gpu.exitCode()).isEqualTo(2);
    assertThat(gpu.err()).containsAnyOf("driver", "there is no device cuda:77").doesNotContain("\tat ");
    assertThat(Cli.run("embed", "x.png").err()).contains("--output");
  }

  @Test
  void expectedErrorsAreOneLine(@TempDir Path folder) throws Exception {
    Path text = Files.writeString(folder.resolve("notes.safetensors"), "this is not a checkpoint at all");
    Cli result = Cli.run("inspect", text);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err().lines()).hasSize(1).first().asString().contains("notes.safetensors");
    assertThat(Cli.run("inspect", text, "--stacktrace").err()).contains("at io.vertebra");
    assertThat(Cli.run("classify", "--threads", "-1").err().lines()).hasSize(1);
  }

  @Test
  void modelsNeedWeights() {
    Cli unknown = Cli.run("classify", "--model", "resnet50", "x.png");
    assertThat(unknown.exitCode()).isEqualTo(2);
    assertThat(unknown.err()).contains("resnet50", "swin_tiny_patch4_window7_224", "swin_large_patch4_window12_384",
        "digits-hornet");
    assertThat(Cli.run("classify", "--model", "swin_s3_tiny_224", "x.png").err()).contains("--weights FILE");
    assertThat(Cli.run("classify", "--formula-weights", "x.png").err()).contains("--model NAME");
    assertThat(Cli.run("classify", "--weights", "none.safetensors", "x.png").err()).contains("none.safetensors");
    assertThat(Cli.run("classify", "--weights", "a", "--formula-weights", "x.png").err()).contains("exclude");
    assertThat(Cli.run("classify", "--weights", "a").err()).contains("no image to classify");
  }

  @Test
  void models() {
    assertThat(Cli.run("models").out().lines().filter(line -> line.startsWith("swin_tiny_patch4_window7_224 ")))
        .singleElement().asString().contains("28,288,354", "4.49", "224x224", "81.2");
    assertThat(Cli.run("models", "--json").objects()).hasSameSizeAs(Families.variants()).first()
        .returns("swin_tiny_patch4_window7_224", object -> object.get("name"))
        .returns(28_288_354, object -> object.get("parameters")).returns(81.2, object -> object.get("top1"));
  }

  @Test
  void check() {
    Cli result = Cli.run("check");
    assertThat(result.exitCode()).isZero();
    assertThat(result.out()).contains("instruction set, in use", "GFLOP/s", "GB/s", "gemm_f32");
    boolean kernels = MainTest.class.getResource("/META-INF/native/linux-x86_64/vertebra.fatbin") != null;
    assertThat(result.out().contains("no GPU kernels")).isEqualTo(!kernels);
    assertThat(Cli.run("check", "--json").objects()).singleElement()
        .satisfies(facts -> assertThat((Double) facts.get("fma_1_thread_gflops")).isPositive())
        .satisfies(facts -> assertThat((Double) facts.get("copy_memory_gb_s")).isPositive());
  }

  @Test
  void inspect(@TempDir Path folder) throws Exception {
    Path weights = Cli.digitsWeights(folder);
    assertThat(Cli.run("inspect", weights).out()).contains("swin, no published configuration, 10 classes", "metadata",
        "patch_embed.proj.weight", "F32");
    assertThat(Cli.run("inspect", "--json", weights).objects()).singleElement()
        .returns("swin", object -> object.get("family")).returns(10, object -> object.get("classes"));
    Path golden = Cli.golden(folder.resolve("golden.safetensors"));
    assertThat(Cli.run("inspect", golden).out()).contains("not recognised", "logits");
  }

  /** A valid file, though nothing could load from it: two gigabytes that a sparse file does not take on disk. */
  @Test
  void inspectListsWhatNoModelCouldLoad(@TempDir Path folder) throws Exception {
    long bytes = 2L << 30;
    byte[] header = ("{\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},"
        + "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        + "\"huge\":{\"dtype\":\"U8\",\"shape\":[2," + (bytes / 2 - 4) + "],\"data_offsets\":[8," + bytes + "]}}")
        .getBytes(StandardCharsets.UTF_8);
    Path file = folder.resolve("odd.safetensors");
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.writeLong(Long.reverseBytes(header.length));
      out.write(header);
      out.setLength(out.getFilePointer() + bytes);
    }
    Cli result = Cli.run("inspect", file);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out()).contains("not recognised", "[0, 3]", "[2, 1073741820]",
        "tensors    3 with 2,147,483,641 elements, 2,147,483,648 bytes");
    assertThat(Cli.run("inspect", "--json", file).objects()).singleElement().returns(3,
        object -> object.get("tensors"));
  }

  @Test
  void outputThatCannotBeWrittenIsAFailure() {
    OutputStream full = new OutputStream() {
      @Override
      public void write(int value) throws IOException {
        throw new IOException("no space left");
      }
    };
    StringWriter err = new StringWriter();
    assertThat(Main.run(new PrintWriter(full), new PrintWriter(err), "models")).isEqualTo(2);
    assertThat(err.toString()).contains("could not be written");
  }
}
