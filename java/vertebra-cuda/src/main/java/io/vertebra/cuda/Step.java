package io.vertebra.cuda;

import io.vertebra.cuda.runtime.GpuLaunch;
import io.vertebra.cuda.runtime.GpuProduct;
import io.vertebra.cuda.runtime.GpuStream;
import io.vertebra.program.op.Call;
import java.util.List;

/**
 * What a call gives the device to do.
 *
 * @param extraBytes that it moves besides its operands, its weights and its result, each once: what lies in scratch
 *   memory between its works, written and read, and index maps
 */
record Step(Call call, List<Work> works, long extraBytes) {

  /**
   * A launch or a product, the other being null.
   *
   * @param to where the memory begins that it writes
   * @param bytes of that memory
   */
  record Work(GpuLaunch launch, GpuProduct product, long to, long bytes) {
    /** @param checked whether a write elsewhere is to fail, where the runtime can tell */
    void give(GpuStream stream, boolean checked) {
      if (checked) {
        stream.expectWrites(to, bytes);
      }
      if (launch != null) {
        stream.launch(launch);
      } else {
        stream.multiply(product);
      }
    }
  }

  void give(GpuStream stream, boolean checked) {
    for (Work work : works) {
      work.give(stream, checked);
    }
  }
}
