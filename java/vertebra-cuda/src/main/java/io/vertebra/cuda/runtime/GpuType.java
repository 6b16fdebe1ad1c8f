package io.vertebra.cuda.runtime;

/** Types that activations and the weights of products are stored in. */
public enum GpuType {
  F32("f32", 4), F16("f16", 2), BF16("bf16", 2);

  private final String suffix;
  private final int bytes;

  GpuType(String suffix, int bytes) {
    this.suffix = suffix;
    this.bytes = bytes;
  }

  /** As in kernels' names. */
  public String suffix() {
    return suffix;
  }

  public int bytes() {
    return bytes;
  }
}
