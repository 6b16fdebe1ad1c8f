package io.vertebra.program.op;

import io.vertebra.tensor.Require;

/**
 * Which tokens of a shifted window come from the same region of the map: two tokens may attend to each other fully only
 * if their labels are equal. Immutable; compared by identity.
 */
public final class RegionMask {
  /** Kernels compare labels as fp32. */
  private static final int MAX_LABEL = 1 << 24;

  private final int[] labels;
  private final int windows;

  /**
   * @param labels {@code [windows, tokens]}, row-major, 0 to 2^24 - 1; window {@code w} of a batch uses row
   *   {@code w % windows}
   */
  public RegionMask(int[] labels, int windows) {
    if (windows < 1 || Require.nonNull(labels, "labels").length == 0 || labels.length % windows != 0) {
      throw new IllegalArgumentException(labels.length + " labels do not make " + windows + " windows");
    }
    for (int label : labels) {
      if (label < 0 || label >= MAX_LABEL) {
        throw new IllegalArgumentException("label " + label + " is not between 0 and " + (MAX_LABEL - 1));
      }
    }
    this.labels = labels.clone();
    this.windows = windows;
  }

  /** Windows of one image. */
  public int windows() {
    return windows;
  }

  public int tokens() {
    return labels.length / windows;
  }

  public int label(int window, int token) {
    return labels[window * tokens() + token];
  }

  public int[] toArray() {
    return labels.clone();
  }
}
