package io.vertebra.weights;

import io.vertebra.tensor.Shape;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** A checkpoint in several safetensors files, with an index that says which tensor is in which. */
final class ShardedSafetensors implements ParameterSource {
  private static final long MAX_INDEX_BYTES = 100_000_000;

  private static final Pattern FILE = Pattern.compile("\\w[\\w.-]*");

  private final String description;
  private final Map<String, Safetensors> shards = new LinkedHashMap<>();

  private ShardedSafetensors(String description) {
    this.description = description;
  }

  /**
   * @param index a JSON object whose {@code weight_map} gives every tensor's file, beside the index
   * @throws WeightsException if it or a file it names cannot be read, or lacks a tensor
   */
  static ShardedSafetensors open(Path index) {
    ShardedSafetensors sharded = new ShardedSafetensors(index.toString());
    Map<String, Safetensors> opened = new HashMap<>();
    if (!(Json.parseObject(text(index)).get("weight_map") instanceof Map<?, ?> map)) {
      throw new WeightsException(index + ": has no weight_map");
    }
    map.forEach((name, value) -> {
      if (!(value instanceof String file) || !FILE.matcher(file).matches()) {
        throw new WeightsException(
            index + ": tensor '" + name + "' is in " + value + ", which is no file beside the index");
      }
      Safetensors shard = opened.computeIfAbsent(file, key -> Safetensors.open(index.resolveSibling(key)));
      if (!shard.names().contains(name)) {
        throw new WeightsException(index + ": tensor '" + name + "' is not in " + shard.describe());
      }
      sharded.shards.put((String) name, shard);
    });
    return sharded;
  }

  private static String text(Path index) {
    try {
      if (Files.size(index) > MAX_INDEX_BYTES) {
        throw new WeightsException(index + ": is too large for an index");
      }
      return Files.readString(index);
    } catch (CharacterCodingException e) {
      throw new WeightsException(index + ": is not UTF-8", e);
    } catch (IOException e) {
      throw new WeightsException(index + ": cannot be read: " + e, e);
    }
  }

  @Override
  public String describe() {
    return description;
  }

  @Override
  public Parameter find(String name, Shape expected) {
    Safetensors shard = shards.get(name);
    return shard == null ? null : shard.find(name, expected);
  }

  @Override
  public Listing list(String name) {
    Safetensors shard = shards.get(name);
    return shard == null ? null : shard.list(name);
  }

  @Override
  public void close() {
    shards.values().forEach(Safetensors::close);
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(shards.keySet());
  }

  /** Empty: an index has none. */
  @Override
  public Map<String, String> metadata() {
    return Map.of();
  }
}
