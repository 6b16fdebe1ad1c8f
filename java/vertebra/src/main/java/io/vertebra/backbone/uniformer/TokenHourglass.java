package io.vertebra.backbone.uniformer;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.uniformer.UniFormerLayers.GlobalBlock;
import io.vertebra.backbone.uniformer.UniFormerLayers.Representative;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.PoolScores;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.ShrinkTokens;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Sum.Term;
import io.vertebra.program.op.TokenChoice;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;

/**
 * Stages 3 and 4 of the light UniFormers (Li et al., "UniFormer: Unifying Convolution and Self-attention for Visual
 * Recognition", arXiv 2201.09450, "H-UniFormer"): a class token goes along, its attention scores the tokens, and a
 * block computes on those with high scores and one representative of the others.
 */
final class TokenHourglass {
  private final UniFormerConfig config;
  private final Weights classToken;
  private final Linear upsample;

  /**
   * What a block hands on.
   *
   * @param classToken {@code [batch, n, channels]}, of which row 0 of each image is the class token
   * @param scores one for each token, {@code [batch, ..., 1]}; null before the first block
   */
  record State(Tensor map, Tensor classToken, Tensor scores) {}

  TokenHourglass(UniFormerConfig config, Layers layers) {
    this.config = config;
    int third = config.widths().get(2);
    this.classToken
        = layers.backend().packValues(Shape.of(1, third), layers.parameters().values("cls_token", 1, 1, third));
    this.upsample = layers.linear("cls_upsample", config.widths().get(3), third, true);
  }

  /** The state before stage 3. */
  State begin(Recorder r, Tensor map) {
    int batch = map.shape().dim(0);
    Tensor token = r.record("cls_token",
        Sum.of(Term.of(map, RowMap.of(batch, 1, image -> -1)), Term.of(classToken, RowMap.of(batch, 1, image -> 0))),
        map, Shape.of(batch, 1, map.shape().channels()));
    return new State(map, token, null);
  }

  /** The state before stage 4. */
  State coarsen(Recorder r, State state) {
    Shape token = state.classToken.shape();
    Tensor wider = r.record("cls_upsample", upsample.gather(rowOfEach(token, 0)), state.classToken,
        Shape.of(token.dim(0), 1, upsample.channels()));
    return new State(null, wider, r.record("global_attn3", new PoolScores(), state.scores));
  }

  State block(Recorder r, GlobalBlock block, int stage, int index, Tensor x, State state) {
    Tensor placed = r.record("pos_embed", block.position(), x);
    Shape shape = placed.shape();
    int tokens = shape.rows() / shape.dim(0);
    int heads = config.heads(stage);
    int headDim = shape.channels() / heads;
    float scale = config.scale(stage);
    float tradeOff = config.light().tradeOff().get(stage).get(index).floatValue();
    TokenChoice choice = new TokenChoice(state.scores, (int) (tokens * config.light().kept().get(stage).get(index)));

    Tensor before = r.record("shrink", new ShrinkTokens(choice, state.classToken), placed);
    Tensor qkv = r.record("attn.qkv", block.space().qkv(), before);
    Tensor attended
        = r.record("attn", new WindowAttention(before.shape().dim(1), heads, headDim, scale, null, null), qkv);
    Tensor scores
        = r.record("score", new ScoreTokens(choice, shape.withChannels(1), heads, headDim, scale, tradeOff), qkv);
    Tensor y = r.record("attn.proj", block.space().proj().residual(before), attended);
    Tensor hidden = r.record("mlp.fc1", block.space().fc1(), y);
    Tensor after = r.record("mlp.fc2", block.space().fc2().residual(y), hidden);
    if (block.representative() != null) {
      after = withScaledRepresentative(r, block.representative(), before, attended, hidden, after);
    }
    return new State(r.record("recover", new RecoverTokens(choice, before, after), placed), after, scores);
  }

  /**
   * {@code after} with the last row of every image what it was {@code before} plus attention and MLP scaled by the
   * representative's own factor.
   */
  private static Tensor withScaledRepresentative(Recorder r, Representative layers, Tensor before, Tensor attended,
      Tensor hidden, Tensor after) {
    Shape shape = after.shape();
    int rows = shape.dim(1);
    RowMap last = rowOfEach(shape, rows - 1);
    Tensor projected = r.record("representative.proj", layers.proj().gather(last), attended);
    Tensor gain = r.record("representative.fc2", layers.fc2().gather(last).residual(projected), hidden);
    RowMap others = RowMap.of(shape.rows(), 1, i -> i % rows == rows - 1 ? -1 : i);
    RowMap own = RowMap.of(shape.rows(), 1, i -> i % rows == rows - 1 ? i : -1);
    RowMap image = RowMap.of(shape.rows(), 1, i -> i % rows == rows - 1 ? i / rows : -1);
    return r.record("representative", Sum.of(Term.of(after, others), Term.of(before, own), Term.of(gain, image)), after,
        shape);
  }

  private static RowMap rowOfEach(Shape shape, int row) {
    return RowMap.of(shape.dim(0), 1, image -> image * shape.dim(1) + row);
  }
}
