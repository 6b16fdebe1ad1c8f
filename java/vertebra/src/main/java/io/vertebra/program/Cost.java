package io.vertebra.program;

import io.vertebra.program.op.Call;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Shape;
import java.util.HashMap;
import java.util.Map;

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
    // Beside the operand a call reads a tensor no larger than its output, or as many elements of a larger one.
    long others = call.reads().stream().filter(tensor -> tensor != call.in())
        .mapToLong(tensor -> Math.min(tensor.shape().elements(), out.elements())).sum();
    Map<Weights, Long> weights = new HashMap<>();
    op.matrices().forEach(read -> weights.put(read, elementBytes * read.shape().elements()));
    op.values().forEach(read -> weights.put(read, Float.BYTES * read.shape().elements()));
    return new Cost(op.flops(in, out), elementBytes * (op.elementsRead(in, out) + others + out.elements()),
        Map.copyOf(weights));
  }

  public long weightBytes() {
    return weights.values().stream().mapToLong(Long::longValue).sum();
  }

  public long bytes() {
    return activationBytes + weightBytes();
  }
}
