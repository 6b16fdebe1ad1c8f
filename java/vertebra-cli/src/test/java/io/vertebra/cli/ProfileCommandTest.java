package io.vertebra.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.weights.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProfileCommandTest {
  private static final int STEPS = 38;

  @TempDir
  private Path folder;

  @Test
  void printsLayersWithTheirBlocksTogetherAndWhatTimeIsLostTo() {
    Cli result = Cli.run("profile", "--runs", 3, "--threads", 1);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out()).contains("digits-swin on cpu", "1 thread", "input [1, 3, 32, 32]", "FMA peak",
        "empty call");
    assertThat(result.out().lines()).anyMatch(line -> line.matches("layers\\.0\\.blocks\\.\\*\\.mlp\\.fc1 +Linear .*"))
        .anyMatch(line -> line.matches("GEMM +28 .*")).anyMatch(line -> line.matches("attention +6 .*"))
        .anyMatch(line -> line.matches("all +" + STEPS + " .*"));
    assertThat(result.out()).contains("norm, elementwise", "calling the steps", "between the steps");
  }

  @Test
  void otherPrecisionsHaveTheirOwnPeak() {
    for (String precision : List.of("bf16", "int8")) {
      Cli result = Cli.run("profile", "--runs", 1, "--precision", precision);
      assertThat(result.exitCode()).as(result.err()).isZero();
      assertThat(result.out()).contains("digits-swin on cpu", precision, "FMA peak");
    }
  }

  @Test
  void aGpuIsMeasuredByWhatItCanDo() throws Exception {
    Path trace = folder.resolve("gpu.json");
    Cli result = Cli.run("profile", "--runs", 1, "--device", "cuda-emulated", "--precision", "bf16", "--trace", trace);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out()).contains("digits-swin on cuda", "bf16", "cuBLAS peak", "L2", "lost to")
        .doesNotContain("FMA");
    assertThat(result.out().lines()).anyMatch(line -> line.matches("all +" + STEPS + " .*"));
    assertThat((List<?>) Json.parseObject(Files.readString(trace)).get("traceEvents")).hasSize(STEPS + 1);
  }

  @Test
  void figuresAddUp() {
    List<Map<String, Object>> steps = objects("layer", "--steps");
    assertThat(steps).hasSize(STEPS).extracting(step -> step.get("layer")).startsWith("patch_embed.proj")
        .doesNotHaveDuplicates();
    List<Map<String, Object>> layers = objects("layer");
    assertThat(layers).hasSizeLessThan(STEPS).hasSameSizeAs(objects("layer", "--threads", 1));
    assertThat(sum(layers, "steps")).isEqualTo(STEPS);
    assertThat(sum(layers, "flops")).isEqualTo(sum(steps, "flops")).isPositive();
    assertThat(sum(layers, "bytes")).isEqualTo(sum(steps, "bytes"));
    assertThat(layers).allSatisfy(layer -> {
      assertThat(number(layer, "seconds")).isPositive();
      assertThat(number(layer, "share")).isBetween(0.0, 1.0);
      assertThat(number(layer, "of_peak")).isNotNegative();
      assertThat(number(layer, "of_bound")).isPositive();
    });
    assertThat(layers).filteredOn(layer -> layer.get("layer").equals("head")).singleElement()
        .returns(2 * 128 * 10, layer -> layer.get("flops")).returns("GEMM", layer -> layer.get("kind"))
        .returns(List.of(1, 128), layer -> layer.get("input"));
    // Those weights are read once, whatever the batch.
    assertThat(objects("layer", "--batch", 2)).filteredOn(layer -> layer.get("layer").equals("head")).singleElement()
        .returns(2 * 2 * 128 * 10, layer -> layer.get("flops"))
        .returns(4 * (128 * 10 + 10 + 2 * 128 + 2 * 10), layer -> layer.get("bytes"));

    List<Map<String, Object>> lost = objects("lost_to");
    Map<String, Object> all = lost.remove(lost.size() - 1);
    assertThat(all).containsEntry("lost_to", "all").containsEntry("steps", STEPS);
    assertThat(sum(lost, "lost_seconds")).isCloseTo(number(all, "lost_seconds"), within(1e-9));
    assertThat(number(all, "achieved_seconds") - number(all, "floor_seconds")).isCloseTo(number(all, "lost_seconds"),
        within(1e-9));
  }

  @Test
  void takesOtherSizesClipsAndDenseBackbones() {
    assertThat(Cli.run("profile", "--runs", 1, "--model", "digits-hornet", "--size", "64x32").out())
        .contains("input [1, 3, 64, 32]", "global filter", "depthwise convolution", "stages.1.*.gnconv.pws.0");
    assertThat(Cli.run("profile", "--runs", 1, "--formula-weights", "--model", "uniformer_light_video_xxs_4x128").out())
        .contains("input [1, 3, 4, 128, 128]", "probabilities");
    assertThat(Cli
        .run("profile", "--runs", 1, "--formula-weights", "--model", "uniformer_pose_small", "--size", "64x64").out())
        .contains("input [1, 3, 64, 64]", "norm4");
  }

  @Test
  void writesATrace() throws Exception {
    Path trace = folder.resolve("trace.json");
    Cli result = Cli.run("profile", "--runs", 2, "--trace", trace);
    assertThat(result.exitCode()).as(result.err()).isZero();
    List<?> events = (List<?>) Json.parseObject(Files.readString(trace)).get("traceEvents");
    assertThat(events).hasSize(2 * (STEPS + 1));
    double end = 0;
    for (Object item : events) {
      Map<?, ?> event = (Map<?, ?>) item;
      assertThat(event.get("ph")).isEqualTo("X");
      double begin = ((Number) event.get("ts")).doubleValue();
      if (!event.get("cat").equals("run")) {
        assertThat(begin).isGreaterThanOrEqualTo(end);
        end = begin + ((Number) event.get("dur")).doubleValue() - 1e-3;
      }
    }
  }

  @Test
  void refusesWhatCannotBeRun() {
    assertThat(Cli.run("profile", "--runs", 0).err()).contains("at least 1");
    assertThat(Cli.run("profile", "--batch", 0).exitCode()).isEqualTo(2);
    assertThat(Cli.run("profile", "--size", "224").err()).contains("HEIGHTxWIDTH");
    assertThat(Cli.run("profile", "--size", "0x32").exitCode()).isEqualTo(2);
    assertThat(Cli.run("profile", "--batch", 1 << 30).err()).contains("smaller --batch").doesNotContain("\tat ");
    assertThat(Cli.run("profile", "--runs", 1, "--trace", folder.resolve("none/trace.json")).err())
        .contains("trace.json");
  }

  private static List<Map<String, Object>> objects(String key, Object... more) {
    Object[] words = new Object[more.length + 4];
    System.arraycopy(new Object[] {"profile", "--json", "--runs", 3}, 0, words, 0, 4);
    System.arraycopy(more, 0, words, 4, more.length);
    Cli result = Cli.run(words);
    assertThat(result.exitCode()).as(result.err()).isZero();
    List<Map<String, Object>> objects = result.objects();
    assertThat(objects.get(0)).containsKeys("model", "runs", "seconds");
    assertThat((List<?>) objects.get(0).get("input")).hasSize(4);
    assertThat((Map<?, ?>) objects.get(1).get("machine")).extracting("fma_gflops").isInstanceOf(Double.class);
    return new ArrayList<>(objects.stream().filter(object -> object.containsKey(key)).toList());
  }

  private static double sum(List<Map<String, Object>> objects, String key) {
    return objects.stream().mapToDouble(object -> number(object, key)).sum();
  }

  private static double number(Map<String, Object> object, String key) {
    return ((Number) object.get(key)).doubleValue();
  }
}
