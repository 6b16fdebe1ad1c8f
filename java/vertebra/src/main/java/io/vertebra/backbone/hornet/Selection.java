package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Matrix;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowSource;
import io.vertebra.tensor.Tensor;

/**
 * Channels put into another order by a matrix product: slow, for outputs that are compared with the published model's.
 */
record Selection(Recorder recorder, Backend backend) {

  /**
   * Output channel o is input channel {@code channels[o]}, or zero where that is -1.
   *
   * @param sum added; or null
   */
  Tensor of(String name, Tensor in, int[] channels, Tensor sum) {
    Matrix matrix = Matrix.selection(name, channels, in.shape().channels());
    Epilogue epilogue = Epilogue.bias(null);
    return recorder.record(name,
        new Linear(RowSource.PLAIN, matrix.pack(backend).weights(), sum == null ? epilogue : epilogue.residual(sum)),
        in);
  }

  /** Where each published channel stands, from the published channel at each place. */
  static int[] inverse(int[] order) {
    int[] places = new int[order.length];
    for (int i = 0; i < order.length; i++) {
      places[order[i]] = i;
    }
    return places;
  }
}
