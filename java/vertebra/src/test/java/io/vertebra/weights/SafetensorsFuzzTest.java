package io.vertebra.weights;

import static io.vertebra.weights.SafetensorsBytes.tensor;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damaged files, the same ones in every run: each is read whole or refused with a {@link WeightsException}. */
class SafetensorsFuzzTest {
  private static final int MEMORY_CASES = 40_000;
  private static final int FILE_CASES = 1_000;
  private static final String[] SPLICES = {"-1", "0", "1", "4", "2147483647", "2147483648", "4294967296",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "1e3", "1.5", "-0", "NaN", "null", "true",
    "\"\"", "{}", "[]", "{\"a\":", "[[[[", "}", "]", ",", ":", "\"", "\\u0000", "\\ud800", "\"dtype\":\"F16\",",
    "\"dtype\":\"I64\"", "\"shape\":[]", "\"__metadata__\":{\"a\":\"b\"},", "\0", "\uFEFF", "é"};

  @TempDir
  Path folder;

  @Test
  void survivesDamagedBytes() {
    SplittableRandom random = new SplittableRandom(20240229);
    byte[] sound = soundFile();
    assertThat(accepts("sound", sound)).isTrue();
    int accepted = 0;
    for (int i = 0; i < MEMORY_CASES; i++) {
      accepted += accepts("case " + i, damaged(sound, random)) ? 1 : 0;
    }
    // Damage to data and names leaves a sound file, most other damage does not: the mutations reach both outcomes.
    assertThat(accepted).isBetween(MEMORY_CASES / 100, MEMORY_CASES / 2);
  }

  @Test
  void survivesDamagedFiles() throws IOException {
    SplittableRandom random = new SplittableRandom(7);
    byte[] sound = soundFile();
    for (int i = 0; i < FILE_CASES; i++) {
      byte[] bytes = damaged(sound, random);
      // A new file each time: a mapped one must not be written to.
      Path path = Files.write(folder.resolve("case" + i), bytes);
      boolean opened;
      try {
        readAll(Safetensors.open(path));
        opened = true;
      } catch (WeightsException e) {
        assertThat(e).hasMessageContaining("case" + i);
        opened = false;
      }
      assertThat(opened).isEqualTo(accepts("case " + i, bytes));
    }
  }

  private static byte[] soundFile() {
    String header
        = "{\"__metadata__\":{\"format\":\"pt\"}," + String.join(",", tensor("norm.weight", "F32", "2,3", 0, 24),
            tensor("norm.bias", "BF16", "3", 24, 30), tensor("count", "I64", "", 30, 38),
            tensor("none", "F16", "0,9", 38, 38), tensor("mask", "BOOL", "1,1,2", 38, 40)) + "}  ";
    ByteBuffer bytes = SafetensorsBytes.file(header, new byte[40]);
    byte[] file = new byte[bytes.remaining()];
    bytes.get(file);
    for (int i = 0; i < 40; i++) {
      file[file.length - 40 + i] = (byte) (37 * i + 11);
    }
    return file;
  }

  private static byte[] damaged(byte[] sound, SplittableRandom random) {
    byte[] file = sound.clone();
    for (int rounds = 1 + random.nextInt(3); rounds > 0; rounds--) {
      file = damagedOnce(file, random);
    }
    return file;
  }

  private static byte[] damagedOnce(byte[] file, SplittableRandom random) {
    if (file.length == 0) {
      return file;
    }
    int at = random.nextInt(file.length);
    switch (random.nextInt(8)) {
      case 0 -> file[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> file[at] = (byte) random.nextInt(256);
      case 2 -> {
        return Arrays.copyOf(file, at);
      }
      case 3 -> {
        return Arrays.copyOf(file, file.length + random.nextInt(20));
      }
      case 4 -> file[random.nextInt(Math.min(8, file.length))] = (byte) random.nextInt(256);
      case 5 -> {
        int end = at + random.nextInt(Math.min(40, file.length - at) + 1);
        return spliced(file, at, end, Arrays.copyOfRange(file, at, end), Arrays.copyOfRange(file, at, end));
      }
      case 6 -> {
        int depth = random.nextInt(10) == 0 ? 3000 : 1;
        String splice = SPLICES[random.nextInt(SPLICES.length)].repeat(depth);
        return spliced(file, at, at, splice.getBytes(StandardCharsets.UTF_8));
      }
      default -> {
        return replacedNumber(file, at, random);
      }
    }
    return file;
  }

  /** Puts a splice where the next run of digits is. */
  private static byte[] replacedNumber(byte[] file, int from, SplittableRandom random) {
    int begin = from;
    while (begin < file.length && !Character.isDigit(file[begin])) {
      begin++;
    }
    int end = begin;
    while (end < file.length && Character.isDigit(file[end])) {
      end++;
    }
    return spliced(file, begin, end, SPLICES[random.nextInt(SPLICES.length)].getBytes(StandardCharsets.UTF_8));
  }

  /** Replaces a range; the header's length goes along, so that the damage is read. */
  private static byte[] spliced(byte[] file, int begin, int end, byte[]... parts) {
    int added = Arrays.stream(parts).mapToInt(part -> part.length).sum() - (end - begin);
    ByteBuffer changed = ByteBuffer.allocate(file.length + added).order(ByteOrder.LITTLE_ENDIAN).put(file, 0, begin);
    for (byte[] part : parts) {
      changed.put(part);
    }
    changed.put(file, end, file.length - end);
    if (begin >= 8 && changed.capacity() >= 8) {
      changed.putLong(0, changed.getLong(0) + added);
    }
    return changed.array();
  }

  private static boolean accepts(String description, byte[] bytes) {
    try {
      readAll(Safetensors.of(description, ByteBuffer.wrap(bytes)));
      return true;
    } catch (WeightsException e) {
      assertThat(e).hasMessageContaining(description);
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError(description + ": " + new String(bytes, StandardCharsets.ISO_8859_1), e);
    }
  }

  private static void readAll(Safetensors file) {
    for (String name : file.names()) {
      Parameter parameter;
      try {
        parameter = file.find(name, null);
      } catch (WeightsException e) {
        assertThat(e).hasMessageContaining("has no elements");
        continue;
      }
      if (parameter.dtype().isFloat()) {
        parameter.toFloats();
      } else {
        parameter.toLongs();
      }
    }
  }
}
