package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.Device;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.TinyModels;
import io.vertebra.backbone.ModelStatistics;
import io.vertebra.image.Image;
import io.vertebra.weights.TorchBytes.Pickler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
  @TempDir
  Path folder;

  private Path file(String name, byte... bytes) throws IOException {
    return Files.write(folder.resolve(name), bytes);
  }

  private Path safetensors(String name, String... tensors) throws IOException {
    StringBuilder header = new StringBuilder();
    for (int i = 0; i < tensors.length; i++) {
      header.append(i == 0 ? "{" : ",").append(SafetensorsBytes.tensor(tensors[i], "F32", "1", 4 * i, 4 * i + 4));
    }
    ByteBuffer bytes = SafetensorsBytes.file(header + "}", TorchBytes.floats(tensors.length));
    byte[] array = new byte[bytes.remaining()];
    bytes.get(array);
    return file(name, array);
  }

  private void assertRefused(Path file, String message) {
    assertThatThrownBy(() -> Checkpoint.open(file)).isInstanceOf(WeightsException.class)
        .hasMessageContaining(file.toString()).hasMessageContaining(message);
  }

  @Test
  void theContentsTellTheFormat() throws IOException {
    Path torch = file("a.bin",
        TorchBytes.checkpoint(new Pickler().raw('}').text("module.w").floats("0", 24).raw('s')).bytes());
    assertThat(Checkpoint.open(torch).names()).as("without module.").containsExactly("w");
    assertThat(Checkpoint.open(torch).find("w", null).toFloats()).hasSize(24);
    assertThat(Checkpoint.open(safetensors("b.pth", "module.x", "module.y")).find("y", null).toFloats())
        .containsExactly(1);
    assertThat(Checkpoint.open(safetensors("c.pth", "module.x", "y")).names()).containsExactly("module.x", "y");
    // Headers whose lengths begin like a pickle.
    for (int length : new int[] {0x80, 0x180, 0x280, 0x580}) {
      ByteBuffer bytes = SafetensorsBytes.file("{" + " ".repeat(length - 2) + "}");
      byte[] array = new byte[bytes.remaining()];
      bytes.get(array);
      assertThat(Checkpoint.open(file("d" + length, array)).names()).isEmpty();
    }
  }

  /** The same weights in both formats give the same answers. */
  @Test
  void aModelTakesAPyTorchCheckpoint() throws IOException {
    Pickler pickle = new Pickler().dictionary();
    TorchBytes.Zip zip = new TorchBytes.Zip();
    ModelStatistics.of(TinyModels.SWIN).parameters().forEach((name, shape) -> {
      pickle.text("module." + name).floats(name, Arrays.stream(shape.toArray()).asLongStream().toArray()).raw('s');
      zip.add("m/data/" + name, littleEndian(new FormulaWeights().find(name, shape).toFloats()));
    });
    Path path = file("swin.pth", zip.add("m/data.pkl", pickle.end()).bytes(1 << 23));
    Image image = TinyModels.image(0);
    try (Model expected = TinyModels.swin().device(Device.REFERENCE).build();
        Session expectedSession = expected.newSession();
        Model model = Model.builder().architecture(expected.architecture()).preprocessing(expected.preprocessing())
            .weights(path).device(Device.REFERENCE).build();
        Session session = model.newSession()) {
      assertThat(session.logitsAll(List.of(image))).isEqualTo(expectedSession.logitsAll(List.of(image)));
    }
  }

  private static byte[] littleEndian(float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }

  @Test
  void oneOfSeveralStateDictionariesIsReadOnRequest() throws IOException {
    Path torch = file("a.pth",
        TorchBytes.checkpoint(new Pickler().raw('}').text("state_dict").dictionary().text("w").floats("0", 1).raw("ss")
            .text("state_dict_ema").dictionary().text("module.v").floats("0", 2).raw("ss")).bytes());
    assertThat(Checkpoint.open(torch).names()).containsExactly("w");
    assertThat(Checkpoint.open(torch, "state_dict_ema").names()).containsExactly("v");
    assertThatThrownBy(() -> Checkpoint.open(torch, "ema")).isInstanceOf(WeightsException.class)
        .hasMessageContaining("[state_dict, state_dict_ema]");
    Path safetensors = safetensors("b.safetensors", "w");
    assertThatThrownBy(() -> Checkpoint.open(safetensors, "ema")).isInstanceOf(WeightsException.class)
        .hasMessageContaining("'ema'");
  }

  @Test
  void otherFormatsAreRefusedWithAdvice() throws IOException {
    byte[] legacy = {(byte) 0x80, 2, (byte) 0x8a, 10, 0x6c, (byte) 0xfc, (byte) 0x9c, 0x46, (byte) 0xf9, 0x20, 0x6a,
      (byte) 0xa8, 0x50, 0x19, '.'};
    assertRefused(file("old.pth", legacy), "before 1.6, which is not read; load it in PyTorch");
    assertRefused(file("plain.pkl", new Pickler().raw('}').text("weight").end()), "is a plain pickle");
    assertRefused(file("empty.pth"), "too short");
    assertRefused(file("text.pth", "not a checkpoint".getBytes()), "may not be a safetensors file");
    assertRefused(folder.resolve("none.pth"), "there is no such file");
    assertRefused(folder, "is not a file");
  }

  @Test
  void shardsAreOneCheckpoint() throws IOException {
    safetensors("m-1.safetensors", "a", "b");
    safetensors("m-2.safetensors", "c");
    Path index = file("m.safetensors.index.json", """
        {"metadata": {"total_size": 12}, "weight_map": {"b": "m-1.safetensors", "c": "m-2.safetensors"}}""".getBytes());
    ParameterSource source = Checkpoint.open(index);
    assertThat(source.names()).containsExactly("b", "c");
    assertThat(source.find("b", null).toFloats()).containsExactly(1);
    assertThat(source.find("c", null).toFloats()).containsExactly(0);
    assertThat(source.find("a", null)).isNull();
    assertThat(source.describe()).isEqualTo(index.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "[]", "{\"weight_map\": {\"c\": \"../m-1.safetensors\"}}",
    "{\"weight_map\": {\"c\": \"/m-1.safetensors\"}}", "{\"weight_map\": {\"c\": \"..\"}}",
    "{\"weight_map\": {\"c\": \"m\\u0000\"}}", "{\"weight_map\": {\"c\": 1}}",
    "{\"weight_map\": {\"c\": \"m-1.safetensors\"}}", "{\"weight_map\": {\"c\": \"m-2.safetensors\"}}",
    "{\"weight_map\"", "\uFFFF"})
  void harmfulIndicesAreRefused(String json) throws IOException {
    safetensors("m-1.safetensors", "a", "b");
    Path index = file("m.safetensors.index.json", json.getBytes());
    assertThatThrownBy(() -> Checkpoint.open(index)).isInstanceOf(WeightsException.class);
  }
}
