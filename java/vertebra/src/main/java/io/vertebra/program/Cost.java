package io.vertebra.program;

import io.vertebra.program.op.Call;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Shape;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What a call takes at the least: arithmetic, and memory to move. Compared with what a machine can do, it bounds the
 * call's time from below.
 *
 * @param flops operations of matrix products, convolutions and Fourier transforms, a multiplication or addition
 *   counting one; 0 for calls that only pass over their data, since moving it takes longer
 * @param activationBytes of the elements that are read, each counted once however often it is used, and those written
 * @param weights what is read of them, and their bytes; calls may share some
 */
public record Cost(long flops, long activationBytes, Map<Weights, Long> weights) {

  /** @param elementBytes of activations and of the matrices of products; all other weights are fp32 */
  public static Cost of(Call call, int elementBytes) {
    Op op = call.op();
    Shape in = call.in().shape();
    Shape out = call.out().shape();
    long elements = operandElements(op, in, out) + out.elements();
    // Beside the operand a call reads a tensor no larger than its output, or as many elements of a larger one.
    elements += call.reads().stream().distinct().filter(tensor -> tensor != call.in())
        .mapToLong(tensor -> Math.min(tensor.shape().elements(), out.elements())).sum();
    Map<Weights, Long> weights = new HashMap<>();
    matrix(op).forEach(read -> weights.put(read, elementBytes * read.shape().elements()));
    values(op).filter(Objects::nonNull).forEach(read -> weights.put(read, Float.BYTES * read.shape().elements()));
    return new Cost(flops(op, call.macs(), out), elementBytes * elements, Map.copyOf(weights));
  }

  public long weightBytes() {
    return weights.values().stream().mapToLong(Long::longValue).sum();
  }

  public long bytes() {
    return activationBytes + weightBytes();
  }

  private static long flops(Op op, long macs, Shape out) {
    if (!(op instanceof Op.GlobalFilter filter)) {
      return 2 * macs;
    }
    // A fast Fourier transform of n real points takes 5/2 n log2(n); there are two, and a complex product for every
    // frequency between them.
    double points = (double) out.dim(1) * out.dim(2);
    double frequencies = filter.filter().shape().elements() / 2.0 / out.channels();
    double channel = 5 * points * Math.log(points) / Math.log(2) + 6 * frequencies;
    return Math.round(channel * out.channels() * out.dim(0));
  }

  /** Elements of the operand that are read. */
  private static long operandElements(Op op, Shape in, Shape out) {
    long read = in.elements();
    if (op instanceof Op.Linear linear && linear.rows().map() != null) {
      read = (long) linear.rows().map().size() * linear.weights().shape().dim(1);
    } else if (op instanceof Op.LayerNorm || op instanceof Op.Sum) {
      read = out.elements();
    } else if (op instanceof Op.DepthwiseConv conv) {
      read = (long) in.rows() * out.channels() / conv.multiplier();
    } else if (op instanceof Op.GlobalFilter) {
      read = (long) in.rows() * out.channels();
    }
    return Math.min(read, in.elements());
  }

  private static Stream<Weights> matrix(Op op) {
    if (op instanceof Op.Linear linear) {
      return Stream.of(linear.weights());
    } else if (op instanceof Op.Convolution conv) {
      return Stream.of(conv.weights());
    }
    return Stream.empty();
  }

  private static Stream<Weights> values(Op op) {
    if (op instanceof Op.Linear linear) {
      return Stream.concat(norm(linear.rows()), Stream.ofNullable(linear.epilogue().bias()));
    } else if (op instanceof Op.LayerNorm norm) {
      return norm(norm.rows());
    } else if (op instanceof Op.WindowAttention attention) {
      return Stream.ofNullable(attention.bias());
    } else if (op instanceof Op.DepthwiseConv conv) {
      return Stream.of(conv.weights(), conv.bias());
    } else if (op instanceof Op.Convolution conv) {
      return Stream.ofNullable(conv.bias());
    } else if (op instanceof Op.GlobalFilter filter) {
      return Stream.of(filter.filter());
    } else if (op instanceof Op.Affine affine) {
      return Stream.of(affine.scale(), affine.shift());
    } else if (op instanceof Op.Sum sum) {
      return sum.terms().stream().map(Op.Sum.Term::weights);
    }
    return Stream.empty();
  }

  private static Stream<Weights> norm(RowSource rows) {
    return rows.norm() == null ? Stream.empty() : Stream.of(rows.norm().gamma(), rows.norm().beta());
  }
}
