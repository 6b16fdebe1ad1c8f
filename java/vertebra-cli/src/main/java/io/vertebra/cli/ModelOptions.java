package io.vertebra.cli;

import io.vertebra.Model;
import io.vertebra.demo.Digits;
import io.vertebra.weights.Checkpoint;
import io.vertebra.weights.FormulaWeights;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Which model a command runs, and how. */
final class ModelOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(names = "--model", paramLabel = "NAME",
      description = "A published model, as the command models lists them, or an embedded one that reads digits:"
          + " digits-swin, digits-coatnet, digits-uniformer, digits-hornet, digits-conformer. Left out, the weights"
          + " tell; without weights, too, it is digits-swin.")
  private String name;

  @Option(names = "--weights", paramLabel = "FILE",
      description = "A checkpoint as published: safetensors, the index of a safetensors file in parts, or what"
          + " torch.save writes.")
  private Path weights;

  @Option(names = "--weights-entry", paramLabel = "NAME",
      description = "Which of the state dictionaries in a PyTorch checkpoint, such as model_ema; left out, the usual"
          + " one.")
  private String entry;

  @Option(names = "--formula-weights",
      description = "Weights computed from the parameters' names instead of a checkpoint: for trying out speed; the"
          + " answers mean nothing.")
  private boolean formulaWeights;

  @Mixin
  private BackendOptions backend;

  /** Whether a model that comes with its weights was chosen, by its name or by choosing nothing. */
  boolean isDigits() {
    return name == null ? weights == null && !formulaWeights : Digits.names().contains(name);
  }

  BackendOptions backend() {
    return backend;
  }

  /** Loads the model. */
  Model open() {
    return backend.open(builder());
  }

  private Model.Builder builder() {
    if (entry != null && weights == null) {
      throw new ParameterException(command.commandLine(), "--weights-entry needs --weights FILE");
    }
    if (weights != null && formulaWeights) {
      throw new ParameterException(command.commandLine(), "--weights and --formula-weights exclude each other");
    }
    if (isDigits()) {
      if (weights != null || formulaWeights) {
        throw new ParameterException(command.commandLine(), name + " comes with its weights; it takes no others");
      }
      return name == null ? Digits.swin() : Digits.named(name);
    }
    Model.Builder builder = name == null ? Model.builder() : published();
    if (weights != null) {
      return builder.weights(() -> Checkpoint.open(weights, entry));
    }
    if (!formulaWeights) {
      throw new ParameterException(command.commandLine(),
          "--model " + name + " needs its weights: --weights FILE names a checkpoint (or try --formula-weights)");
    }
    if (name == null) {
      throw new ParameterException(command.commandLine(), "--formula-weights needs --model NAME");
    }
    command.commandLine().getErr().println("warning: weights by formula; the answers mean nothing");
    return builder.weights(new FormulaWeights());
  }

  private Model.Builder published() {
    try {
      return Model.builder(name);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(e.getMessage() + "; embedded are " + String.join(", ", Digits.names()), e);
    }
  }
}
