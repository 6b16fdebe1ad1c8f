package io.vertebra.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Checkpoint;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.ParameterSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file that libtorch itself saves, by a module that does nothing else, is read with the values that were saved. */
class TorchSaveTest {
  private static final Shape SHAPE = Shape.of(2, 3, 4, 5);
  private static final String CODE = """
      class Backbone(Module):
        __parameters__ = []
        __buffers__ = []
        def forward(self: __torch__.Backbone, image: Tensor) -> Tensor:
          saved = {"whole": image, "half": torch.to(image, 5), "bfloat16": torch.to(image, 15),
              "double": torch.to(image, 7), "permuted": torch.permute(image, [0, 3, 1, 2]),
              "sliced": torch.slice(image, 3, 1, 4, 2), "second": torch.select(image, 0, 1),
              "scalar": torch.select(torch.reshape(image, [-1]), 0, 7)}
          torch.save(saved, "%s")
          return image
      """;

  @TempDir
  private Path folder;

  @Test
  void valuesAreWhatWasSaved() throws IOException {
    float[] image = FormulaWeights.input("saved", SHAPE);
    Path saved = folder.resolve("saved.pt");
    save(image, saved);
    ParameterSource source = Checkpoint.open(saved);
    assertThat(source.names()).containsExactlyInAnyOrder("whole", "half", "bfloat16", "double", "permuted", "sliced",
        "second", "scalar");
    check(source, image, "whole", DType.F32, 0, SHAPE, i -> i);
    check(source, image, "half", DType.F16, 0x1p-11, SHAPE, i -> i);
    check(source, image, "bfloat16", DType.BF16, 0x1p-8, SHAPE, i -> i);
    check(source, image, "double", DType.F64, 0, SHAPE, i -> i);
    check(source, image, "permuted", DType.F32, 0, Shape.of(2, 5, 3, 4), i -> (i / 60 * 12 + i % 12) * 5 + i / 12 % 5);
    check(source, image, "sliced", DType.F32, 0, Shape.of(2, 3, 4, 2), i -> i / 2 * 5 + 1 + i % 2 * 2);
    check(source, image, "second", DType.F32, 0, Shape.of(3, 4, 5), i -> 60 + i);
    check(source, image, "scalar", DType.F32, 0, Shape.of(1), i -> 7);
  }

  private static void check(ParameterSource source, float[] image, String name, DType dtype, double tolerance,
      Shape shape, IntUnaryOperator from) {
    Parameter parameter = source.find(name, shape);
    assertThat(parameter.dtype()).as(name).isEqualTo(dtype);
    assertThat(parameter.shape()).as(name).isEqualTo(shape);
    float[] values = parameter.toFloats();
    for (int i = 0; i < values.length; i++) {
      float expected = image[from.applyAsInt(i)];
      // Half a unit in the last place of the 16-bit types.
      assertThat((double) Math.abs(values[i] - expected)).as(name + " " + i)
          .isLessThanOrEqualTo(tolerance * Math.abs(expected));
    }
  }

  private void save(float[] image, Path saved) throws IOException {
    Path module = folder.resolve("module.pt");
    Map<String, String> entries = Map.of("version", "3\n", "constants.pkl", "\u0080\2).", "data.pkl",
        "\u0080\2c__torch__\nBackbone\n)\u0081}b.", "code/__torch__.py", CODE.formatted(saved));
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(module))) {
      for (Map.Entry<String, String> entry : entries.entrySet()) {
        zip.putNextEntry(new ZipEntry("module/" + entry.getKey()));
        zip.write(entry.getValue().getBytes(StandardCharsets.ISO_8859_1));
        zip.closeEntry();
      }
    }
    Workload workload = new Workload(null, null, image, SHAPE, Precision.FP32);
    try (Engine libtorch = new LibtorchEngine(workload, module, 1)) {
      assertThat(libtorch.run()).isEqualTo(image);
    }
  }
}
