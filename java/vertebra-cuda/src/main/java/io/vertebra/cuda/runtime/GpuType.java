package io.vertebra.cuda.runtime;

import io.vertebra.cuda.natives.Native;

/** Types that activations and the weights of products are stored in. */
public enum GpuType {
  F32(Native.VTBC_F32, 4), F16(Native.VTBC_F16, 2), BF16(Native.VTBC_BF16, 2);

  private final int code;
  private final int bytes;

  GpuType(int code, int bytes) {
    this.code = code;
    this.bytes = bytes;
  }

  /** A {@code vtbc_dtype}. */
  public int code() {
    return code;
  }

  public int bytes() {
    return bytes;
  }
}
