package io.vertebra.image;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.image.Preprocessing.Channels;
import io.vertebra.program.Recording;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Json;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.Safetensors;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Pillow and torchvision made of the same images, bit for bit. */
class PreprocessingGoldenTest {
  private static final Channels ZERO = new Channels(0, 0, 0);
  private static final Channels ONE = new Channels(1, 1, 1);

  private static final Map<String, Preprocessing> MODES
      = Map.of("center224_256", Preprocessing.official(224), "center224_248", Preprocessing.timm(224, 0.9),
          "center224_235", Preprocessing.timm(224, 0.95).normalised(Preprocessing.INCEPTION, Preprocessing.INCEPTION),
          "center384_384", Preprocessing.timm(384, 1), "squash384", Preprocessing.squash(384), "center192_219",
          Preprocessing.official(192), "up160_182", Preprocessing.official(160), "center32_36",
          Preprocessing.official(32), "rect192x256_90", Preprocessing.timm(192, 256, 0.9));

  private static List<Backend> backends;

  @BeforeAll
  static void open() {
    backends = List.of(new ReferenceBackend(), new CpuBackend(1), new CpuBackend(3));
  }

  @AfterAll
  static void close() {
    backends.forEach(Backend::close);
  }

  @ParameterizedTest
  @ValueSource(strings = {"97x131", "300x200", "224x224", "40x64", "513x301", "256x341"})
  void everyMode(String name) {
    Safetensors golden = golden(name);
    String[] size = name.split("x");
    int height = Integer.parseInt(size[0]);
    int width = Integer.parseInt(size[1]);
    byte[] source = source("preprocess/" + name, height, width);
    assertThat(fnv(source)).isEqualTo(golden.metadata().get("source.fnv1a64"));
    if (golden.names().contains("source")) {
      assertThat(source).isEqualTo(bytes(golden, "source"));
    }
    Image image = Image.rgb(ByteBuffer.wrap(source), width, height);
    for (Map.Entry<String, Preprocessing> mode : MODES.entrySet()) {
      for (Backend backend : backends) {
        check(backend, golden, mode.getKey(), mode.getValue(), image);
      }
    }
  }

  private static void check(Backend backend, Safetensors golden, String mode, Preprocessing recipe, Image image) {
    String what = mode + " on " + backend.describe();
    Map<String, Object> facts = Json.parseObject(golden.metadata().get(mode));
    List<?> resized = (List<?>) facts.get("resized");
    int height = ((Number) resized.get(0)).intValue();
    int width = ((Number) resized.get(1)).intValue();
    assertThat(recipe.layout(image.width(), image.height())).as(what).isEqualTo(new Preprocessing.Layout(width, height,
        ((Number) facts.get("left")).intValue(), ((Number) facts.get("top")).intValue()));

    byte[] crop = samples(apply(backend, recipe.normalised(ZERO, ONE), image));
    assertThat(fnv(crop)).as(what).isEqualTo(facts.get("crop_fnv1a64"));
    Preprocessing whole
        = new Preprocessing(new Resize.Squash(height, width), recipe.filter(), height, width, ZERO, ONE);
    assertThat(fnv(samples(apply(backend, whole, image)))).as(what).isEqualTo(facts.get("resized_fnv1a64"));

    // The golden tensor is [3, height, width]; mean, deviation and norm are computed in float64.
    float[] tensor = channelsFirst(apply(backend, recipe, image));
    FloatBuffer values = floats(golden, mode + ".tensor.value");
    var indices = golden.find(mode + ".tensor.index", null).data().asLongBuffer();
    for (int i = 0; i < values.capacity(); i++) {
      assertThat(tensor[(int) indices.get(i)]).as(what).isEqualTo(values.get(i));
    }
    if (golden.names().contains(mode + ".tensor")) {
      assertThat(FloatBuffer.wrap(tensor)).as(what).isEqualTo(floats(golden, mode + ".tensor"));
    }
    double sum = 0;
    double squares = 0;
    for (float value : tensor) {
      sum += value;
      squares += (double) value * value;
    }
    double mean = sum / tensor.length;
    double deviation = Math.sqrt(squares / tensor.length - mean * mean);
    var stats = golden.find(mode + ".tensor.stats", null).data().asDoubleBuffer();
    assertThat(Math.abs(mean - stats.get(0))).as(what).isLessThan(1e-6);
    assertThat(Math.abs(deviation - stats.get(1))).as(what).isLessThan(1e-6);
    assertThat(Math.abs(Math.sqrt(squares) / stats.get(2) - 1)).as(what).isLessThan(1e-6);
  }

