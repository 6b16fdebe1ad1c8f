package io.vertebra.cuda.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.cuda.natives.vtbc_affine_args;
import io.vertebra.cuda.runtime.GpuStream.GpuGraph;
import io.vertebra.tensor.VertebraException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class EmulatedRuntimeTest extends GpuRuntimeContract<EmulatedRuntime> {
  EmulatedRuntimeTest() {
    super(new EmulatedRuntime());
  }

  @Test
  void aGraphDoesNotUseFreedHostMemory() {
    stream.beginCapture();
    stream.copyIn(in, host);
    try (GpuGraph graph = stream.endCapture()) {
      runtime.freeHost(host);
      assertThatThrownBy(() -> stream.launch(graph)).isInstanceOf(VertebraException.class)
          .hasMessageContaining("freed");
    }
    assertThatThrownBy(stream::endCapture).isInstanceOf(VertebraException.class)
        .hasMessageContaining("does not capture");
  }

  @Test
  void argumentsAreWhatTheKernelTakes() {
    try (vtbc_affine_args affine = new vtbc_affine_args()) {
      GpuLaunch foreign = new GpuLaunch(runtime.kernel("vtb_softmax_f32"), 1, 32, 1, 0, affine);
      assertThatIllegalArgumentException().isThrownBy(() -> stream.launch(foreign))
          .withMessage("vtb_softmax_f32 takes a struct of 24 bytes, not of 56");
    }
    assertThatIllegalArgumentException().isThrownBy(() -> runtime.kernel("vtb_softmax_f64"))
        .withMessageContaining("vtb_softmax_f64");
  }

  @Test
  void mistakesNameWhatIsWrong() {
    long freed = runtime.allocate(BYTES);
    runtime.free(freed);
    assertThatThrownBy(() -> stream.launch(softmax(freed, out))).isInstanceOf(VertebraException.class)
        .hasMessageContainingAll("vtb_softmax_f32", "the pointer at byte 8");
    assertThatThrownBy(() -> runtime.free(freed)).isInstanceOf(VertebraException.class).hasMessageContaining("freed");
    assertThatThrownBy(() -> runtime.kernel("vtb_softmax_f32").allowShared(1 << 20))
        .isInstanceOf(VertebraException.class).hasMessageContainingAll("vtb_softmax_f32", "shared memory");
    long total = runtime.memoryTotal();
    runtime.setMemoryTotal(runtime.memoryUsed() + 1000);
    assertThatThrownBy(() -> runtime.allocate(2000)).isInstanceOf(VertebraException.class)
        .hasMessageContaining("2000 bytes");
    runtime.setMemoryTotal(total);
  }

  @Test
  void aKernelWritesWhereItWasExpectedTo() {
    fill();
    runtime.copyIn(in, host);
    stream.expectWrites(out, BYTES - 4);
    assertThatThrownBy(() -> stream.launch(softmax(in, out))).isInstanceOf(VertebraException.class)
        .hasMessageContaining("vtb_softmax_f32 wrote");
    stream.expectWrites(in, BYTES);
    stream.launch(softmax(in, in));
  }

  @Test
  void streamsCopyPinnedMemoryAlone() {
    ByteBuffer pageable = ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder());
    assertThatThrownBy(() -> stream.copyIn(in, pageable)).isInstanceOf(VertebraException.class)
        .hasMessageContaining("pinned");
    assertThatIllegalArgumentException().isThrownBy(() -> stream.copyIn(in, ByteBuffer.allocate(BYTES)));
    fill();
    stream.copyIn(in, host);
    ByteBuffer part = runtime.allocateHost(BYTES).position(8).limit(16);
    stream.copyOut(part, in + 4);
    assertThat(part.getFloat(8)).isEqualTo(host.getFloat(4));
    assertThat(part.getFloat(12)).isEqualTo(host.getFloat(8));
    runtime.freeHost(part);
    assertThatThrownBy(() -> stream.copyOut(part, in)).isInstanceOf(VertebraException.class)
        .hasMessageContaining("pinned");
    assertThatIllegalArgumentException().isThrownBy(() -> runtime.freeHost(part));
  }
}
