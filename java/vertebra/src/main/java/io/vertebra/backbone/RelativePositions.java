package io.vertebra.backbone;

import io.vertebra.backbone.TableResize.Table;
import io.vertebra.backend.Backend;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Size;
import java.util.Arrays;
import java.util.function.Supplier;

/** Attention biases that depend on the offset between two tokens of a map or window. */
public final class RelativePositions {
  /**
   * The CPU is faster with the bias of every pair of tokens up to here, and beyond with the table, which stays in its
   * caches.
   */
  private static final int MAX_EXPANDED_TOKENS = 144;

  private RelativePositions() {}

  /**
   * The bias of an {@link io.vertebra.program.op.WindowAttention}, in one form or the other.
   *
   * @param table gives {@code [2 rows - 1, 2 columns - 1, heads]} over (query row - key row, query column - key column)
   */
  public static Weights pack(Backend backend, int heads, Size window, Supplier<Table> table) {
    int tokens = window.area();
    return tokens <= MAX_EXPANDED_TOKENS
        ? backend.packValues(Shape.of(heads, tokens, tokens), () -> expand(table.get(), window))
        : backend.packValues(Shape.of(heads, 2 * window.rows() - 1, 2 * window.columns() - 1),
            () -> reversed(table.get()));
  }

  /**
   * {@code [heads, offsets]} of {@code [offsets, heads]}, over key less query instead of query less key: both axes
   * reversed.
   */
  private static float[] reversed(Table table) {
    int heads = table.channels();
    int offsets = table.height() * table.width();
    float[] values = new float[heads * offsets];
    for (int i = 0; i < values.length; i++) {
      values[i] = table.values()[(offsets - 1 - i % offsets) * heads + i / offsets];
    }
    return values;
  }

  /**
   * Row of the bias table for every pair of tokens of a window, {@code [tokens, tokens]} with the query first: the
   * table is {@code [2 rows - 1, 2 columns - 1]} over (query row - key row, query column - key column).
   */
  public static int[] index(Size window) {
    int tokens = window.area();
    int[] index = new int[tokens * tokens];
    Arrays.setAll(index, pair -> {
      int query = pair / tokens;
      int key = pair % tokens;
      int rows = query / window.columns() - key / window.columns() + window.rows() - 1;
      int columns = query % window.columns() - key % window.columns() + window.columns() - 1;
      return rows * (2 * window.columns() - 1) + columns;
    });
    return index;
  }

  /**
   * The bias of every head and pair of tokens, {@code [heads, tokens, tokens]}.
   *
   * @param table {@code [2 rows - 1, 2 columns - 1, heads]}
   * @throws IllegalArgumentException if they are too many
   */
  public static float[] expand(Table table, Size window) {
    WindowPartition.checkPairs(table.channels(), window.area());
    int[] index = index(window);
    int heads = table.channels();
    float[] bias = new float[heads * index.length];
    for (int i = 0; i < bias.length; i++) {
      bias[i] = table.values()[index[i % index.length] * heads + i / index.length];
    }
    return bias;
  }
}
