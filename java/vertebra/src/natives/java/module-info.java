/** The CPU kernels for Linux on x86-64, as a resource. */
@SuppressWarnings("module") // A name that ends with digits, as the platform does.
module io.vertebra.natives.linux.x86_64 {
  requires io.vertebra;

  provides io.vertebra.natives.NativeModule with io.vertebra.natives.linux.x86_64.CpuKernels;
}
