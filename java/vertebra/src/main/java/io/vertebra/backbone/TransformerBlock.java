package io.vertebra.backbone;

import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Tensor;

/**
 * Attention and an MLP, a norm before and a residual around each. The norms are in {@code qkv} and {@code fc1}, GELU is
 * behind {@code fc1}.
 */
public record TransformerBlock(Linear qkv, Linear proj, Linear fc1, Linear fc2) {

  /**
   * Reads {@code norm1, attn.qkv, attn.proj, norm2, mlp.fc1, mlp.fc2}.
   *
   * @param attention channels of q, of k and of v
   * @param hidden channels of the MLP
   */
  public static TransformerBlock load(Layers layers, String name, int width, int attention, int hidden, boolean qkvBias,
      float eps) {
    return new TransformerBlock(
        layers.linear(name + ".attn.qkv", 3 * attention, width, qkvBias).norm(layers.norm(name + ".norm1", width, eps)),
        layers.linear(name + ".attn.proj", width, attention, true),
        layers.linear(name + ".mlp.fc1", hidden, width, true).norm(layers.norm(name + ".norm2", width, eps))
            .activation(Activation.GELU),
        layers.linear(name + ".mlp.fc2", width, hidden, true));
  }

  /** @param windows the order that makes the windows, which may have padding; null: as the rows lie */
  public Tensor record(Recorder r, Tensor x, WindowAttention attention, RowMap windows) {
    Tensor projected = r.record("attn.qkv", qkv.gather(windows), x);
    Tensor attended = r.record("attn", attention, projected);
    Tensor y = r.record("attn.proj", proj.residual(x).scatter(windows), attended);
    return mlp(r, y);
  }

  /** The second half. */
  public Tensor mlp(Recorder r, Tensor y) {
    Tensor hidden = r.record("mlp.fc1", fc1, y);
    return r.record("mlp.fc2", fc2.residual(y), hidden);
  }
}
