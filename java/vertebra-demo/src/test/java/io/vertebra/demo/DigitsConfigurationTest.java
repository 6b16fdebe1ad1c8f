package io.vertebra.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.image.Image;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.Safetensors;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A small file that claims to be anything: every number of its configuration in turn replaced, and its input size
 * stated. It is refused, or runs, and neither costs more than its size allows.
 */
class DigitsConfigurationTest {
  private static final List<String> NUMBERS = List.of("0", "-1", "3", "255", "8192", "1000000", "2147483647", "0.001");
  private static final Pattern CONFIG = Pattern.compile("\"config\": ?\"((?:[^\"\\\\]++|\\\\.)*+)\"");
  private static final Pattern NUMBER = Pattern.compile("(?<![\\w.])-?\\d+(\\.\\d+)?(e-?\\d+)?");
  private static final String INPUT_SIZE = "\"input_size\":\"32\"";
  private static final long MOST_BYTES = 256L << 20;
  private static final Duration MOST_TIME = Duration.ofSeconds(10);

  private final Image image = Digits.sample(Digits.sampleNames().get(0));

  static List<String> families() {
    return Digits.names().stream().map(name -> name.substring(name.indexOf('-') + 1)).toList();
  }

  @ParameterizedTest
  @MethodSource("families")
  void aConfigurationCostsNoMoreThanItsFile(String family) throws IOException {
    byte[] file = Digits.class.getResourceAsStream(family + ".safetensors").readAllBytes();
    int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
    String header = new String(file, 8, length, StandardCharsets.UTF_8);
    ByteBuffer data = ByteBuffer.wrap(file, 8 + length, file.length - 8 - length).slice();
    List<String> headers = new ArrayList<>();
    Matcher config = CONFIG.matcher(header);
    assertThat(config.find()).isTrue();
    for (MatchResult number : NUMBER.matcher(config.group(1)).results().toList()) {
      int start = config.start(1) + number.start();
      int end = config.start(1) + number.end();
      NUMBERS.forEach(other -> headers.add(header.substring(0, start) + other + header.substring(end)));
    }
    assertThat(header).contains(INPUT_SIZE);
    NUMBERS.forEach(other -> headers.add(header.replace(INPUT_SIZE, "\"input_size\":\"" + other + '"')));
    headers.add(header.replace(INPUT_SIZE, "\"input_size\":\"1024\""));
    for (String changed : headers) {
      Assertions.assertTimeout(MOST_TIME, () -> check(changed, data));
    }
  }

  private void check(String header, ByteBuffer data) {
    ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long thread = Thread.currentThread().getId();
    long before = memory.getThreadAllocatedBytes(thread);
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer file = ByteBuffer.allocate(8 + text.length + data.remaining()).order(ByteOrder.LITTLE_ENDIAN)
        .putLong(text.length).put(text).put(data.duplicate()).flip();
    long held = CpuBackend.allocatedBytes();
    try (Model model = Model.builder().weights(Safetensors.of("file", file)).threads(1).build();
        Session session = model.newSession()) {
      session.embed(image);
      session.features(List.of(image));
      held = CpuBackend.allocatedBytes() - held;
      assertThat(held).as(header).isLessThan(MOST_BYTES);
    } catch (VertebraException | IllegalArgumentException e) {
      assertThat(e.getMessage()).as(header).isNotBlank();
      boolean documented = e instanceof VertebraException || e.getClass() == IllegalArgumentException.class;
      assertThat(documented).as("%s of %s", e, header).isTrue();
    }
    assertThat(memory.getThreadAllocatedBytes(thread) - before).as(header).isLessThan(MOST_BYTES);
  }
}
