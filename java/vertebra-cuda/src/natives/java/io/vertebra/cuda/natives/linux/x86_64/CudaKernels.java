package io.vertebra.cuda.natives.linux.x86_64;

import io.vertebra.natives.NativeModule;

/** Stands for the module. */
public final class CudaKernels implements NativeModule {}
