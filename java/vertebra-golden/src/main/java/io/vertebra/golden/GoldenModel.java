package io.vertebra.golden;

import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.weights.ParameterSource;
import io.vertebra.weights.WeightsException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The model a golden file is of: how to build it from formula weights, and where the reference lays out tensors
 * otherwise than we do.
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
   * Loads the weights and gives the forward pass, whose outputs have the file's names.
   *
   * @param formula gives parameters by the reference's names
   */
  Consumer<Recorder> load(ParameterSource formula, Backend backend);

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
