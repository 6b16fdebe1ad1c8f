package io.vertebra;

import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.tensor.Shape;

/**
 * How far a file may go that states its model's input size itself, in its configuration or as {@code input_size}: what
 * a run takes stays in proportion to the weights that are in the file, so that no small file keeps a machine busy. All
 * published models stay below a tenth of it. Who gives an architecture or a preprocessing is bound by nothing of this.
 *
 * @param element shape of one image or clip
 */
record StatedInput(String model, Shape element, long weightBytes) {
  private static final long MAX_POSITIONS = 1 << 21;
  private static final long MACS = 1L << 31;
  private static final long MACS_PER_WEIGHT_BYTE = 1 << 11;
  private static final long TENSOR_BYTES = 32L << 20;
  private static final long TENSOR_BYTES_PER_WEIGHT_BYTE = 4;

  /** @throws MemoryLimitException if the input alone is too large */
  StatedInput {
    if (element.rows() > MAX_POSITIONS) {
      throw refused(model, element, element.rows() + " pixels, over " + MAX_POSITIONS);
    }
  }

  /**
   * Checks what is recorded for so many inputs.
   *
   * @throws MemoryLimitException if it is out of proportion
   */
  void require(Recording recording, int images) {
    long macs = recording.macs() / images;
    long most = MACS + MACS_PER_WEIGHT_BYTE * weightBytes;
    if (macs > most) {
      throw refused(model, element, macs + " multiply-accumulates, over " + most);
    }
    long mostBytes = TENSOR_BYTES + TENSOR_BYTES_PER_WEIGHT_BYTE * weightBytes;
    for (Call call : recording.calls()) {
      long bytes = call.out().shape().elements() / images * Float.BYTES;
      if (bytes > mostBytes) {
        throw refused(model, element, bytes + " bytes for " + call.name() + ", over " + mostBytes);
      }
    }
  }

  private static MemoryLimitException refused(String model, Shape element, String what) {
    return new MemoryLimitException("the checkpoint of model " + model + " states an input of " + element
        + ", which would take " + what + " that a file with so few weights may ask for. If the size is meant, give the"
        + " model's builder an architecture, or a preprocessing, of that size");
  }
}
