package io.vertebra.program;

import java.util.Arrays;

/**
 * Says which rows of a tensor an operation touches: row {@code i} of the operand is the concatenation of {@code groups} source
 * segments {@code rows[i * groups + g]}, where -1 stands for zeros (when gathering) or for a row that is dropped (when
 * scattering, with one group). Immutable; compared by identity.
 */
public final class RowMap {
  /** More entries than any input needs that fits a program. */
  private static final int MAX_ENTRIES = 1 << 28;

  private final int[] rows;
  private final int groups;

  public RowMap(int[] rows, int groups) {
    if (groups < 1 || rows.length == 0 || rows.length % groups != 0) {
      throw new IllegalArgumentException(rows.length + " entries do not make rows of " + groups + " groups");
    }
    this.rows = rows.clone();
    this.groups = groups;
  }

  /**
   * An array for so many entries.
   *
   * @throws IllegalArgumentException if they are too many: the input is too large
   */
  public static int[] entries(long count) {
    if (count > MAX_ENTRIES) {
      throw new IllegalArgumentException("the input is too large: a row map would have " + count + " entries, over " + MAX_ENTRIES);
    }
    return new int[(int) count];
  }

  /** Number of rows of the operand. */
  public int size() {
    return rows.length / groups;
  }

  public int groups() {
    return groups;
  }

  /** Source row of entry {@code i * groups + g}, or -1. */
  public int row(int entry) {
    return rows[entry];
  }

  public int[] toArray() {
    return rows.clone();
  }

  /** Whether every entry lies in {@code [-1, sourceRows)}. */
  boolean fits(long sourceRows) {
    return Arrays.stream(rows).allMatch(row -> row >= -1 && row < sourceRows);
  }

  /** Whether the entries, -1 apart, are each of {@code 0 .. size - 1} exactly once. */
  boolean covers(int size) {
    boolean[] seen = new boolean[size];
    int count = 0;
    for (int row : rows) {
      if (row >= size || row >= 0 && seen[row]) {
        return false;
      }
      if (row >= 0) {
        seen[row] = true;
        count++;
      }
    }
    return count == size;
  }
}
