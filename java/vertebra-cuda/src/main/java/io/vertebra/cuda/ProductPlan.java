package io.vertebra.cuda;

import io.vertebra.cuda.runtime.GpuType;
import io.vertebra.program.Activation;
import io.vertebra.program.Epilogue;
import io.vertebra.program.Op;
import io.vertebra.program.Shape;

/**
 * How the matrix product {@code [m, k] x [n, k]^T} of a layer runs: by {@code vtb_gemm}, which gathers its rows and applies the epilogue itself, or by
 * cuBLAS, for which the rows are gathered before and the epilogue is a pass of its own. Rows with a norm are made before in either case.
 *
 * <p>The rule weighs what cuBLAS is faster by against a pass over the product. For the halves, on a card that does 600 TFLOP/s and moves 3 TB/s, with
 * {@code vtb_gemm} at half of cuBLAS's speed, a product gains {@code 2 m n k / 600e12} s and pays {@code 4 m n / 3e12} s, so that k decides; and the
 * launch, 2 us, is paid where {@code m n k} is 6e8 or more. In fp32 arithmetic takes ten times as long, and with TF32 only cuBLAS has tensor cores.
 *
 * @param gathers whether the rows of the left operand are made before, in scratch memory
 * @param library whether cuBLAS multiplies
 * @param finishes whether the epilogue is a pass of its own
 * @param apart whether the product that this pass reads lies in scratch memory; else in the output
 * @param elementBytes of the operands and the product
 */
record ProductPlan(int m, int n, int k, boolean gathers, boolean library, boolean finishes, boolean apart, int elementBytes) {
  private static final int LIBRARY_DEPTH = 448;
  private static final double LIBRARY_MACS = 6e8;
  private static final int FP32_LIBRARY_DEPTH = 96;
  private static final double FP32_LIBRARY_MACS = 6e7;

  /** Device addresses of scratch memory and what begins on it are multiples of this. */
  private static final long ALIGNMENT = 256;

  static ProductPlan of(Op.Linear op, Shape in, GpuType type, CudaOptions.Products products) {
    Epilogue epilogue = op.epilogue();
    boolean mapped = op.rows().map() != null;
    int m = mapped ? op.rows().map().size() : in.rows();
    int n = op.weights().shape().dim(0);
    int k = op.weights().shape().dim(1);
    boolean normed = op.rows().norm() != null;
    boolean library = switch (products) {
      case FUSED -> false;
      case LIBRARY -> true;
      case RULE -> (normed || !mapped) && pays(m, n, k, type);
    };
    boolean finishes = library && (epilogue.bias() != null || epilogue.activation() != Activation.IDENTITY || epilogue.gate() != null
        || epilogue.residual() != null || epilogue.map() != null);
    // A residual that is shaped like the output may lie where the output is to lie.
    boolean apart = finishes && (epilogue.map() != null || epilogue.residual() != null && epilogue.residualRows() == null);
    return new ProductPlan(m, n, k, normed || library && mapped, library, finishes, apart, type.bytes());
  }

  private static boolean pays(int m, int n, int k, GpuType type) {
    double macs = (double) m * n * k;
    return type == GpuType.F32 ? k >= FP32_LIBRARY_DEPTH && macs >= FP32_LIBRARY_MACS : k >= LIBRARY_DEPTH && macs >= LIBRARY_MACS;
  }

  /** Of the gathered rows. */
  long rowBytes() {
    return (long) m * k * elementBytes;
  }

  long productBytes() {
    return (long) m * n * elementBytes;
  }

  /** Where the product begins in scratch memory. */
  long productOffset() {
    return gathers ? (rowBytes() + ALIGNMENT - 1) & -ALIGNMENT : 0;
  }

  long scratchBytes() {
    return apart ? productOffset() + productBytes() : gathers ? rowBytes() : 0;
  }

  /** Written to be read again. */
  long extraBytes() {
    return 2 * ((gathers ? rowBytes() : 0) + (finishes ? productBytes() : 0));
  }

  /**
   * The side of a block's tile: 128, or 64 where fewer blocks than multiprocessors would get one, or much of the tiles would lie beyond the product.
   */
  int tile(int multiprocessors) {
    long large = tiles(128);
    return large >= multiprocessors && 4 * large <= 1.25 * tiles(64) ? 128 : 64;
  }

  long tiles(int side) {
    return ((m + side - 1L) / side) * ((n + side - 1L) / side);
  }
}