  @Test
  void pillowsResize() {
    Safetensors golden = golden("resample_ops");
    int cases = 0;
    for (String name : golden.names()) {
      if (name.endsWith(".in")) {
        String title = name.substring(0, name.length() - 3);
        Parameter in = golden.find(name, null);
        Parameter out = golden.find(title + ".out", null);
        int height = out.shape().dim(0);
        int width = out.shape().dim(1);
        Filter filter = title.startsWith("bicubic") ? Filter.BICUBIC : Filter.BILINEAR;
        Preprocessing recipe = new Preprocessing(new Resize.Squash(height, width), filter, height, width, ZERO, ONE);
        Image image = Image.rgb(ByteBuffer.wrap(bytes(golden, name)), in.shape().dim(1), in.shape().dim(0));
        for (Backend backend : backends) {
          assertThat(samples(apply(backend, recipe, image))).as(title).isEqualTo(bytes(golden, title + ".out"));
        }
        cases++;
      }
    }
    assertThat(cases).isEqualTo(11);
  }

  @Test
  void weightsOfPillow() {
    Safetensors golden = golden("resample_coeffs");
    int cases = 0;
    for (String name : golden.names()) {
      if (name.endsWith(".coeff")) {
        String title = name.substring(0, name.length() - 6);
        String[] parts = title.split("_");
        int from = Integer.parseInt(parts[1]);
        int to = Integer.parseInt(parts[3]);
        Resampling resampling = Resampling.of(from, to, Filter.valueOf(parts[0].toUpperCase()), 0, to);
        var first = golden.find(title + ".first", null).data().asIntBuffer();
        var weights = golden.find(name, null).data().asIntBuffer();
        int taps = golden.find(name, null).shape().dim(1);
        for (int i = 0; i < to; i++) {
          assertThat(resampling.first(i)).as(title).isEqualTo(first.get(i));
          for (int t = 0; t < Math.max(taps, resampling.taps()); t++) {
            int actual = t < resampling.taps() ? resampling.weight(i, t) : 0;
            assertThat(actual).as("%s, output %d, tap %d", title, i, t)
                .isEqualTo(t < taps ? weights.get(i * taps + t) : 0);
          }
        }
        cases++;
      }
    }
    assertThat(cases).isEqualTo(5);
  }

  /** A program of no operation, whose input shows the images it was given. */
  static Program program(Preprocessor preprocessor, int batch) {
    Preprocessing recipe = preprocessor.recipe();
    return preprocessor.compile(
        Recording.of(Shape.of(batch, recipe.height(), recipe.width(), 3), Set.of("x"), r -> r.output("x", r.input())));
  }

  static float[] apply(Backend backend, Preprocessing recipe, Image image) {
    float[] values = new float[recipe.elements()];
    try (Preprocessor preprocessor = backend.preprocessor(recipe); Program program = program(preprocessor, 1)) {
      program.put(0, image);
      program.input().get(0, values);
    }
    return values;
  }

  /** The samples behind values that were not normalised. */
  static byte[] samples(float[] values) {
    byte[] samples = new byte[values.length];
    for (int i = 0; i < samples.length; i++) {
      samples[i] = (byte) Math.round(values[i] * 255);
    }
    return samples;
  }

  private static float[] channelsFirst(float[] values) {
    float[] turned = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      turned[i % 3 * (values.length / 3) + i / 3] = values[i];
    }
    return turned;
  }

  /** An image made by the formula of the golden files. */
  private static byte[] source(String name, int height, int width) {
    long seed = hash(name.getBytes(StandardCharsets.UTF_8));
    byte[] samples = new byte[height * width * 3];
    for (int c = 0; c < 3; c++) {
      for (int h = 0; h < height; h++) {
        for (int w = 0; w < width; w++) {
          long z = seed + ((long) (c * height + h) * width + w + 1) * 0x9E3779B97F4A7C15L;
          z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
          z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
          z ^= z >>> 31;
          double u = (z >>> 40) / (double) (1 << 23) - 1;
          float x = (float) (0.5 * Math.sin(0.11 * (c + 1) * h) * Math.cos(0.13 * (c + 1) * w) + 0.5 * u);
          double v = Math.floor(((double) x + 1) * 127.5 + 0.5);
          samples[(h * width + w) * 3 + c] = (byte) Math.max(0, Math.min(255, v));
        }
      }
    }
    return samples;
  }

  private static long hash(byte[] bytes) {
    long hash = 0xCBF29CE484222325L;
    for (byte b : bytes) {
      hash = (hash ^ b & 0xff) * 0x100000001B3L;
    }
    return hash;
  }

  private static String fnv(byte[] bytes) {
    return String.format("%016x", hash(bytes));
  }

  private static Safetensors golden(String name) {
    try {
      URL file = PreprocessingGoldenTest.class.getResource("/golden/preprocess/" + name + ".safetensors");
      return Safetensors.open(Path.of(file.toURI()));
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] bytes(Safetensors golden, String name) {
    ByteBuffer data = golden.find(name, null).data();
    byte[] bytes = new byte[data.remaining()];
    data.get(bytes);
    return bytes;
  }

  private static FloatBuffer floats(Safetensors golden, String name) {
    return golden.find(name, null).data().asFloatBuffer();
  }
}
