package io.vertebra.backbone.coatnet;

import io.vertebra.program.Recorder;
import io.vertebra.tensor.Tensor;

/**
 * A step of a stage. The first of a stage halves the map, {@code [batch, rows, columns, channels]}, and changes the
 * width.
 */
interface Block {
  Tensor forward(Recorder r, Tensor x);
}
