package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Families;
import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Backbone;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.ZeroWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * How many launches a forward pass takes and how many bytes they move, counted from programs that are compiled and not
 * run. Writes {@code target/launches.md}, the table of bench/RESULTS.md.
 */
class LaunchCountTest {
  private static final List<String> MODELS = List.of("swin_tiny_patch4_window7_224", "swin_base_patch4_window7_224",
      "coatnet_0_224", "coatnet_2_224", "uniformer_small", "uniformer_base", "hornet_tiny_7x7", "hornet_base_gf",
      "Conformer_tiny_patch16", "Conformer_base_patch16");

  @Test
  void launchesPerForwardPass() throws IOException {
    List<String> table
        = new ArrayList<>(List.of("| model | batch | launches | of them cuBLAS | MB moved | least MB | ratio |",
            "|---|---:|---:|---:|---:|---:|---:|"));
    for (String model : MODELS) {
      Architecture architecture = Families.named(model).architecture();
      try (CudaBackend backend = new CudaBackend(new DryRuntime(), Precision.FP16)) {
        Backbone backbone = architecture.load(new ZeroWeights(), backend);
        for (int batch : new int[] {1, 32}) {
          Shape input = Shape.of(batch, architecture.image().rows(), architecture.image().columns(), 3);
          Recording recording = Recording.of(input, Set.of(Backbone.LOGITS), backbone::forward);
          try (CudaProgram program = (CudaProgram) backend.compile(recording)) {
            CudaProgram.Traffic traffic = program.traffic();
            table.add(String.format(Locale.ROOT, "| %s | %d | %d | %d | %.1f | %.1f | %.2f |", model, batch,
                traffic.launches(), traffic.products(), traffic.bytes() / 1e6, traffic.leastBytes() / 1e6,
                (double) traffic.bytes() / traffic.leastBytes()));
            if (model.startsWith("swin_tiny")) {
              assertThat(traffic.launches()).isLessThan(150);
            }
          }
        }
      }
    }
    Files.write(Path.of("target", "launches.md"), table);
  }
}
