package io.vertebra.backbone;

import java.lang.ref.WeakReference;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Values that follow from a key, such as weights from a size of the input: made when first asked for and shared as long
 * as anybody uses them, but not kept beyond that. Thread-safe; a value in use is never made twice.
 */
public final class WeakCache<K, V> {
  private final Map<K, WeakReference<V>> values = new HashMap<>();

  /** @param maker gives the value, never null; it must not use this cache */
  public synchronized V get(K key, Supplier<V> maker) {
    WeakReference<V> known = values.get(key);
    V value = known == null ? null : known.get();
    if (value == null) {
      values.values().removeIf(reference -> reference.refersTo(null));
      value = maker.get();
      values.put(key, new WeakReference<>(value));
    }
    return value;
  }
}
