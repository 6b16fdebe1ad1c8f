package io.vertebra.weights;

import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** Checkpoint files, whatever their format. */
public final class Checkpoint {
  private static final int ZIP = 0x04034b50;
  private static final int PICKLE = 0x80;
  private static final int MAX_PROTOCOL = 5;
  /** How PyTorch before 1.6 begins its files: a pickled number of ten bytes. */
  private static final long LEGACY = 0xFC6C0A8A_0280L;
  private static final String INDEX = ".index.json";
  private static final String MODULE = "module.";

  private Checkpoint() {}

  /**
   * Opens a checkpoint as it is published: a safetensors file, the index of one in several parts ({@code
   * model.safetensors.index.json}), or what {@code torch.save} of PyTorch 1.6 or later writes. The prefix {@code
   * module.}, which parallel training puts before every name, is taken off.
   *
   * @throws WeightsException if the file cannot be read, or is none of these
   */
  public static ParameterSource open(Path file) {
    return open(file, null);
  }

  /**
   * As {@link #open(Path)}, for a PyTorch checkpoint of several state dictionaries.
   *
   * @param entry which one: {@code model_ema}, {@code state_dict_ema}; null for the usual one
   * @throws WeightsException also if the file has no such entry
   */
  public static ParameterSource open(Path file, String entry) {
    if (file.toString().endsWith(INDEX)) {
      requireNone(file, entry);
      return withoutModulePrefix(ShardedSafetensors.open(file));
    }
    FileBytes bytes = FileBytes.open(file);
    try {
      return withoutModulePrefix(
          isSafetensors(bytes) ? safetensors(bytes, file, entry) : new TorchCheckpoint(bytes, entry));
    } catch (RuntimeException | Error e) {
      bytes.close();
      throw e;
    }
  }

  private static ParameterSource safetensors(FileBytes bytes, Path file, String entry) {
    requireNone(file, entry);
    return new Safetensors(bytes);
  }

  private static void requireNone(Path file, String entry) {
    if (entry != null) {
      throw new WeightsException(
          file + ": has no entry '" + entry + "': a safetensors file holds one set of parameters");
    }
  }

  /** @throws WeightsException with advice for a format that is not read */
  private static boolean isSafetensors(FileBytes file) {
    if (file.size() < 9 || file.slice(8, 1).get() == '{') {
      return true;
    }
    ByteBuffer first = file.slice(0, Long.BYTES);
    if ((first.getLong(0) & 0xFFFFFFFFFFFFL) == LEGACY) {
      throw new WeightsException(
          file.name() + ": is in the format of PyTorch before 1.6, which is not read; load it in PyTorch with"
              + " torch.load(..., weights_only=True) and save it again with torch.save");
    }
    int protocol = first.get(1);
    if ((first.get(0) & 0xFF) == PICKLE && protocol >= 0 && protocol <= MAX_PROTOCOL) {
      throw new WeightsException(file.name()
          + ": is a plain pickle, which may hold any program and is not read; save the weights with torch.save"
          + " or as safetensors");
    }
    return first.getInt(0) != ZIP;
  }

  private static ParameterSource withoutModulePrefix(ParameterSource source) {
    if (!source.names().stream().allMatch(name -> name.startsWith(MODULE))) {
      return source;
    }
    Set<String> names = new LinkedHashSet<>();
    source.names().forEach(name -> names.add(name.substring(MODULE.length())));
    return new Parallel(source, Collections.unmodifiableSet(names));
  }

  /** What parallel training saved, without {@code module.}. */
  private record Parallel(ParameterSource source, Set<String> names) implements ParameterSource {
    @Override
    public String describe() {
      return source.describe();
    }

    @Override
    public Parameter find(String name, Shape expected) {
      return source.find(MODULE + name, expected);
    }

    @Override
    public Listing list(String name) {
      return source.list(MODULE + name);
    }

    @Override
    public Map<String, String> metadata() {
      return source.metadata();
    }

    @Override
    public void close() {
      source.close();
    }
  }
}
