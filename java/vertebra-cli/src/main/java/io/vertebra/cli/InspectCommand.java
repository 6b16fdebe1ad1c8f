package io.vertebra.cli;

import io.vertebra.Families;
import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.Variant;
import io.vertebra.weights.Checkpoint;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.ParameterSource.Listing;
import io.vertebra.weights.WeightsException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Shows what a checkpoint holds. */
@Command(name = "inspect",
    description = "Shows a checkpoint's metadata, the model it is recognised as, and its parameters.")
final class InspectCommand implements Callable<Integer> {
  @Mixin
  private Output output;

  @Parameters(paramLabel = "WEIGHTS", description = "A safetensors or PyTorch checkpoint.")
  private Path path;

  @Override
  public Integer call() {
    ParameterSource file = Checkpoint.open(path);
    Recognition recognition = Recognition.of(file);
    Map<String, Listing> tensors = new LinkedHashMap<>();
    file.names().forEach(name -> tensors.put(name, file.list(name)));
    long elements = tensors.values().stream().mapToLong(Listing::elements).sum();
    long bytes = tensors.values().stream().mapToLong(tensor -> tensor.elements() * tensor.dtype().bytes()).sum();
    if (output.isJson()) {
      output.object("file", path, "metadata", file.metadata(), "family", recognition.family(), "variant",
          recognition.variant(), "classes", recognition.classes(), "problem", recognition.problem(), "tensors",
          tensors.size(), "elements", elements, "bytes", bytes, "parameters",
          tensors.entrySet().stream().map(entry -> Output.fields("name", entry.getKey(), "shape",
              entry.getValue().shape(), "dtype", entry.getValue().dtype())).toList());
      return Main.DONE;
    }
    PrintWriter out = output.out();
    out.println("file       " + path);
    out.println("model      " + recognition);
    file.metadata().forEach((key, value) -> out.println("metadata   " + key + " = " + value));
    out.println(
        String.format(Locale.ROOT, "tensors    %d with %,d elements, %,d bytes", tensors.size(), elements, bytes));
    Table table = new Table().left("name").left("shape").left("dtype");
    tensors.forEach((name, tensor) -> table.row(name, tensor.shape().toString(), tensor.dtype().toString()));
    table.print(out);
    return Main.DONE;
  }

  /**
   * The model a checkpoint belongs to.
   *
   * @param variant null if the configuration is no published one
   * @param problem why the family is not recognised; the rest is then null
   */
  private record Recognition(String family, String variant, Integer classes, String problem) {
    static Recognition of(ParameterSource file) {
      try {
        Architecture architecture = Families.recognise(file);
        String variant = Families.variantOf(architecture).map(Variant::name).orElse(null);
        return new Recognition(architecture.family(), variant, architecture.classes(), null);
      } catch (WeightsException e) {
        return new Recognition(null, null, null, e.getMessage());
      }
    }

    @Override
    public String toString() {
      return problem != null ? "not recognised: " + problem
          : family + ", " + (variant == null ? "no published configuration" : variant) + ", "
              + (classes == 0 ? "no classifier" : classes + " classes");
    }
  }
}
