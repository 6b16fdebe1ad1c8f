package io.vertebra.cli;

import io.vertebra.Families;
import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.ModelStatistics;
import io.vertebra.backbone.Variant;
import io.vertebra.demo.Digits;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Lists the published models. */
@Command(name = "models",
    description = "Lists the published models: parameters, multiply-accumulates of one image, input, accuracy.")
final class ModelsCommand implements Callable<Integer> {
  @Mixin
  private Output output;

  @Override
  public Integer call() {
    Table table
        = new Table().left("name").right("params").right("GMACs").right("input").right("classes").right("top-1 %");
    List<Variant> variants = Families.variants();
    List<ModelStatistics> costs
        = variants.parallelStream().map(variant -> ModelStatistics.of(variant.architecture())).toList();
    for (int i = 0; i < variants.size(); i++) {
      Variant variant = variants.get(i);
      Architecture architecture = variant.architecture();
      ModelStatistics statistics = costs.get(i);
      if (output.isJson()) {
        output.object("name", variant.name(), "family", architecture.family(), "parameters",
            statistics.parameterCount(), "macs", statistics.macs(), "input_frames", architecture.frames(),
            "input_height", architecture.image().rows(), "input_width", architecture.image().columns(), "classes",
            architecture.classes(), "top1", variant.top1().orElse(null));
      } else {
        table.row(variant.name(), String.format(Locale.ROOT, "%,d", statistics.parameterCount()),
            String.format(Locale.ROOT, "%.2f", statistics.macs() / 1e9),
            (architecture.frames() > 0 ? architecture.frames() + "x" : "") + architecture.image().rows() + "x"
                + architecture.image().columns(),
            String.valueOf(architecture.classes()),
            variant.top1().map(top1 -> String.format(Locale.ROOT, "%.1f", top1)).orElse("-"));
      }
    }
    if (!output.isJson()) {
      table.print(output.out());
      output.out().println();
      output.out().println("Embedded, with weights, for handwritten digits: " + String.join(", ", Digits.names()));
    }
    return Main.DONE;
  }
}
