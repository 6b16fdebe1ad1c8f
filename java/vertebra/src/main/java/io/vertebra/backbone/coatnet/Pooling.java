package io.vertebra.backbone.coatnet;

import io.vertebra.program.Recorder;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Tensor;

/** How a map is halved, by timm's names in lower case. */
public enum Pooling {
  /** Mean of 3 x 3, border excluded: an odd map rounds up. */
  AVG(WindowPool.Kind.AVERAGE, 3),
  /** Mean of 2 x 2: an odd map loses its last row or column. */
  AVG2(WindowPool.Kind.AVERAGE, 2),
  /** Maximum of 3 x 3: an odd map rounds up. */
  MAX(WindowPool.Kind.MAX, 3),
  /** Maximum of 2 x 2: an odd map loses its last row or column. */
  MAX2(WindowPool.Kind.MAX, 2);

  private final WindowPool.Kind kind;
  private final int size;

  Pooling(WindowPool.Kind kind, int size) {
    this.kind = kind;
    this.size = size;
  }

  /** Whether a map that is affine in each channel may as well be applied afterwards. */
  boolean commutesWithAffine() {
    return kind == WindowPool.Kind.AVERAGE;
  }

  /** Rows (or columns) of what becomes of {@code length} of them. */
  int halve(int length) {
    return size == 2 ? length / 2 : (length + 1) / 2;
  }

  Tensor apply(Recorder r, String name, Tensor in) {
    return r.record(name, new WindowPool(kind, Window.square(size, 2, size - 2)), in);
  }
}
