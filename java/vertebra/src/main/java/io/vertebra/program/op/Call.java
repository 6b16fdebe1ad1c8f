package io.vertebra.program.op;

import io.vertebra.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** One recorded operation: the layer's name, what to do, and on which tensors. */
public record Call(String name, Op op, Tensor in, Tensor out) {

  /** All tensors the call reads. */
  public List<Tensor> reads() {
    List<Tensor> reads = new ArrayList<>(List.of(in));
    if (op instanceof Op.Linear linear) {
      add(reads, linear.epilogue().residual());
      add(reads, linear.epilogue().gate() == null ? null : linear.epilogue().gate().tensor());
    } else if (op instanceof Op.Affine affine) {
      add(reads, affine.factor());
    } else if (op instanceof Op.Sum sum) {
      sum.terms().forEach(term -> add(reads, term.tensor()));
    } else if (op instanceof Op.ShrinkTokens shrink) {
      add(reads, shrink.choice().scores());
      add(reads, shrink.classToken());
    } else if (op instanceof Op.RecoverTokens recover) {
      add(reads, recover.choice().scores());
      add(reads, recover.before());
      add(reads, recover.after());
    } else if (op instanceof Op.ScoreTokens score) {
      add(reads, score.choice().scores());
    }
    return reads;
  }

  private static void add(List<Tensor> reads, Tensor tensor) {
    if (tensor != null) {
      reads.add(tensor);
    }
  }

  /**
   * The tensor whose memory the output may take over, since every element is read before its place is written; or null.
   */
  public Tensor replaced() {
    if (op instanceof Op.Affine affine && affine.factor() != in
        || op instanceof Op.LayerNorm norm && norm.rows().map() == null) {
      return in;
    }
    if (!(op instanceof Op.Linear linear) || linear.epilogue().residualRows() != null) {
      return null;
    }
    Epilogue epilogue = linear.epilogue();
    boolean readElsewhere
        = epilogue.residual() == in || epilogue.gate() != null && epilogue.gate().tensor() == epilogue.residual();
    return readElsewhere ? null : epilogue.residual();
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
