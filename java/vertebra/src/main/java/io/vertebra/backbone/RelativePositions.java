package io.vertebra.backbone;

import io.vertebra.backbone.TableResize.Table;
import java.util.Arrays;

/** Attention biases that depend on the offset between two tokens of a map or window. */
public final class RelativePositions {
  private RelativePositions() {}

  /**
   * Row of the bias table for every pair of tokens of a window, {@code [tokens, tokens]} with the query first: the table is
   * {@code [2 rows - 1, 2 columns - 1]} over (query row - key row, query column - key column).
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
   */
  public static float[] expand(Table table, Size window) {
    int[] index = index(window);
    int heads = table.channels();
    float[] bias = new float[heads * index.length];
    for (int i = 0; i < bias.length; i++) {
      bias[i] = table.values()[index[i % index.length] * heads + i / index.length];
    }
    return bias;
  }
}
