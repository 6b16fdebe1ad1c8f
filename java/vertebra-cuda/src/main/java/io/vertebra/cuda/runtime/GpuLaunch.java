package io.vertebra.cuda.runtime;

import java.util.List;

/**
 * One launch of a kernel.
 *
 * @param sharedBytes dynamic shared memory
 * @param arguments in the order of the kernel's parameters: a {@code Long} for a pointer or an int64, an
 *   {@code Integer}, a {@code Float}
 */
public record GpuLaunch(GpuKernel kernel, int gridX, int gridY, int gridZ, int blockX, int blockY, int blockZ,
    int sharedBytes, List<Object> arguments) {}
