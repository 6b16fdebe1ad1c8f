package io.vertebra.cuda.runtime;

import io.vertebra.tensor.Closing;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.driver.CUstream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.runtime.cudaStream_t;

/**
 * A handle of cuBLAS with a workspace. A stream has one to itself from its first product until it is closed, so that
 * captured products find the workspace whenever their graph runs; {@link DriverRuntime} keeps those that no stream has.
 */
final class Cublas implements AutoCloseable {
  /** What cuBLAS itself takes from sm_90 on; before, it takes 4 MiB. */
  static final long WORKSPACE_BYTES = 32 << 20;

  private final DriverRuntime runtime;
  private final cublasHandle handle = new cublasHandle();
  private final long workspace;
  private final FloatBuffer scalars
      = ByteBuffer.allocateDirect(2 * Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer();
  private final Pointer alpha = Pointer.to(scalars);
  private final Pointer beta = alpha.withByteOffset(Float.BYTES);

  /** Not while a stream captures. */
  Cublas(DriverRuntime runtime) {
    CublasLibrary.load();
    JCublas2.setExceptionsEnabled(true);
    this.runtime = runtime;
    scalars.put(0, 1);
    workspace = runtime.allocate(WORKSPACE_BYTES);
    try {
      CudaStatus.cublas(() -> "starting cuBLAS", () -> JCublas2.cublasCreate(handle));
    } catch (RuntimeException e) {
      runtime.free(workspace);
      throw e;
    }
    // Parts of a sum that are added up in fp16 would be less exact than one sum in fp32.
    CudaStatus.cublas(() -> "setting cuBLAS up",
        () -> JCublas2.cublasSetMathMode(handle, cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
  }

  /** Serves a stream from now on. */
  void serve(CUstream stream) {
    CudaStatus.cublas(() -> "giving cuBLAS its stream",
        () -> JCublas2.cublasSetStream(handle, new cudaStream_t(stream)));
    // With another stream it goes back to a workspace of its own.
    CudaStatus.cublas(() -> "giving cuBLAS its workspace",
        () -> JCublas2.cublasSetWorkspace(handle, new DeviceAddress(workspace), WORKSPACE_BYTES));
  }

  // Column-major, out^T = weights rows^T. cublasGemmEx of JCublas takes the compute type for a cudaDataType of old;
  // cublasGemmEx_new is cublasGemmEx as it is in C.
  void multiply(GpuProduct product) {
    int type = switch (product.type()) {
      case F32 -> cudaDataType.CUDA_R_32F;
      case F16 -> cudaDataType.CUDA_R_16F;
      case BF16 -> cudaDataType.CUDA_R_16BF;
    };
    int compute = product.tf32() && product.type() == GpuType.F32 ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32
        : cublasComputeType.CUBLAS_COMPUTE_32F;
    CudaStatus.cublas(() -> "multiplying by cuBLAS: " + product,
        () -> JCublas2.cublasGemmEx_new(handle, cublasOperation.CUBLAS_OP_T, cublasOperation.CUBLAS_OP_N, product.n(),
            product.m(), product.k(), alpha, new DeviceAddress(product.weights()), type, product.k(),
            new DeviceAddress(product.rows()), type, product.k(), beta, new DeviceAddress(product.out()), type,
            product.n(), compute, cublasGemmAlgo.CUBLAS_GEMM_DEFAULT));
  }

  /** Not while a stream captures. */
  @Override
  public void close() {
    Closing.all(List.of(() -> CudaStatus.cublas(() -> "closing cuBLAS", () -> JCublas2.cublasDestroy(handle)),
        () -> runtime.free(workspace)));
  }
}
