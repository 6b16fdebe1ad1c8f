package io.vertebra.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.IsaTest;
import io.vertebra.backend.Backend;
import io.vertebra.backend.Ceilings;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.image.Image;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Weights;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameter;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CpuBackendTest {
  private static final List<String> LEVELS = List.of("generic", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx");

  @IsaTest
  @Test
  void theForcedLevelIsTheOneThatRuns() {
    String forced = System.getenv("VERTEBRA_ISA");
    assertThat(CpuBackend.isa()).isEqualTo(forced == null ? CpuBackend.detectedIsa() : forced);
    assertThat(LEVELS.indexOf(CpuBackend.isa())).isLessThanOrEqualTo(LEVELS.indexOf(CpuBackend.detectedIsa()));
    // Every level has kernels of its own, and none runs kernels of a higher one.
    assertThat(Stream.of(CpuBackend.kernels().split(" "))
        .mapToInt(kernel -> LEVELS.indexOf(kernel.substring(kernel.indexOf("__") + 2))).max())
        .hasValue(LEVELS.indexOf(CpuBackend.isa()));
  }

  @Test
  void threadsDefaultToWhatTheProcessMayUse() {
    try (CpuBackend backend = new CpuBackend(0)) {
      assertThat(backend.threads()).isEqualTo(CpuBackend.cpuLimit()).isBetween(1,
          Runtime.getRuntime().availableProcessors());
      assertThat(backend.describe()).contains(CpuBackend.isa(), "fp32");
    }
    assertThatThrownBy(() -> new CpuBackend(-2)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("-2");
    assertThatThrownBy(() -> new CpuBackend(Integer.MAX_VALUE)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("4096");
  }

  @Test
  void measurementsAreFinite() {
    try (CpuBackend backend = new CpuBackend(1);
        CpuBackend bf16 = new CpuBackend(1, Precision.BF16);
        CpuBackend int8 = new CpuBackend(1, Precision.INT8)) {
      assertThat(backend.measureFma(0.01)).isBetween(1e8, 1e13);
      assertThat(bf16.describe()).contains("bf16");
      assertThat(bf16.measureFma(0.01)).isBetween(1e8, 1e14);
      assertThat(int8.describe()).contains("int8");
      assertThat(int8.measureFma(0.01)).isBetween(1e8, 1e14);
      assertThat(backend.measureCopy(1 << 16, 0.01)).isBetween(1e8, 1e13);
      Ceilings ceilings = int8.ceilings(0.01);
      assertThat(ceilings.flops()).isBetween(1e8, 1e14);
      assertThat(ceilings.levels()).allSatisfy(level -> assertThat(level.bytesPerSecond()).isBetween(1e8, 1e14));
      assertThat(ceilings.bytesPerSecond(Long.MAX_VALUE))
          .isEqualTo(ceilings.levels().get(ceilings.levels().size() - 1).bytesPerSecond());
      assertThatThrownBy(() -> new ReferenceBackend().ceilings(0.01)).isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("reference");
      for (long bytes : new long[] {0, -5, Long.MAX_VALUE / 2}) {
        assertThatThrownBy(() -> backend.measureCopy(bytes, 0.01)).isInstanceOf(IllegalArgumentException.class);
      }
    }
  }

  @Test
  void closedBackendsSaySo() {
    CpuBackend backend = new CpuBackend(1);
    backend.close();
    backend.close();
    assertThatThrownBy(() -> backend.measureFma(0.01)).isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  private static Weights matrix(Backend backend, int out, int in) {
    float[] ones = new float[out * in];
    Arrays.fill(ones, 1);
    return backend.packMatrix(Parameter.of("matrix", Shape.of(out, in), ones));
  }

  private static Recording record(Function<Recorder, Tensor> forward) {
    return Recording.of(Shape.of(3, 40), Set.of("y"), r -> r.output("y", forward.apply(r)));
  }

  private static Recording linear(Weights weights) {
    return record(r -> r.record("y", Linear.of(weights, null), r.input()));
  }

  @Test
  void programsAndPreprocessorsOutliveTheBackendsClose() {
    long before = CpuBackend.allocatedBytes();
    CpuBackend backend = new CpuBackend(2);
    Program program = backend.compile(linear(matrix(backend, 5, 40)));
    Preprocessor preprocessor = backend.preprocessor(Preprocessing.squash(4));
    Program images = preprocessor.compile(
        Recording.of(Shape.of(1, 4, 4, 3), Set.of("y"), r -> r.output("y", r.record("y", new Softmax(), r.input()))));
    backend.close();
    assertThatThrownBy(() -> backend.packValues(Shape.of(1), new float[1])).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> matrix(backend, 1, 1)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> backend.compile(program.recording())).isInstanceOf(IllegalStateException.class);
    for (int i = 0; i < 120; i++) {
      program.input().put(i, 1);
    }
    program.run();
    assertThat(program.read("y")).hasSize(15).containsOnly(40f);
    images.put(0, Image.rgb(ByteBuffer.allocate(48), 4, 4));
    assertThat(images.input().get(47)).isNegative();
    images.close();
    program.close();
    program.close();
    preprocessor.close();
    preprocessor.close();
    assertThat(CpuBackend.allocatedBytes()).isEqualTo(before);
  }

  /** Runs the collector until so few bytes are held, for up to ten seconds. */
  private static void awaitAllocated(long bytes) throws InterruptedException {
    for (int i = 0; i < 200 && CpuBackend.allocatedBytes() > bytes; i++) {
      System.gc();
      Thread.sleep(50);
    }
    assertThat(CpuBackend.allocatedBytes()).isLessThanOrEqualTo(bytes);
  }

  @Test
  void weightsLiveAsLongAsAProgramThatReadsThem() throws InterruptedException {
    try (CpuBackend backend = new CpuBackend(2)) {
      long before = CpuBackend.allocatedBytes();
      runWhileOtherWeightsAreFreed(backend);
      awaitAllocated(before);
    }
  }

  private static void runWhileOtherWeightsAreFreed(CpuBackend backend) throws InterruptedException {
    try (Program program = backend.compile(linear(matrix(backend, 5, 40)))) {
      long used = CpuBackend.allocatedBytes();
      for (int i = 0; i < 8; i++) {
        backend.packValues(Shape.of(1 << 20), new float[1 << 20]);
        matrix(backend, 1000, 1000);
      }
      assertThatThrownBy(() -> backend.packMatrix(Parameter.of("broken", Shape.of(1, 1), new float[] {Float.NaN})));
      awaitAllocated(used);
      assertThat(CpuBackend.allocatedBytes()).isEqualTo(used);
      // Freed memory is handed out again.
      Weights others = matrix(backend, 5, 40);
      program.input().put(new float[120]);
      program.input().put(0, 1).put(40, 2).put(119, 3);
      program.run();
      assertThat(program.read("y")).containsExactly(1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3);
      assertThat(others.shape()).isEqualTo(Shape.of(5, 40));
    }
  }

  @Test
  void theCollectorIsAskedToLookWhenWeightsPileUp() throws InterruptedException {
    try (CpuBackend backend = new CpuBackend(1)) {
      long most = 0;
      float[] values = new float[1 << 24];
      for (int i = 0; i < 40; i++) {
        backend.packValues(Shape.of(values.length), values);
        most = Math.max(most, CpuBackend.allocatedBytes());
        Thread.sleep(5);
      }
      assertThat(most).as("of 2.7 GB that were packed").isLessThan(2L << 30);
    }
  }

  @Test
  void closedProgramsSaySo() {
    try (CpuBackend backend = new CpuBackend(1)) {
      Program program = backend.compile(record(r -> r.record("y", new Softmax(), r.input())));
      program.close();
      assertThatThrownBy(program::run).isInstanceOf(IllegalStateException.class).hasMessageContaining("closed");
      assertThatThrownBy(program::input).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> program.read("y")).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void readingWhatIsNotThereIsRefused() {
    try (CpuBackend backend = new CpuBackend(1);
        Program program = backend.compile(record(r -> r.record("y", new Softmax(), r.input())))) {
      Tensor foreign = record(r -> r.record("y", new Softmax(), r.input())).inputs().get(0);
      Tensor own = program.recording().inputs().get(0);
      assertThatThrownBy(() -> program.read("z")).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("[y]");
      assertThatThrownBy(() -> program.read(foreign)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> program.read(own, new float[121], 2)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void weightsOfOthersOrOfAnotherFormAreRefused() {
    try (CpuBackend backend = new CpuBackend(1); CpuBackend other = new CpuBackend(1)) {
      Weights foreign = matrix(other, 5, 40);
      Weights reference = matrix(new ReferenceBackend(), 5, 40);
      Weights values = backend.packValues(Shape.of(5, 40), new float[200]);
      for (Weights weights : new Weights[] {foreign, reference, values}) {
        assertThatThrownBy(() -> backend.compile(linear(weights))).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("[5, 40]");
      }
      Weights product = backend.packMatrix(Parameter.of("3x3", Shape.of(1, 9), new float[9]));
      assertThatThrownBy(() -> backend.compile(Recording.of(Shape.of(1, 4, 4, 1), Set.of("y"),
          r -> r.output("y", r.record("y", new Convolution(product, null, Activation.IDENTITY), r.input())))))
          .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("not a packed convolution");
      Weights packed = matrix(backend, 1, 40);
      assertThatThrownBy(() -> backend
          .compile(record(r -> r.record("y", new LayerNorm(RowSource.norm(new Norm(packed, packed, 1))), r.input()))))
          .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("packed matrix");
      for (Backend any : new Backend[] {backend, new ReferenceBackend()}) {
        assertThatThrownBy(() -> any.packValues(Shape.of(1000), new float[1]))
            .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> any.packMatrix(Parameter.of("cube", Shape.of(2, 2, 2), new float[8])))
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
  }
}
