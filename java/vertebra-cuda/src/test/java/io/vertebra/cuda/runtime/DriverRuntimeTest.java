package io.vertebra.cuda.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.tensor.VertebraException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import jcuda.driver.CUstream;
import org.junit.jupiter.api.Test;

/** The runtime for real GPUs, with JCuda's own libraries, on a driver and a cuBLAS that the emulator stands behind. */
class DriverRuntimeTest extends GpuRuntimeContract<DriverRuntime> {
  DriverRuntimeTest() {
    super(FakeDriver.open());
  }

  @Test
  void itTellsWhatItRunsOn() {
    assertThat(runtime.describe()).isEqualTo("Fake GPU 1 (sm_90), driver of CUDA 13.0");
    assertThat(DriverRuntime.devices()).containsExactly("cuda:0 Fake GPU 0 (sm_90), 1.0 GiB",
        "cuda:1 Fake GPU 1 (sm_90), 1.0 GiB");
    assertThat(runtime.multiprocessors()).isEqualTo(132);
    assertThat(runtime.cacheBytes()).isEqualTo(1 << 20);
    assertThat(runtime.memoryTotal()).isEqualTo(1L << 30);
  }

  @Test
  void anyThreadMayCall() {
    float[] values = fill();
    CompletableFuture.runAsync(() -> {
      runtime.copyIn(in, host);
      stream.launch(softmax(in, out));
      stream.copyOut(host, out);
      stream.synchronize();
    }).join();
    requireSoftmaxOf(values);
  }

  @Test
  void failuresNameWhatFailed() {
    assertThatThrownBy(() -> stream.launch(softmax(2048, in, out))).isInstanceOf(VertebraException.class)
        .hasMessage("launching vtb_softmax_f32 (1 blocks of 2048 x 1 threads, 0 bytes of shared memory) failed with"
            + " CUDA_ERROR_INVALID_VALUE");
    assertThatIllegalArgumentException().isThrownBy(() -> runtime.kernel("vtb_softmax_f64"))
        .withMessageContaining("vtb_softmax_f64");
    assertThatThrownBy(() -> runtime.kernel("vtb_softmax_f32").allowShared(1 << 20))
        .isInstanceOf(VertebraException.class)
        .hasMessageContainingAll("vtb_softmax_f32", "1048576 bytes of shared memory", "CUDA_ERROR_INVALID_VALUE");
    assertThatThrownBy(() -> runtime.free(in + 1)).isInstanceOf(VertebraException.class)
        .hasMessageContaining("freeing device memory");
    assertThatThrownBy(() -> stream.multiply(new GpuProduct(GpuType.F32, false, 100, 100, 100, in, in, out)))
        .isInstanceOf(VertebraException.class).hasMessageContainingAll("m=100", "CUBLAS_STATUS_EXECUTION_FAILED");
    assertThatThrownBy(stream::endCapture).isInstanceOf(VertebraException.class)
        .hasMessageContaining("ending a capture");
  }

  @Test
  void memoryThatIsOutIsToldOf() {
    assertThatThrownBy(() -> runtime.allocate(4L << 30)).isInstanceOf(VertebraException.class).hasMessageMatching(
        "the memory of Fake GPU 1 is out: 4\\.0 GiB wanted, \\d+\\.\\d MiB of 1\\.0 GiB free\\. Use a smaller batch, or"
            + " close other sessions, and other processes that nvidia-smi lists");
    runtime.free(0);
  }

  @Test
  void tf32IsForFp32Alone() {
    for (GpuType type : GpuType.values()) {
      stream.multiply(new GpuProduct(type, true, 2, 3, 4, in, in, out));
    }
  }

  @Test
  void cublasIsStartedOnceForStreamsInTurn() {
    Cublas first = runtime.takeCublas(new CUstream());
    Cublas second = runtime.takeCublas(new CUstream());
    assertThat(second).isNotSameAs(first);
    runtime.giveBack(first);
    assertThat(runtime.takeCublas(new CUstream())).isSameAs(first);
    runtime.giveBack(first);
    runtime.giveBack(second);
  }

  /** Of any runtime on the GPU: the driver would break the capture off. */
  @Test
  void cublasIsNotStartedWhileAStreamCaptures() throws Exception {
    stream.beginCapture();
    CompletableFuture<Void> opening = CompletableFuture.runAsync(() -> FakeDriver.open().close());
    CompletableFuture<Void> starting
        = CompletableFuture.runAsync(() -> runtime.giveBack(runtime.takeCublas(new CUstream())));
    assertThatThrownBy(() -> opening.get(50, TimeUnit.MILLISECONDS)).isInstanceOf(TimeoutException.class);
    assertThatThrownBy(() -> starting.get(50, TimeUnit.MILLISECONDS)).isInstanceOf(TimeoutException.class);
    stream.endCapture().close();
    opening.get(10, TimeUnit.SECONDS);
    starting.get(10, TimeUnit.SECONDS);
  }

  @Test
  void profilersAreToldWhatToTake() {
    float[] values = fill();
    Nsight.capture(() -> Nsight.named("softmax", () -> {
      runtime.copyIn(in, host);
      stream.launch(softmax(in, out));
      stream.copyOut(host, out);
      stream.synchronize();
    }));
    requireSoftmaxOf(values);
    assertThatIllegalStateException().isThrownBy(() -> Nsight.capture(() -> {
      throw new IllegalStateException("work");
    })).withMessage("work");
  }

  @Test
  void aClosedRuntimeIsNotUsed() {
    DriverRuntime other = FakeDriver.open();
    other.close();
    other.close();
    assertThatIllegalStateException().isThrownBy(() -> other.allocate(4)).withMessageContaining("closed");
    runtime.free(runtime.allocate(4));
  }
}
