package io.vertebra.golden;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Model;
import io.vertebra.backend.Backend;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files whose numbers (configurations, shapes, offsets) were changed, the same ones in every run: each runs or is
 * refused by an exception.
 */
class GoldenFileFuzzTest {
  private static final int CASES = 600;
  private static final Pattern NUMBER = Pattern.compile("(?<![\\w.])\\d+(?![\\w.])");
  private static final String[] OTHERS = {"0", "1", "2", "3", "8", "16", "33", "65536", "1000000", "1073741824",
    "2147483647", "9223372036854775807", "-1", "-7", "0.5", "1e308", "null", "true", "[]", "[1000000]", "[[7, 7]]"};

  @Test
  void survivesChangedNumbers(@TempDir Path folder) throws IOException, URISyntaxException {
    SplittableRandom random = new SplittableRandom(2103);
    List<Path> sound;
    try (Stream<Path> files = Files.list(Path.of(GoldenFileFuzzTest.class.getResource("/golden/mini").toURI()))) {
      sound = files.sorted().toList();
    }
    int ran = 0;
    for (int i = 0; i < CASES; i++) {
      Path file
          = Files.write(folder.resolve("case" + i), changed(Files.readAllBytes(sound.get(i % sound.size())), random));
      ran += survives(file, () -> {
        try (Backend backend = new CpuBackend(1)) {
          GoldenFile.open(file).verify(backend, 1);
        }
      }) ? 1 : 0;
      survives(file, () -> Model.builder().weights(file).threads(1).build().close());
    }
    assertThat(ran).as("changes reach both outcomes").isBetween(CASES / 20, CASES / 2);
    assertThat(CpuBackend.allocatedBytes()).isZero();
  }

  private static boolean survives(Path file, Runnable use) {
    try {
      use.run();
      return true;
    } catch (VertebraException | IllegalArgumentException | IllegalStateException e) {
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError(file.getFileName().toString(), e);
    }
  }

  /** Replaces one or two numbers of the header; most of them stand in the metadata's configuration. */
  private static byte[] changed(byte[] file, SplittableRandom random) {
    int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
    String header = new String(file, 8, length, StandardCharsets.UTF_8);
    for (int rounds = 1 + random.nextInt(2); rounds > 0; rounds--) {
      List<MatchResult> numbers = NUMBER.matcher(header).results().toList();
      int tensors = header.indexOf("\"dtype\"", header.indexOf("__metadata__"));
      List<MatchResult> inMetadata = numbers.stream().filter(number -> number.start() < tensors).toList();
      numbers = inMetadata.isEmpty() || random.nextInt(5) == 0 ? numbers : inMetadata;
      MatchResult number = numbers.get(random.nextInt(numbers.size()));
      header = header.substring(0, number.start()) + OTHERS[random.nextInt(OTHERS.length)]
          + header.substring(number.end());
    }
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + text.length + file.length - 8 - length).order(ByteOrder.LITTLE_ENDIAN)
        .putLong(text.length).put(text).put(file, 8 + length, file.length - 8 - length).array();
  }
}
