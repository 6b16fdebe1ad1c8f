package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;

/**
 * Says which rows of a tensor an operation touches: row {@code i} of the operand is the concatenation of {@code groups}
 * source segments {@code rows[i * groups + g]}, where -1 stands for zeros (when gathering) or for a row that is dropped
 * (when scattering, with one group). Immutable; compared by identity.
 */
public final class RowMap {
  /** More entries than any input needs that fits a program. */
  private static final int MAX_ENTRIES = 1 << 28;

  private final int entries;
  private final int groups;
  /** All entries lie in {@code [least, greatest]}. */
  private final int least;
  private final int greatest;
  private final Consumer<IntBuffer> source;
  private volatile int[] rows;

  public RowMap(int[] rows, int groups) {
    this(groups, Require.nonNull(rows, "rows").clone());
  }

  private RowMap(int groups, int[] rows) {
    if (groups < 1 || rows.length == 0 || rows.length % groups != 0) {
      throw new IllegalArgumentException(rows.length + " entries do not make rows of " + groups + " groups");
    }
    int min = rows[0];
    int max = rows[0];
    for (int row : rows) {
      min = Math.min(min, row);
      max = Math.max(max, row);
    }
    this.entries = rows.length;
    this.groups = groups;
    this.least = min;
    this.greatest = max;
    this.source = null;
    this.rows = rows;
  }

  /**
   * A map that may be large and is made when it is needed.
   *
   * @param sourceRows what the entries are below
   * @param source puts the entries, of which there are {@code count}, a multiple of {@code groups}
   */
  RowMap(long count, int groups, int sourceRows, Consumer<IntBuffer> source) {
    this.entries = checked(count);
    this.groups = groups;
    this.least = -1;
    this.greatest = sourceRows - 1;
    this.source = source;
  }

  /**
   * A map of so many entries.
   *
   * @param row source row of entry {@code i * groups + g}, or -1
   * @throws IllegalArgumentException if the entries are too many: the input is too large
   */
  public static RowMap of(long count, int groups, IntUnaryOperator row) {
    int[] rows = entries(count);
    Arrays.setAll(rows, row);
    return new RowMap(groups, rows);
  }

  /**
   * An array for so many entries.
   *
   * @throws IllegalArgumentException if they are too many: the input is too large
   */
  public static int[] entries(long count) {
    return new int[checked(count)];
  }

  private static int checked(long count) {
    if (count < 1) {
      throw new IllegalArgumentException("a row map needs an entry, not " + count);
    }
    if (count > MAX_ENTRIES) {
      throw new IllegalArgumentException("the input is too large: a row map would have " + count + " entries, over "
          + MAX_ENTRIES + "; run a smaller batch or smaller images");
    }
    return (int) count;
  }

  /** {@code size() * groups()}. */
  public int entries() {
    return entries;
  }

  /** Number of rows of the operand. */
  public int size() {
    return entries / groups;
  }

  public int groups() {
    return groups;
  }

  /** Source row of entry {@code i * groups + g}, or -1. */
  public int row(int entry) {
    if (rows == null) {
      rows = toArray();
    }
    return rows[entry];
  }

  /** All entries. */
  public int[] toArray() {
    int[] array = new int[entries];
    copyTo(IntBuffer.wrap(array));
    return array;
  }

  /** Puts all entries. */
  public void copyTo(IntBuffer buffer) {
    if (rows == null) {
      source.accept(buffer);
    } else {
      buffer.put(rows);
    }
  }

  /** Whether every entry lies in {@code [-1, sourceRows)}. */
  boolean fits(long sourceRows) {
    return least >= -1 && greatest < sourceRows;
  }

  /** Whether the entries, -1 apart, are each of {@code 0 .. size - 1} exactly once. */
  boolean covers(int size) {
    if (size > entries) {
      return false;
    }
    boolean[] seen = new boolean[size];
    int count = 0;
    for (int entry = 0; entry < entries; entry++) {
      int row = row(entry);
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
