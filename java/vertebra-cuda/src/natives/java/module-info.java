/** The CUDA kernels and what launches them from Linux on x86-64, as resources. */
@SuppressWarnings("module") // A name that ends with digits, as the platform does.
module io.vertebra.cuda.natives.linux.x86_64 {
  requires io.vertebra;

  provides io.vertebra.natives.NativeModule with io.vertebra.cuda.natives.linux.x86_64.CudaKernels;
}
