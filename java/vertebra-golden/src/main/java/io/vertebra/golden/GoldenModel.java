package io.vertebra.golden;

import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The model a golden file is of: how to build it from formula weights, how the reference's tensors follow from what it
 * records, and where the reference lays them out otherwise than we do.
 */
interface GoldenModel {
  /** Families in the order they are asked. */
  List<Reader> READERS
      = List.of(SwinGolden::of, HorNetGolden::of, CoAtNetGolden::of, ConformerGolden::of, UniFormerGolden::of);

  /** Recognises a family's files by their metadata. */
  interface Reader {
    Optional<GoldenModel> read(Metadata metadata);
  }

  /** The model of a file; empty if this version has none such. */
  static Optional<GoldenModel> of(Metadata metadata) {
    return READERS.stream().map(reader -> reader.read(metadata)).flatMap(Optional::stream).findFirst();
  }

  /**
   * Loads the weights and gives the forward pass.
   *
   * @param formula gives parameters by the reference's names
   */
  Consumer<Recorder> load(ParameterSource formula, Backend backend);

  /**
   * A tensor of the reference that is no output of the model.
   *
   * @throws IllegalArgumentException if the model has none such
   */
  default Tensor tensor(Unfused model, String name) {
    return model.named(name);
  }

  /**
   * Whether the reference lays out a tensor channels first, where ours is
   * {@code [batch, (time,) height, width, channels]}.
   */
  boolean channelsFirst(String tensor);

  /** A golden file's metadata. */
  record Metadata(String file, Map<String, String> entries) {
    String get(String key) {
      return entries.get(key);
    }

    /** @throws WeightsException if there is no such entry */
    String required(String key) {
      String value = entries.get(key);
      if (value == null) {
        throw new WeightsException(file + " is no golden file: its metadata lacks " + key);
      }
      return value;
    }
  }
}
