/** The GPU backend. It exports nothing: {@link io.vertebra.Device#cuda} finds it. */
@SuppressWarnings("requires-automatic") // JCuda's jars are no modules.
module io.vertebra.cuda {
  requires io.vertebra;
  requires jcublas;
  requires jcuda;
  requires org.bytedeco.javacpp;

  exports io.vertebra.cuda.natives to org.bytedeco.javacpp;

  provides io.vertebra.backend.BackendProvider with io.vertebra.cuda.CudaDevices;
}
