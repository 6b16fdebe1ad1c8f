package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.TorchBytes.Pickler;
import io.vertebra.weights.TorchBytes.Zip;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TorchCheckpointTest {
  private static final long[] NONE = {};

  private static TorchCheckpoint read(byte[] bytes, String entry) {
    return new TorchCheckpoint(FileBytes.of("model.pth", ByteBuffer.wrap(bytes)), entry);
  }

  private static TorchCheckpoint read(Pickler pickle) {
    return read(TorchBytes.checkpoint(pickle).bytes(), null);
  }

  private static void assertRefused(byte[] bytes, String... parts) {
    assertThatThrownBy(() -> read(bytes, null)).isInstanceOf(WeightsException.class)
        .hasMessageStartingWith("model.pth: ").hasMessageContainingAll(parts);
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = TorchCheckpointTest.class.getResourceAsStream("/torch/" + name)) {
      return in.readAllBytes();
    }
  }

  /** Keys of one hash code, which would make a table of them a list. */
  @Test
  void keysThatAreNoNamesAreNotHashedByWhatTheyAre() throws IOException {
    try (InputStream in = TorchCheckpointTest.class.getResourceAsStream("/attack/collide_10000.pth")) {
      byte[] bytes = in.readAllBytes();
      assertTimeoutPreemptively(Duration.ofSeconds(5),
          () -> IntStream.range(0, 20).forEach(i -> assertRefused(bytes, "has no tensors")));
    }
  }

  /** Files of Python's pickle and zipfile modules. */
  @ParameterizedTest
  @ValueSource(strings = {"protocol2.pth", "protocol4.pth"})
  void readsWhatPythonWrites(String name) throws IOException {
    TorchCheckpoint file = read(resource(name), null);
    assertThat(file.names()).containsExactly("a", "a.t", "tail", "n", "s", "h", "p");
    float[] all = new float[24];
    float[] transposed = new float[24];
    for (int i = 0; i < 24; i++) {
      all[i] = i;
      transposed[i] = i % 6 * 4 + i / 6;
    }
    assertThat(file.find("a", null).shape()).isEqualTo(Shape.of(2, 3, 4));
    assertThat(file.find("a", null).toFloats()).isEqualTo(all);
    assertThat(file.find("a.t", null).shape()).isEqualTo(Shape.of(4, 6));
    assertThat(file.find("a.t", null).toFloats()).isEqualTo(transposed);
    assertThat(file.find("tail", null).toFloats()).containsExactly(20, 21, 22, 23);
    assertThat(file.find("n", null).toLongs()).containsExactly(7);
    assertThat(file.find("s", null).shape()).isEqualTo(Shape.of(1));
    assertThat(file.find("s", null).toLongs()).containsExactly(5);
    assertThat(file.find("h", null).dtype()).isEqualTo(DType.F16);
    assertThat(file.find("h", null).toFloats()).containsExactly(1.5f, -2);
    assertThat(file.find("p", null).toFloats()).containsExactly(1, 1, 1, 1);
    assertThat(file.find("q", null)).isNull();
    assertThat(file.metadata()).isEmpty();
    assertThat(file.describe()).isEqualTo("model.pth");
    assertThat(read(resource(name), "model_ema").names()).containsExactly("z");
    assertThatThrownBy(() -> read(resource(name), "args")).isInstanceOf(WeightsException.class)
        .hasMessageContaining("[args, best, epoch, flag, model, model_ema]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"model", "state_dict", "model_state_dict", "model_state"})
  void unwrapsTheUsualContainers(String wrapper) {
    TorchCheckpoint file = read(new Pickler().raw('}').text("epoch").integer(3).raw('s').text("stray").floats("0", 3)
        .raw('s').text(wrapper).dictionary().text("w").floats("0", 4).raw("ss"));
    assertThat(file.names()).containsExactly("w");
    assertThat(read(new Pickler().raw("}(").text("w").floats("0", 4).text("epoch").integer(3).raw('u')).names())
        .containsExactly("w");
  }

  @Test
  void tensorsWithoutElementsOrWithTooManyAreRefusedWhenAskedFor() {
    TorchCheckpoint file = read(new Pickler().raw('}').text("none").floats("0", 0, 3).raw('s').text("expanded")
        .tensor("FloatStorage", "0", 24, 0, new long[] {100, 24}, new long[] {0, 1}).raw('s'));
    assertThat(file.names()).containsExactly("none", "expanded");
    assertThat(file.list("none")).isEqualTo(new ParameterSource.Listing(DType.F32, List.of(0L, 3L)));
    assertThat(file.list("expanded").elements()).isEqualTo(2400);
    assertThatThrownBy(() -> file.find("none", null)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("tensor 'none' F32 [0, 3] has no elements");
    assertThatThrownBy(() -> file.find("expanded", null)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("contiguous()");
  }

  @Test
  void readsZip64() {
    Pickler pickle = new Pickler().raw('}').text("w").floats("0", 24).raw('s');
    assertThat(read(TorchBytes.checkpoint(pickle).zip64().bytes(), null).find("w", null).toFloats()).hasSize(24)
        .endsWith(23);
  }

  /** A sparse file: it takes no room on disk. */
  @Test
  void readsTensorsBeyondFourGigabytes(@TempDir Path folder) throws IOException {
    long elements = (5L << 30) / Float.BYTES;
    byte[] pickle = new Pickler().raw('}').text("last")
        .tensor("FloatStorage", "0", elements, elements - 2, new long[] {2}, new long[] {1}).raw('s').text("huge")
        .tensor("FloatStorage", "0", elements, 0, new long[] {elements}, new long[] {1}).raw('s').end();
    byte[] small = new Zip().add("m/data.pkl", pickle).add("m/data/0", "m/data/0", new byte[0], 0, 0, 4 * elements)
        .zip64().bytes();
    int directory = new Zip().add("m/data.pkl", pickle).add("m/data/0").bytes().length - 22 - 2 * 46
        - "m/data.pkl".length() - "m/data/0".length();
    ByteBuffer tail
        = ByteBuffer.wrap(small, directory, small.length - directory).slice().order(ByteOrder.LITTLE_ENDIAN);
    long grown = directory + 4 * elements;
    int end64 = tail.remaining() - 22 - 20 - 56;
    tail.putLong(end64 + 48, grown).putLong(end64 + 56 + 8, grown + end64);
    Path path = folder.resolve("large.pth");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.write(small, 0, directory);
      file.seek(grown - 4);
      file.write(new byte[] {0, 0, (byte) 0xA0, 0x3F});
      byte[] rest = new byte[tail.remaining()];
      tail.get(rest);
      file.write(rest);
    }
    ParameterSource checkpoint = Checkpoint.open(path);
    assertThat(checkpoint.find("last", null).toFloats()).containsExactly(0, 1.25f);
    assertThatThrownBy(() -> checkpoint.find("huge", null)).isInstanceOf(WeightsException.class)
        .hasMessageContaining("takes 5368709120 bytes");
  }

  private static Arguments pickle(String message, UnaryOperator<Pickler> body) {
    return Arguments.of("the pickle ", message, body);
  }

  private static Arguments file(String message, UnaryOperator<Pickler> body) {
    return Arguments.of("", message, body);
  }

  static Stream<Arguments> harmfulPickles() {
    long max = Long.MAX_VALUE;
    return Stream.of(
        pickle("asks for posix.system, which weights do not need; nothing of it was run",
            p -> p.global("posix", "system").raw('(').text("touch x").raw("tR")),
        pickle("asks for builtins.eval", p -> p.text("builtins").text("eval").raw(0x93).text("1").raw(0x85, 'R')),
        pickle("asks for torch._utils.system", p -> p.global("torch._utils", "system")),
        pickle("asks for torch.ComplexFloatStorage", p -> p.floats("0", 1).storage("ComplexFloatStorage", "0", 24)),
        pickle("asks for a name that is no text", p -> p.raw("]]").raw(0x93)),
        pickle("a name that does not end", p -> p.raw("c" + "x".repeat(300))),
        pickle("instruction 0x69", p -> p.raw('i')), pickle("instruction 0x50", p -> p.raw("Pid\n")),
        pickle("has protocol 9", p -> p.raw(0x80, 9)),
        pickle("calls torch.FloatStorage with arguments", p -> p.global("torch", "FloatStorage").raw(")R")),
        pickle("calls a Long with a Tuple", p -> p.integer(1).raw(")R")),
        pickle("calls collections.OrderedDict with a String",
            p -> p.global("collections", "OrderedDict").text("x").raw('R')),
        pickle("calls torch._utils._rebuild_tensor_v2 with arguments",
            p -> p.global("torch._utils", "_rebuild_tensor_v2").integers(1, 2).raw('R')),
        pickle("calls torch._utils._rebuild_parameter with arguments",
            p -> p.global("torch._utils", "_rebuild_parameter").raw(")R")),
        pickle("calls torch.jit._pickle.restore_type_tag with arguments",
            p -> p.global("torch.jit._pickle", "restore_type_tag").raw("}").raw(0x85, 'R')),
        pickle("no tensor's storage", p -> p.integers(1, 2, 3, 4, 5).raw('Q')),
        pickle("shape or strides are no integers",
            p -> p.global("torch._utils", "_rebuild_tensor_v2").raw('(').storage("FloatStorage", "0", 24).integer(0)
                .text("x").integers(1).raw("tR")),
        pickle("sets the state of a Long", p -> p.integer(1).raw("}b")),
        pickle("sets items of a Long", p -> p.integer(1).integer(2).integer(3).raw('s')),
        pickle("sets items of a LinkedHashMap", p -> p.raw("}(").integer(3).raw('u')),
        pickle("has a LinkedHashMap as a key", p -> p.raw("}q").raw(0).raw("h").raw(0).integer(1).raw('s')),
        pickle("has the key 'w' twice",
            p -> p.raw('}').text("w").floats("0", 1).raw('s').text("w").floats("0", 1).raw('s')),
        pickle("appends to a LinkedHashMap", p -> p.raw('}').integer(1).raw('a')),
        pickle("refers to value 7", p -> p.raw('h', 7)), pickle("goes back to a mark", p -> p.raw('t')),
        pickle("uses a value it has not given", p -> p.raw('R')),
        pickle("uses a value it has not given", p -> p.raw(0x87)),
        pickle("has an integer of 200 bytes", p -> p.raw(0x8a, 200)),
        pickle("ends in the middle of a value", p -> p.raw('X', 0xFF, 0xFF, 0xFF, 0x7F)),
        pickle("ends in the middle of a value", p -> p.raw('X', 0xFF, 0xFF, 0xFF, 0xFF)),
        pickle("ends in the middle of a value", p -> p.raw(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80)),
        pickle("is not UTF-8", p -> p.raw('X', 1, 0, 0, 0, 0xFF)),
        pickle("has more than 1048576 steps", p -> p.raw("(".repeat(1 << 20))),
        file("holds no dictionary of tensors", p -> p.integer(1)),
        file("has no tensors, and none under any of", p -> p.raw('}').text("epoch").integer(1).raw('s')),
        tensor("lies in storage '../../x', which the archive lacks", "FloatStorage", "../../x", 24, 0, new long[] {1},
            new long[] {1}),
        tensor("lies in a storage of 25 elements of type F32, but storage '0' has only 96 bytes", "FloatStorage", "0",
            25, 0, new long[] {25}, new long[] {1}),
        tensor("lies in a storage of 24 elements of type F64, but", "DoubleStorage", "0", 24, 0, new long[] {1},
            new long[] {1}),
        tensor("lies in a storage of " + max, "FloatStorage", "0", max, 0, new long[] {1}, new long[] {1}),
        tensor("lies in a storage of -1", "FloatStorage", "0", -1, 0, new long[] {1}, new long[] {1}),
        tensor("goes beyond its storage of 24", "FloatStorage", "0", 24, 24, NONE, NONE),
        tensor("goes beyond its storage of 24", "FloatStorage", "0", 24, 1, new long[] {4, 6}, new long[] {6, 1}),
        tensor("goes beyond its storage of 24", "FloatStorage", "0", 24, 0, new long[] {4, 6}, new long[] {7, 1}),
        tensor("none may be negative", "FloatStorage", "0", 24, -1, new long[] {1}, new long[] {1}),
        tensor("none may be negative", "FloatStorage", "0", 24, 0, new long[] {-1}, new long[] {1}),
        tensor("none may be negative", "FloatStorage", "0", 24, 4, new long[] {2}, new long[] {-1}),
        tensor("a stride for every dimension", "FloatStorage", "0", 24, 0, new long[] {2, 2}, new long[] {1}),
        pickle("or more than 64", p -> p.tensor("FloatStorage", "0", 24, 0, new long[65], new long[65])),
        tensor("which overflows", "FloatStorage", "0", 24, 0, new long[] {max, 2}, new long[] {0, 1}),
        tensor("which overflow", "FloatStorage", "0", 24, max, new long[] {2}, new long[] {1}),
        tensor("which overflow", "FloatStorage", "0", 24, 0, new long[] {3, 2}, new long[] {max, 1}));
  }

  private static Arguments tensor(String message, String type, String key, long elements, long offset, long[] sizes,
      long[] strides) {
    return Arguments.of("tensor 'w' ", message, (UnaryOperator<Pickler>) p -> p.raw('}').text("w")
        .tensor(type, key, elements, offset, sizes, strides).raw('s'));
  }

  @ParameterizedTest
  @MethodSource
  void harmfulPickles(String subject, String message, UnaryOperator<Pickler> body) {
    byte[] pickle = body.apply(new Pickler()).end();
    assertRefused(new Zip().add("archive/data/0", TorchBytes.floats(24)).add("archive/data.pkl", pickle)
        .bytes(pickle.length + 1000), subject, message);
  }

  private static Zip sound() {
    return TorchBytes.checkpoint(new Pickler().raw('}').text("w").floats("0", 24).raw('s'));
  }

  @Test
  void aContainerThatHoldsItselfIsRead() {
    assertThat(read(new Pickler().raw("}q").raw(0).text("self").raw('h', 0).raw('s').text("w").floats("0", 4).raw('s'))
        .names()).containsExactly("w");
  }

  @Test
  void harmfulArchivesAreRefused() {
    assertRefused(sound().add("archive/data/0").bytes(), "entry 'archive/data/0' of the archive is there twice");
    for (String name : new String[] {"/etc/passwd", "../x", "a/../../x", "a//b", "a/", "", ".", "a\\b", "C:x",
      "a\nb"}) {
      assertRefused(sound().add(name).bytes(), "must have a plain relative name");
    }
    assertRefused(sound().add("archive/x", "archive/x", new byte[4], 8, 0, 4).bytes(),
        "entry 'archive/x' of the archive is compressed");
    assertRefused(sound().add("archive/x", "archive/x", new byte[4], 0, 1, 4).bytes(), "is encrypted");
    assertRefused(sound().add("archive/x", "archive/y", new byte[4], 0, 0, 4).bytes(),
        "is called otherwise where it lies");
    assertRefused(sound().add("archive/x", "archive/x", new byte[4], 0, 0, 4_000_000_000L).bytes(),
        "more than the file");
    assertRefused(sound().add("archive/x", "archive/x", new byte[4], 0, 0, 60).add("archive/y", new byte[40]).bytes(),
        "shares bytes with 'archive/x'");
    assertRefused(sound().add("archive/x", "archive/x", new byte[4], 0, 0, Long.MAX_VALUE).zip64().bytes(),
        "more than the file");
    assertRefused(sound().add("archive/x", "archive/x", new byte[4], 0, 0, -5).zip64().bytes(), "more than the file");
    assertRefused(sound().add("other/data.pkl").bytes(), "2 entries called data.pkl");
    assertRefused(new Zip().add("a/b/data.pkl").bytes(), "0 entries called data.pkl");
    assertRefused(sound().add("archive/constants.pkl").bytes(), "TorchScript");
    assertRefused(new Zip().add("a/data.pkl").add("a/byteorder", "big").bytes(), "big-endian");
  }

  @Test
  void halfAFileIsRefused() {
    for (Zip zip : new Zip[] {sound(), sound().zip64()}) {
      byte[] bytes = zip.bytes();
      assertThat(read(bytes, null).names()).containsExactly("w");
      for (int length = 0; length < bytes.length; length++) {
        assertRefused(Arrays.copyOf(bytes, length), "zip archive");
      }
    }
  }

  /** Every field of the end records, one after another, set to something else. */
  @ParameterizedTest
  @CsvSource({"8, -1", "10, 1", "10, 9", "12, 1", "12, 2147483647", "12, -1", "16, 0", "16, 1", "16, -1",
    "16, 2147483647"})
  void aDamagedDirectoryIsRefused(int field, int value) {
    byte[] bytes = sound().bytes();
    ByteBuffer end = ByteBuffer.wrap(bytes, bytes.length - 22, 22).slice().order(ByteOrder.LITTLE_ENDIAN);
    if (field <= 10) {
      end.putShort(field, (short) value);
    } else {
      end.putInt(field, value);
    }
    if (field == 8) {
      assertThat(read(bytes, null).names()).as("the number of entries on this disk is not used").containsExactly("w");
    } else {
      assertRefused(bytes, "model.pth");
    }
  }
}
