package io.vertebra.program;

import java.util.ArrayList;
import java.util.List;

/** One recorded operation: the layer's name, what to do, and on which tensors. */
public record Call(String name, Op op, Tensor in, Tensor out) {

  /** All tensors the call reads. */
  List<Tensor> reads() {
    List<Tensor> reads = new ArrayList<>(List.of(in));
    Tensor residual = residual();
    if (residual != null) {
      reads.add(residual);
    }
    return reads;
  }

  /** The tensor whose memory the output may take over, since every element is read before its place is written; or null. */
  Tensor residual() {
    return op instanceof Op.Linear linear ? linear.epilogue().residual() : null;
  }

  public long macs() {
    return op.macs(in.shape(), out.shape());
  }

  /** {@code layers.0.blocks.1.attn.qkv Linear [1, 3136, 96] -> [3136, 288]}. */
  @Override
  public String toString() {
    return name + " " + op.getClass().getSimpleName() + " " + in.shape() + " -> " + out.shape();
  }
}
