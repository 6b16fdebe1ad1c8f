package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.weights.TorchBytes.Pickler;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Damaged archives, the same ones in every run: each is read whole or refused with a {@link WeightsException}. */
class TorchFuzzTest {
  private static final int CASES = 40_000;
  /** Instructions and operands a pickle may do harm with. */
  private static final int[] BYTES = {0, 1, 2, 4, 0x7F, 0x80, 0xFF, '(', '.', '0', '1', '2', 'N', 'J', 'K', 'X', ']',
    '}', ')', 't', 'a', 'e', 's', 'u', 'd', 'l', 'h', 'j', 'q', 'r', 'R', 'b', 'Q', 'c', 0x81, 0x85, 0x86, 0x87, 0x88,
    0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x93, 0x94, 0x95};

  @Test
  void survivesDamagedArchives() {
    SplittableRandom random = new SplittableRandom(20201116);
    byte[][] sound = {archive().bytes(), archive().zip64().bytes()};
    int pickle = indexOf(sound[0], new byte[] {(byte) 0x80, 2, '}'});
    int accepted = 0;
    for (int i = 0; i < CASES; i++) {
      byte[] file = sound[i % 2].clone();
      for (int rounds = 1 + random.nextInt(3); rounds > 0; rounds--) {
        file = damaged(file, pickle, random);
      }
      accepted += accepts("case " + i, file) ? 1 : 0;
    }
    // Damage to data, names and unused fields leaves a sound file, most other damage does not: the mutations reach both
    // outcomes.
    assertThat(accepted).isBetween(CASES / 100, CASES * 3 / 4);
  }

  private static TorchBytes.Zip archive() {
    return TorchBytes.checkpoint(new Pickler().raw('}').text("model").dictionary().raw('(').text("w")
        .floats("0", 2, 3, 4).text("t").tensor("FloatStorage", "0", 24, 2, new long[] {4, 5}, new long[] {1, 4})
        .text("n").tensor("LongStorage", "1", 2, 1, new long[0], new long[0]).text("h")
        .tensor("HalfStorage", "1", 8, 0, new long[] {8}, new long[] {1}).raw("us").text("args")
        .global("argparse", "Namespace").raw(')', 0x81, '}').text("lr").raw('G', 0x3F, 1, 2, 3, 4, 5, 6, 7).raw("sbs"))
        .add("archive/data/1", new byte[16]);
  }

  private static byte[] damaged(byte[] file, int pickle, SplittableRandom random) {
    if (file.length == 0) {
      return file;
    }
    // Half of the damage goes where a byte means most.
    int at = random.nextBoolean() || file.length <= pickle + 700 ? random.nextInt(file.length)
        : pickle + random.nextInt(700);
    switch (random.nextInt(7)) {
      case 0 -> file[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> file[at] = (byte) random.nextInt(256);
      case 2, 3 -> file[at] = (byte) BYTES[random.nextInt(BYTES.length)];
      case 4 -> {
        int from = random.nextInt(file.length);
        int length = Math.min(random.nextInt(1, 60), file.length - Math.max(from, at));
        System.arraycopy(file, from, file, at, length);
      }
      case 5 -> Arrays.fill(file, at, Math.min(file.length, at + 8), (byte) BYTES[random.nextInt(7)]);
      default -> {
        if (random.nextInt(4) == 0) {
          return Arrays.copyOf(file, at);
        }
      }
    }
    return file;
  }

  private static int indexOf(byte[] file, byte[] part) {
    for (int i = 0; i < file.length - part.length; i++) {
      if (Arrays.equals(file, i, i + part.length, part, 0, part.length)) {
        return i;
      }
    }
    throw new AssertionError("no pickle");
  }

  private static boolean accepts(String description, byte[] bytes) {
    try {
      readAll(new TorchCheckpoint(FileBytes.of(description, ByteBuffer.wrap(bytes)), null));
      return true;
    } catch (WeightsException e) {
      assertThat(e).hasMessageContaining(description);
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError(description, e);
    }
  }

  private static void readAll(TorchCheckpoint file) {
    for (String name : file.names()) {
      Parameter parameter;
      try {
        parameter = file.find(name, null);
      } catch (WeightsException e) {
        assertThat(e.getMessage()).containsAnyOf("has no elements", "repeats");
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
