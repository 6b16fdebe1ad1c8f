package io.vertebra.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.demo.Digits;
import io.vertebra.weights.Json;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbedCommandTest {
  private static final List<String> NAMES
      = List.of("0003_6.png", "0004_0.png", "0005_4.png", "0006_4.png", "0007_9.png");
  private static final int HEADER_BYTES = 128;

  @TempDir
  private Path folder;
  private Path images;

  @BeforeEach
  void copyImages() throws Exception {
    images = Files.createDirectories(folder.resolve("images/deeper")).getParent();
    for (String name : NAMES) {
      Cli.sample(name, images);
    }
    Files.writeString(images.resolve("ignored.txt"), "no image");
  }

  @Test
  void npyHoldsWhatTheApiGives() throws Exception {
    Path target = folder.resolve("out.npy");
    Cli result = Cli.run("embed", images, "-o", target);
    assertThat(result.exitCode()).isZero();
    assertThat(result.out()).contains("5 of 5 images");
    assertThat(result.err()).doesNotContain("\r", "[=");

    float[][] expected = expected();
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(target)).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(header(target)).contains("'<f4'", "'fortran_order': False", "(5, " + expected[0].length + ")");
    assertThat(file.remaining()).isEqualTo(HEADER_BYTES + 5 * expected[0].length * Float.BYTES);
    file.position(HEADER_BYTES);
    for (float[] row : expected) {
      for (float value : row) {
        assertThat(file.getFloat()).isEqualTo(value);
      }
    }
    assertThat(Files.readAllLines(folder.resolve("out.npy.txt")))
        .isEqualTo(NAMES.stream().map(name -> images.resolve(name).toString()).toList());
    assertThat(Files.exists(folder.resolve("out.npy.part"))).isFalse();
  }

  @Test
  void jsonLinesHoldWhatTheApiGives() throws Exception {
    Path target = folder.resolve("out.jsonl");
    assertThat(Cli.run("embed", images, "-o", target).exitCode()).isZero();
    List<String> lines = Files.readAllLines(target);
    float[][] expected = expected();
    assertThat(lines).hasSize(NAMES.size());
    for (int i = 0; i < expected.length; i++) {
      Map<String, Object> object = Json.parseObject(lines.get(i));
      assertThat(object.get("file")).isEqualTo(images.resolve(NAMES.get(i)).toString());
      List<?> values = (List<?>) object.get("embedding");
      assertThat(values).hasSize(expected[i].length);
      for (int j = 0; j < expected[i].length; j++) {
        assertThat(((Number) values.get(j)).floatValue()).isEqualTo(expected[i][j]);
      }
    }
  }

  @Test
  void badImagesAreLeftOutWhateverTheBatch() throws Exception {
    Files.writeString(images.resolve("0005.jpg"), "no image");
    Path one = folder.resolve("one.jsonl");
    Path three = folder.resolve("three.jsonl");
    Cli result = Cli.run("embed", images, images.resolve("none.png"), "-o", one);
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.out()).contains("5 of 7 images");
    assertThat(result.err()).contains("left out: " + images.resolve("0005.jpg"), "none.png");
    assertThat(Cli.run("embed", images, "-o", three, "--batch", 3).exitCode()).isEqualTo(1);
    assertThat(files(three)).isEqualTo(files(one)).hasSize(5);
    assertThat(Cli.run("embed", images, "-o", three, "--batch", Integer.MAX_VALUE).exitCode()).isEqualTo(1);
    assertThat(files(three)).isEqualTo(files(one));
  }

  @Test
  void refusesUnusableOutputsAndLeavesNothing() throws Exception {
    assertThat(Cli.run("embed", images, "-o", folder.resolve("out.csv")).err()).contains(".npy or .jsonl");
    Cli result = Cli.run("embed", images, "-o", folder.resolve("none/out.npy"));
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err()).contains("folder does not exist").doesNotContain("\tat ");
    assertThat(Cli.run("embed", images.resolve("deeper"), "-o", folder.resolve("out.npy")).err()).contains("no JPEG");
    assertThat(Cli.run("embed", images, "-o", folder.resolve("out.npy"), "--batch", 0).exitCode()).isEqualTo(2);
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).containsExactly(images);
    }
  }

  @Test
  void featuresOfAllStages() throws Exception {
    Path maps = folder.resolve("maps");
    Cli result = Cli.run("features", images.resolve(NAMES.get(0)), "-o", maps, "--json");
    assertThat(result.exitCode()).isZero();
    assertThat(result.objects()).extracting(object -> object.get("stride")).containsExactly(4, 8, 16);
    for (Map<String, Object> map : result.objects()) {
      Path file = maps.resolve(map.get("map") + ".npy");
      assertThat(header(file))
          .contains("(1, " + map.get("channels") + ", " + map.get("height") + ", " + map.get("width") + ")");
      ByteBuffer values
          = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).position(HEADER_BYTES);
      double sum = 0;
      int count = values.remaining() / Float.BYTES;
      while (values.hasRemaining()) {
        sum += values.getFloat();
      }
      assertThat(sum / count).isCloseTo((Double) map.get("mean"), within(1e-6));
    }
    assertThat(Cli.run("features", images.resolve(NAMES.get(0))).out()).contains("stride", "channels");
  }

  @Test
  void progressTellsRateAndTimeLeft() {
    assertThat(Progress.line(30, 120, 2)).isEqualTo("[=======                       ] 30/120  15.0/s  0:00:06 left");
  }

  private static float[][] expected() {
    try (Model model = Digits.swin().build(); Session session = model.newSession()) {
      return NAMES.stream().map(name -> session.embed(Digits.sample(name))).toArray(float[][]::new);
    }
  }

  private static List<Object> files(Path jsonl) throws Exception {
    return Files.readAllLines(jsonl).stream().map(line -> Json.parseObject(line).get("file")).toList();
  }

  private static String header(Path npy) throws Exception {
    byte[] bytes = Files.readAllBytes(npy);
    assertThat(bytes).startsWith(0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER_BYTES - 10, 0);
    assertThat(bytes[HEADER_BYTES - 1]).isEqualTo((byte) '\n');
    return new String(bytes, 10, HEADER_BYTES - 10, StandardCharsets.US_ASCII);
  }
}
