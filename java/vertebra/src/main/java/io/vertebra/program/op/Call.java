package io.vertebra.program.op;

import io.vertebra.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/** One recorded operation: the layer's name, what to do, and on which tensors. */
public record Call(String name, Op op, Tensor in, Tensor out) {

  /** All tensors the call reads, each once. */
  public List<Tensor> reads() {
    return Stream.concat(Stream.of(in), op.reads().stream()).distinct().toList();
  }

  public long macs() {
    return op.macs(in.shape(), out.shape());
  }

  public <R> R accept(Op.Visitor<R> visitor) {
    return op.accept(visitor, this);
  }

  /** {@code layers.0.blocks.1.attn.qkv Linear [1, 3136, 96] -> [3136, 288]}. */
  @Override
  public String toString() {
    return name + " " + op.getClass().getSimpleName() + " " + in.shape() + " -> " + out.shape();
  }
}
