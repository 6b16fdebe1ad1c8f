package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.cuda.runtime.DriverRuntime;
import io.vertebra.cuda.runtime.FakeDriver;
import io.vertebra.golden.GoldenFile;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/**
 * Programs through JCuda on the fake driver, which, unlike the emulator, has a context that ends and belongs to
 * threads.
 */
class DriverProgramTest {
  private static final GoldenFile SWIN = GoldenFile.open(
      Path.of("..", "vertebra-golden", "src", "test", "resources", "golden", "mini", "swin_mini_basic.safetensors"));
  private static final Shape IMAGE = SWIN.inputShapes().get(0);
  private static final Shape INPUT = Shape.of(IMAGE.dim(0), IMAGE.dim(2), IMAGE.dim(3), IMAGE.dim(1));

  private final DriverRuntime runtime = FakeDriver.open();
  private final CudaBackend backend = new CudaBackend(runtime, Precision.FP16);

  private Recording swin() {
    return Recording.of(INPUT, Set.of("logits"), SWIN.load(SWIN.weights(), backend));
  }

  private static float[] logits(Program program) {
    program.input().put(0, SWIN.input(0));
    program.run();
    return program.read("logits");
  }

  @Test
  void theContextEndsWithTheLastProgram() {
    Program program = backend.compile(swin());
    float[] open = logits(program);
    backend.close();
    assertThat(logits(program)).isEqualTo(open);
    runtime.free(runtime.allocate(4));
    program.close();
    assertThatIllegalStateException().isThrownBy(() -> runtime.allocate(4)).withMessageContaining("closed");
    program.close();
    backend.close();
  }

  @Test
  void aPreprocessorMayOutliveTheBackend() {
    Preprocessor preprocessor = backend.preprocessor(Preprocessing.official(224));
    backend.close();
    runtime.free(runtime.allocate(4));
    preprocessor.close();
    assertThatIllegalStateException().isThrownBy(() -> runtime.allocate(4)).withMessageContaining("closed");
  }

  @Test
  void threadsCaptureAtTheSameTime() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      Recording recording = swin();
      Callable<float[]> session = () -> {
        try (Program program = backend.compile(recording)) {
          logits(program);
          logits(program);
          return logits(program);
        }
      };
      Future<float[]> first = threads.submit(session);
      Future<float[]> second = threads.submit(session);
      assertThat(first.get()).isEqualTo(second.get());
    } finally {
      threads.shutdown();
      backend.close();
    }
  }

  @Test
  void aProgramMovesFromThreadToThread() throws Exception {
    Program program = backend.compile(swin());
    float[] here = logits(program);
    ExecutorService other = Executors.newSingleThreadExecutor();
    try {
      for (int i = 0; i < 2; i++) {
        assertThat(other.submit(() -> logits(program)).get()).isEqualTo(here);
      }
      other.submit(program::close).get();
      other.submit(backend::close).get();
    } finally {
      other.shutdown();
    }
    assertThatIllegalStateException().isThrownBy(() -> runtime.allocate(4)).withMessageContaining("closed");
  }
}
