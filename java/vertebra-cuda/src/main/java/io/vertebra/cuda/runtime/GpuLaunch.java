package io.vertebra.cuda.runtime;

import org.bytedeco.javacpp.Pointer;

/**
 * One launch of a kernel.
 *
 * @param blocks of the grid
 * @param sharedBytes dynamic shared memory
 * @param arguments the bytes of the kernel's argument struct
 */
public record GpuLaunch(GpuKernel kernel, int blocks, int threadsX, int threadsY, int sharedBytes, byte[] arguments) {
  /** @param arguments the struct, which is copied */
  public GpuLaunch(GpuKernel kernel, int blocks, int threadsX, int threadsY, int sharedBytes, Pointer arguments) {
    this(kernel, blocks, threadsX, threadsY, sharedBytes, new byte[arguments.sizeof()]);
    arguments.asByteBuffer().get(this.arguments);
  }
}
