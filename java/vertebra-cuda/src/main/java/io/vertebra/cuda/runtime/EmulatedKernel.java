package io.vertebra.cuda.runtime;

import io.vertebra.cuda.natives.Native;

/** @param argumentBytes of the struct that it takes */
record EmulatedKernel(String name, long handle, int argumentBytes) implements GpuKernel {
  static EmulatedKernel named(String name) {
    long handle = Native.vtbe_kernel_find(name);
    if (handle == 0) {
      throw new IllegalArgumentException("there is no kernel " + name);
    }
    return new EmulatedKernel(name, handle, Native.vtbe_kernel_args_bytes(handle));
  }

  @Override
  public void allowShared(int bytes) {
    EmulatedRuntime.check(Native.vtbe_kernel_allow_shared(handle, bytes));
  }
}
