package io.vertebra.weights;

import static io.vertebra.weights.SafetensorsBytes.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Shape;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest {
  @TempDir
  Path folder;

  private static Safetensors of(ByteBuffer bytes) {
    return Safetensors.of("model.safetensors", bytes);
  }

  private static void assertRefused(ThrowingCallable call, String file, String message) {
    assertThatThrownBy(call).isInstanceOf(WeightsException.class).hasMessageStartingWith(file + ": ")
        .hasMessageContaining(message);
  }

  private static void assertRefused(ByteBuffer bytes, String message) {
    assertRefused(() -> of(bytes), "model.safetensors", message);
  }

  @Test
  void readsTensorsInHeaderOrder() {
    Safetensors file = of(SafetensorsBytes.file(
        "{" + tensor("b", "F32", "1,2", 1, 9) + ",\"__metadata__\":{\"format\":\"pt\",\"naïve\":\"ü\"},"
            + "\"a\":{\"data_offsets\":[0,1],\"shape\":[],\"dtype\":\"U8\"}}   ",
        new byte[] {(byte) 200, 0, 0, (byte) 0x80, 0x3F, 0, 0, 0x20, (byte) 0xC1}));
    assertThat(file.names()).containsExactly("b", "a");
    assertThat(file.metadata()).isEqualTo(Map.of("format", "pt", "naïve", "ü"));
    assertThat(file.describe()).isEqualTo("model.safetensors");
    Parameter b = file.find("b", Shape.of(5));
    assertThat(b.shape()).isEqualTo(Shape.of(1, 2));
    assertThat(b.toFloats()).containsExactly(1f, -10f);
    Parameter scalar = file.find("a", null);
    assertThat(scalar.shape()).isEqualTo(Shape.of(1));
    assertThat(scalar.dtype()).isEqualTo(DType.U8);
    assertThat(scalar.toLongs()).containsExactly(200);
    assertThat(file.find("c", null)).isNull();
  }

  @Test
  void readsHeapBuffersFromTheirPosition() {
    ByteBuffer direct = SafetensorsBytes.file("{" + tensor("a", "I8", "2", 0, 2) + "}", new byte[] {3, -4});
    byte[] shifted = new byte[direct.remaining() + 5];
    direct.get(shifted, 5, direct.remaining());
    ByteBuffer heap = ByteBuffer.wrap(shifted).position(5);
    assertThat(of(heap).find("a", null).toLongs()).containsExactly(3, -4);
    assertThat(heap.position()).isEqualTo(5);
  }

  @Test
  void readsAFileWithoutTensors() {
    assertThat(of(SafetensorsBytes.file("{}")).names()).isEmpty();
  }

  @Test
  void listsButRefusesATensorWithoutElements() {
    String header = "{" + tensor("e", "F32", "0,3", 1, 1) + "," + tensor("a", "U8", "1", 0, 1) + ","
        + tensor("b", "U8", "1", 1, 2) + "}";
    Safetensors file = of(SafetensorsBytes.file(header, new byte[2]));
    assertThat(file.names()).containsExactly("e", "a", "b");
    assertThat(file.list("e")).isEqualTo(new ParameterSource.Listing(DType.F32, List.of(0L, 3L)));
    assertThat(file.list("c")).isNull();
    assertRefused(() -> file.find("e", null), "model.safetensors", "tensor 'e' F32 [0, 3] has no elements");
  }

  @Test
  void readsAFileThatWasDeletedMeanwhile() throws IOException {
    Path path = folder.resolve("m.safetensors");
    Files.write(path, SafetensorsBytes.goldenBytes("preprocess/40x64.safetensors"));
    Safetensors mapped = Safetensors.open(path);
    Safetensors held = SafetensorsBytes.golden("preprocess/40x64.safetensors");
    Files.delete(path);
    assertThat(mapped.describe()).isEqualTo(path.toString());
    assertThat(mapped.metadata()).isEqualTo(held.metadata()).containsEntry("source", "preprocess/40x64");
    assertThat(mapped.names()).isEqualTo(held.names()).isNotEmpty();
    for (String name : mapped.names()) {
      assertThat(mapped.find(name, null).data()).isEqualTo(held.find(name, null).data());
    }
  }

  /** A sparse file: it takes no room on disk. */
  /** Whenever a file is cut off, what is gone is an exception, and never a fault of the process. */
  @Test
  void saysWhatWasCutOffWhileItWasOpen() throws IOException {
    byte[] whole = SafetensorsBytes.goldenBytes("preprocess/40x64.safetensors");
    for (int length : new int[] {0, 1, 8, 100, whole.length / 2, whole.length - 1}) {
      Path file = Files.write(folder.resolve(length + ".safetensors"), whole);
      try (Safetensors open = Safetensors.open(file)) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
          channel.truncate(length);
        }
        assertRefused(() -> open.names().forEach(name -> open.find(name, null).data()), file.toString(), "cut off");
      }
    }
  }

  @Test
  void saysThatItWasClosed() throws IOException {
    Path file = Files.write(folder.resolve("closed.safetensors"),
        SafetensorsBytes.goldenBytes("preprocess/40x64.safetensors"));
    Safetensors closed = Safetensors.open(file);
    closed.close();
    closed.close();
    Parameter parameter = closed.find(closed.names().iterator().next(), null);
    assertRefused(parameter::data, file.toString(), "is closed");
  }

  @Test
  void readsTensorsBeyondTwoGigabytes() throws IOException {
    Path path = folder.resolve("large.safetensors");
    long gib = 1L << 30;
    long[] ends = {gib - 3, gib - 3 + 2_500_000_000L, 0, 0, 0};
    ends[2] = ends[1] + 12;
    ends[3] = ends[2] + gib;
    ends[4] = ends[3] + 16;
    String header
        = "{"
            + String.join(",", tensor("a", "U8", "" + ends[0], 0, ends[0]),
                tensor("huge", "U8", "2500000000", ends[0], ends[1]), tensor("b", "F32", "3", ends[1], ends[2]),
                tensor("c", "U8", "1024," + gib / 1024, ends[2], ends[3]), tensor("d", "I64", "2", ends[3], ends[4]))
            + "}";
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.writeLong(Long.reverseBytes(text.length));
      file.write(text);
      long data = file.getFilePointer();
      file.setLength(data + ends[4]);
      file.seek(data + ends[1]);
      file.writeInt(Integer.reverseBytes(Float.floatToIntBits(1.25f)));
      file.seek(data + ends[3] - 1);
      file.write(77);
      file.writeLong(Long.reverseBytes(-5));
    }
    Safetensors file = Safetensors.open(path);
    assertThat(file.find("a", null).data().remaining()).isEqualTo((int) (gib - 3));
    assertThat(file.find("b", null).toFloats()).containsExactly(1.25f, 0, 0);
    assertThat(file.find("c", null).data().get((int) gib - 1)).isEqualTo((byte) 77);
    assertThat(file.find("d", null).toLongs()).containsExactly(-5, 0);
    assertRefused(() -> file.find("huge", null), path.toString(),
        "tensor 'huge' U8 [2500000000] takes 2500000000 bytes");
  }

  @Test
  void namesAFileThatCannotBeRead() {
    Path absent = folder.resolve("absent");
    assertRefused(() -> Safetensors.open(absent), absent.toString(), "there is no such file");
    assertRefused(() -> Safetensors.open(folder), folder.toString(), "is not a file");
  }

  @Test
  void refusesFilesTooShortForALength() throws IOException {
    for (int length = 0; length < 8; length++) {
      ByteBuffer bytes = ByteBuffer.allocate(length);
      Path path = Files.write(folder.resolve("short"), bytes.array());
      String message = "is " + length + " bytes long, too short for a safetensors file";
      assertRefused(bytes, message);
      assertRefused(() -> Safetensors.open(path), path.toString(), message);
    }
  }

  @ParameterizedTest
  @CsvSource({"-1, 'claims a header of 18446744073709551615 bytes'",
    "-9223372036854775808, more than the 100000000 allowed", "9223372036854775807, more than the 100000000 allowed",
    "100000001, more than the 100000000 allowed", "100000000, 'is only 10 bytes long; it may be cut off'",
    "3, 'is only 10 bytes long; it may be cut off'", "1, the header is not valid JSON",
    "0, the header is not a JSON object"})
  void refusesHeaderLengths(long length, String message) throws IOException {
    ByteBuffer bytes = SafetensorsBytes.withLength(length, "{}".getBytes(StandardCharsets.UTF_8));
    Path path = folder.resolve("lying.safetensors");
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    Files.write(path, copy);
    assertRefused(bytes, message);
    assertRefused(() -> Safetensors.open(path), path.toString(), message);
  }

  @Test
  void refusesAHeaderThatIsNotUtf8() {
    byte[] latin1 = "{\"é\":{}}".getBytes(StandardCharsets.ISO_8859_1);
    assertRefused(SafetensorsBytes.file(latin1), "the header is not UTF-8");
    byte[] overlong = {'{', '"', (byte) 0xC0, (byte) 0xAF, '"', ':', '1', '}'};
    assertRefused(SafetensorsBytes.file(overlong), "the header is not UTF-8");
    byte[] utf16 = "{}".getBytes(StandardCharsets.UTF_16LE);
    assertRefused(SafetensorsBytes.file(utf16), "not valid JSON");
  }

  @Test
  void refusesAHeaderNestedTooDeeply() {
    assertRefused(SafetensorsBytes.file("{\"a\":" + "[".repeat(1_000_000)), "tensor 'a' is not described by an object");
    assertRefused(SafetensorsBytes.file("{\"a\":".repeat(1_000_000)), "tensor 'a' has the unknown key 'a'");
    assertRefused(SafetensorsBytes.file("{\"__metadata__\":".repeat(1_000_000)), "__metadata__");
  }

  /** The data are four bytes; in the headers, ' stands for ". */
  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {"[]|the header is not a JSON object",
    "17|the header is not a JSON object", "nonsense|the header is not valid JSON", "{'a':|the header is not valid JSON",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}|the header is not valid JSON",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}{}|the header goes on after its JSON object",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}x|the header is not valid JSON",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}|"
        + "tensor 'a' is in the header twice",
    "{'a':{'dtype':'U8','dtype':'U8','shape':[4],'data_offsets':[0,4]}}|tensor 'a' has dtype twice",
    "{'a':{'dtype':'U8','shape':[4],'shape':[4],'data_offsets':[0,4]}}|tensor 'a' has shape twice",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4],'data_offsets':[0,4]}}|tensor 'a' has data_offsets twice",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4],'stride':[1]}}|tensor 'a' has the unknown key 'stride'",
    "{'a':7}|tensor 'a' is not described by an object", "{'a':null}|tensor 'a' is not described by an object",
    "{'a':{}}|tensor 'a' must have dtype, shape and data_offsets",
    "{'a':{'shape':[4],'data_offsets':[0,4]}}|tensor 'a' must have dtype, shape and data_offsets",
    "{'a':{'dtype':'U8','data_offsets':[0,4]}}|tensor 'a' must have dtype, shape and data_offsets",
    "{'a':{'dtype':'U8','shape':[4]}}|tensor 'a' must have dtype, shape and data_offsets",
    "{'a':{'dtype':'F8_E4M3','shape':[4],'data_offsets':[0,4]}}|tensor 'a' has dtype 'F8_E4M3'; known are [F64,",
    "{'a':{'dtype':'f32','shape':[1],'data_offsets':[0,4]}}|tensor 'a' has dtype 'f32'; known are [F64,",
    "{'a':{'dtype':4,'shape':[4],'data_offsets':[0,4]}}|tensor 'a' has a dtype that is not a string",
    "{'a':{'dtype':'U8','shape':4,'data_offsets':[0,4]}}|tensor 'a' has a shape that is not an array",
    "{'a':{'dtype':'U8','shape':[-4],'data_offsets':[0,4]}}|tensor 'a' has -4 in its shape; only integers",
    "{'a':{'dtype':'U8','shape':[-2,-2],'data_offsets':[0,4]}}|tensor 'a' has -2 in its shape; only integers",
    "{'a':{'dtype':'U8','shape':[4.0],'data_offsets':[0,4]}}|tensor 'a' has 4.0 in its shape; only integers",
    "{'a':{'dtype':'U8','shape':[4e0],'data_offsets':[0,4]}}|tensor 'a' has 4e0 in its shape; only integers",
    "{'a':{'dtype':'U8','shape':['4'],'data_offsets':[0,4]}}|tensor 'a' has 4 in its shape; only integers",
    "{'a':{'dtype':'U8','shape':[[4]],'data_offsets':[0,4]}}|tensor 'a' has [ in its shape; only integers",
    "{'a':{'dtype':'U8','shape':[null],'data_offsets':[0,4]}}|tensor 'a' has null in its shape; only integers",
    "{'a':{'dtype':'U8','shape':[9223372036854775808],'data_offsets':[0,4]}}|"
        + "tensor 'a' has 9223372036854775808 in its shape",
    "{'a':{'dtype':'U8','shape':[18446744073709551620],'data_offsets':[0,4]}}|"
        + "tensor 'a' has 18446744073709551620 in its shape",
    "{'a':{'dtype':'U8','shape':[9223372036854775807,2],'data_offsets':[0,4]}}|"
        + "tensor 'a' has shape [9223372036854775807, 2], which overflows",
    "{'a':{'dtype':'I32','shape':[4611686018427387905],'data_offsets':[0,4]}}|"
        + "tensor 'a' has shape [4611686018427387905], which overflows",
    "{'a':{'dtype':'U8','shape':[65536,65536,65536,65536],'data_offsets':[0,0]}}|which overflows",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':{}}}|tensor 'a' has a data_offsets that is not an array",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[4]}}|tensor 'a' has data_offsets [4]; they must be begin and end",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4,4]}}|"
        + "tensor 'a' has data_offsets [0, 4, 4]; they must be begin and end",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[-4,0]}}|tensor 'a' has -4 in its data_offsets; only integers",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[4,0]}}|"
        + "tensor 'a' has data_offsets [4, 0]; they must be begin and end, in order",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4.5]}}|tensor 'a' has 4.5 in its data_offsets",
    "{'a':{'dtype':'U8','shape':[3],'data_offsets':[0,4]}}|tensor 'a' has 4 bytes of data, but U8 [3] takes 3",
    "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,4]}}|tensor 'a' has 4 bytes of data, but F32 [4] takes 16",
    "{'a':{'dtype':'U8','shape':[0],'data_offsets':[0,4]}}|tensor 'a' has 4 bytes of data, but U8 [0] takes 0",
    "{'a':{'dtype':'U8','shape':[5],'data_offsets':[0,5]}}|tensor 'a' ends at byte 5 of the data, which has 4",
    "{'a':{'dtype':'U8','shape':[9000000000000000000],'data_offsets':[0,9000000000000000000]}}|"
        + "tensor 'a' ends at byte 9000000000000000000",
    "{'a':{'dtype':'U8','shape':[1],'data_offsets':[9223372036854775806,9223372036854775807]}}|"
        + "tensor 'a' ends at byte 9223372036854775807",
    "{'b':{'dtype':'U8','shape':[2],'data_offsets':[2,4]},'a':{'dtype':'U8','shape':[3],'data_offsets':[0,3]}}|"
        + "tensor 'b' overlaps tensor 'a'",
    "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'b':{'dtype':'U8','shape':[4],'data_offsets':[0,4]}}|"
        + "tensor 'b' overlaps tensor 'a'",
    "{'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},'b':{'dtype':'U8','shape':[2],'data_offsets':[2,4]}}|"
        + "tensor 'b' leaves a gap of 1 bytes after tensor 'a'",
    "{'a':{'dtype':'U8','shape':[3],'data_offsets':[1,4]}}|tensor 'a' leaves a gap of 1 bytes after the header",
    "{'a':{'dtype':'U8','shape':[3],'data_offsets':[0,3]}}|1 bytes at the end belong to no tensor",
    "{}|4 bytes at the end belong to no tensor", "{'__metadata__':[]}|__metadata__ is not an object",
    "{'__metadata__':{'k':1}}|__metadata__ entry 'k' is not a string",
    "{'__metadata__':{'k':{'l':'m'}}}|__metadata__ entry 'k' is not a string",
    "{'__metadata__':{'k':'1','k':'2'}}|__metadata__ has 'k' twice",
    "{'__metadata__':{},'__metadata__':{}}|the header has __metadata__ twice",})
  void refusesBadHeaders(String header, String message) {
    assertRefused(SafetensorsBytes.file(header.replace('\'', '"'), new byte[] {1, 2, 3, 4}), message);
  }
}
