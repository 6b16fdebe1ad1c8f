package io.vertebra.cuda;

import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.natives.vtbc_launch;
import io.vertebra.cuda.runtime.GpuLaunch;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;

/**
 * A function of {@code vertebra_cuda.h} that tells how an operation is launched: {@code Native::vtbc_softmax_launch}.
 *
 * @param <A> the operation's argument struct
 */
@FunctionalInterface
interface Operation<A extends Pointer> {
  /**
   * @param dtype a {@code vtbc_dtype}
   * @param launches written to
   * @return how many there are
   */
  int describe(A arguments, int dtype, vtbc_launch launches);

  /** @param toScratch whether it writes the operation's scratch memory alone, or else its output alone */
  record Launch(GpuLaunch launch, boolean toScratch) {}

  /**
   * What to give a stream, in this order.
   *
   * @param arguments freed
   * @throws IllegalArgumentException if an input of this size takes more than the device has
   */
  default List<Launch> launches(CudaBackend backend, A arguments) {
    List<Launch> result = new ArrayList<>();
    try (arguments; vtbc_launch launches = new vtbc_launch(Native.VTBC_MOST_LAUNCHES)) {
      int count = describe(arguments, backend.type().code(), launches);
      for (int i = 0; i < count; i++) {
        vtbc_launch launch = launches.getPointer(i);
        if (launch.grid() > Integer.MAX_VALUE) {
          throw new IllegalArgumentException(launch.kernel() + " would take " + launch.grid()
              + " blocks for an input of this size, more than a launch has; run a smaller batch");
        }
        result.add(new Launch(new GpuLaunch(backend.kernel(launch.kernel(), launch.shared_bytes()), (int) launch.grid(),
            launch.block_x(), launch.block_y(), (int) launch.shared_bytes(), arguments), launch.to_scratch() != 0));
      }
    }
    return result;
  }
}
