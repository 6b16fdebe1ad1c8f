package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.conformance.ConformanceCases;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.cuda.CudaOptions.Products;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.golden.GoldenFile;
import io.vertebra.program.Observer;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.Parameter;
import io.vertebra.weights.WeightsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** How programs run on a device: graphs, memory, threads and what goes wrong. */
class CudaProgramTest {
  private static final GoldenFile SWIN = GoldenFile.open(
      Path.of("..", "vertebra-golden", "src", "test", "resources", "golden", "mini", "swin_mini_basic.safetensors"));
  private static final Shape IMAGE = SWIN.inputShapes().get(0);

  private final EmulatedRuntime runtime = new EmulatedRuntime();
  private final List<String> calls = new ArrayList<>();

  private static Recording swin(Backend backend, int batch) {
    Consumer<Recorder> forward = SWIN.load(SWIN.weights(), backend);
    return Recording.of(Shape.of(batch, IMAGE.dim(2), IMAGE.dim(3), IMAGE.dim(1)), Set.of("logits", "stage0"), forward);
  }

  private static float[] image(int seed) {
    Random random = new Random(seed);
    float[] values = new float[IMAGE.dim(1) * IMAGE.dim(2) * IMAGE.dim(3)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static float[] logits(Program program, int... seeds) {
    for (int i = 0; i < seeds.length; i++) {
      float[] image = image(seeds[i]);
      program.input().put(i * image.length, image);
    }
    program.run();
    return program.read("logits");
  }

  @ParameterizedTest
  @EnumSource(value = Precision.class, names = {"FP32", "FP16"})
  void memoryIsKnownBeforehand(Precision precision) {
    try (Backend backend = new CudaBackend(runtime, precision)) {
      Recording recording = swin(backend, 2);
      long weights = runtime.memoryUsed();
      long expected = backend.programBytes(recording);
      assertThat(runtime.memoryUsed()).isEqualTo(weights);
      try (Program program = backend.compile(recording)) {
        assertThat(program.workspaceBytes()).isEqualTo(expected);
        long pinned = program.recording().outputs().values().stream().mapToLong(out -> out.shape().elements()).sum()
            + recording.inputs().get(0).shape().elements();
        long device = expected - Float.BYTES * pinned;
        assertThat((double) runtime.memoryUsed() - weights).isCloseTo(device, Percentage.withPercentage(1));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "INT8")
  void aReplayedGraphDoesWhatSingleLaunchesDo(Precision precision) {
    try (CudaBackend backend = new CudaBackend(runtime, precision);
        Program program = backend.compile(swin(backend, 1))) {
      float[] launched = logits(program, 1);
      float[] stage = program.read("stage0");
      float[] other = logits(program, 2);
      assertThat(other).isNotEqualTo(launched);
      assertThat(logits(program, 1)).isEqualTo(launched);
      assertThat(program.read("stage0")).isEqualTo(stage);
      program.run(new Recorded());
      assertThat(program.read("logits")).isEqualTo(launched);
    }
  }

  /** Notes what it is told. */
  private static class Recorded implements Observer {
    final List<Integer> timed = new ArrayList<>();

    @Override
    public void before(int index, Call call) {}

    @Override
    public void after(int index, Call call) {}

    @Override
    public void timed(int index, Call call, double begin, double end) {
      assertThat(begin).isBetween(0.0, end);
      timed.add(index);
    }
  }

  @Test
  void everyTensorCanBeReadWhereItIsMadeAndEveryCallIsTimed() {
    try (Backend reference = new ReferenceBackend();
        Program expected = reference.compile(swin(reference, 1));
        CudaBackend backend = new CudaBackend(runtime, Precision.FP32);
        Program program = backend.compile(swin(backend, 1))) {
      List<float[]> tensors = new ArrayList<>();
      logits(expected, 3);
      expected.run(new Recorded() {
        @Override
        public void after(int index, Call call) {
          tensors.add(expected.read(call.out()));
        }
      });
      program.input().put(0, image(3));
      Recorded observer = new Recorded() {
        @Override
        public void after(int index, Call call) {
          assertThat(Compare.relativeError(widen(program.read(call.out())), widen(tensors.get(index))))
              .as(call.toString()).isLessThan(1e-5);
        }
      };
      program.run(observer);
      assertThat(observer.timed).isEqualTo(IntStream.range(0, tensors.size()).boxed().toList());
    }
  }

  private static double[] widen(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }

  @Test
  void imagesOfABatchDoNotMeet() {
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP16);
        Program one = backend.compile(swin(backend, 1));
        Program three = backend.compile(swin(backend, 3))) {
      float[] batch = logits(three, 4, 5, 6);
      int classes = batch.length / 3;
      for (int i = 0; i < 3; i++) {
        assertThat(Arrays.copyOfRange(batch, i * classes, (i + 1) * classes)).isEqualTo(logits(one, 4 + i));
      }
    }
  }

  @Test
  void programsOfOneBackendRunInThreadsOfTheirOwn() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32)) {
      Recording recording = swin(backend, 1);
      Callable<float[]> session = () -> {
        try (Program program = backend.compile(recording)) {
          logits(program, 7);
          logits(program, 8);
          return logits(program, 7);
        }
      };
      Future<float[]> first = threads.submit(session);
      Future<float[]> second = threads.submit(session);
      assertThat(first.get()).isEqualTo(second.get());
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void aClosedBackendServesItsProgramsAndFreesAllWithTheLast() {
    long before = runtime.memoryUsed();
    CudaBackend backend = new CudaBackend(runtime, Precision.BF16);
    Recording recording = swin(backend, 1);
    Program program = backend.compile(recording);
    float[] open = logits(program, 9);
    backend.close();
    assertThat(logits(program, 9)).isEqualTo(open);
    assertThatIllegalStateException().isThrownBy(() -> backend.compile(recording)).withMessageContaining("closed");
    assertThat(runtime.memoryUsed()).isGreaterThan(before);
    program.close();
    program.close();
    assertThat(runtime.memoryUsed()).isEqualTo(before);
    assertThatIllegalStateException().isThrownBy(program::run).withMessageContaining("closed");
  }

  @Test
  void aProgramThatDoesNotFitSaysSoAndLeavesNothingBehind() {
    long total = runtime.memoryTotal();
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32)) {
      Recording recording = swin(backend, 4);
      long used = runtime.memoryUsed();
      runtime.setMemoryTotal(used + (1 << 16));
      assertThatThrownBy(() -> backend.compile(recording)).isInstanceOf(VertebraException.class)
          .hasMessageContaining("memory");
      assertThat(runtime.memoryUsed()).isEqualTo(used);
    } finally {
      runtime.setMemoryTotal(total);
    }
  }

  @Test
  void aCaptureThatWasBrokenOffIsTriedAgainAtTheNextRun() {
    AtomicInteger captures = new AtomicInteger();
    GpuRuntime interrupted = AlteredRuntime.of(method -> {
      if (method.equals("multiply") || method.equals("launch")) {
        calls.add(method);
      }
      if (method.equals("beginCapture") && captures.incrementAndGet() == 1) {
        throw new VertebraException("broken off");
      }
      return null;
    });
    try (CudaBackend backend = new CudaBackend(interrupted, Precision.FP32);
        Program program = backend.compile(swin(backend, 1))) {
      float[] launched = logits(program, 1);
      for (int run = 0; run < 3; run++) {
        calls.clear();
        assertThat(logits(program, 1)).isEqualTo(launched);
      }
      assertThat(captures).as("the second was none too many").hasValue(2);
      assertThat(calls).as("one graph").hasSize(1);
    }
  }

  @Test
  void everythingIsFreedThoughOneFreeFails() {
    long used = runtime.memoryUsed();
    AtomicBoolean failing = new AtomicBoolean();
    GpuRuntime faulty = AlteredRuntime.of(method -> {
      if (failing.get() && method.equals("freeHost")) {
        throw new VertebraException("the GPU is lost");
      }
      return null;
    });
    CudaBackend backend = new CudaBackend(faulty, Precision.FP16);
    Program program = backend.compile(swin(backend, 1));
    logits(program, 1);
    backend.close();
    failing.set(true);
    assertThatThrownBy(program::close).hasMessage("the GPU is lost")
        .satisfies(e -> assertThat(e.getSuppressed()).hasSize(2));
    assertThat(runtime.memoryUsed()).as("the weights are freed with it").isEqualTo(used);
  }

  /** As much as GPUs of compute capability 8.6, 8.9 and 12.0 have. */
  @Test
  void aLargeFilterFitsLittleSharedMemory() {
    Case filter = CudaCases.all().filter(testCase -> testCase.name().equals("global filter in three launches"))
        .findFirst().orElseThrow();
    GpuRuntime small = AlteredRuntime.of(method -> method.equals("sharedMemory") ? 99 << 10 : null);
    CudaBackend backend = new CudaBackend(small, Precision.FP32, new CudaOptions(Products.RULE, true));
    assertThat(Compare.relativeError(ConformanceCases.run(backend, filter),
        ConformanceCases.run(new ReferenceBackend(), filter))).isLessThan(2e-6);
  }

  private static Weights matrix(Backend backend, float... values) {
    return backend.packMatrix(Parameter.of("head.weight", Shape.of(1, values.length), values));
  }

  @Test
  void weightsThatTheTypeCannotHoldAreNamed() {
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP16)) {
      matrix(backend, 65504, -65519, 1e-8f);
      assertThatThrownBy(() -> matrix(backend, 1, 65520)).isInstanceOf(WeightsException.class)
          .hasMessageContaining("head.weight").hasMessageContaining("too large for f16");
      assertThatThrownBy(() -> matrix(backend, Float.NaN)).isInstanceOf(WeightsException.class)
          .hasMessageContaining("head.weight");
    }
  }

  @Test
  void weightsOfOthersAndOfAnotherFormAreRefused() {
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32);
        CudaBackend other = new CudaBackend(runtime, Precision.FP32)) {
      Weights values = backend.packValues(Shape.of(1, 2), new float[] {1, 2});
      for (Weights wrong : List.of(values, matrix(other, 1, 2))) {
        Recording recording = Recording.of(Shape.of(3, 2), Set.of("x"),
            r -> r.output("x", r.record("x", Linear.of(wrong, null), r.input())));
        assertThatIllegalArgumentException().isThrownBy(() -> backend.compile(recording))
            .withMessageContaining("weights [1, 2]");
      }
    }
  }

  @Test
  void whatKernelsCannotDoIsRefusedByName() {
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32)) {
      Recording heads = Recording.of(Shape.of(2, 3 * 129), Set.of("x"),
          r -> r.output("x", r.record("x", new WindowAttention(2, 1, 129, 1, null, null), r.input())));
      assertThatIllegalArgumentException().isThrownBy(() -> backend.compile(heads))
          .withMessageContaining("heads of 129 channels");
    }
  }

  @Test
  void productsByCublasAreAsFusedOnes() {
    List<float[]> outputs = new ArrayList<>();
    for (Products products : Products.values()) {
      try (CudaBackend backend = new CudaBackend(runtime, Precision.FP32, new CudaOptions(products, true));
          CudaProgram program = (CudaProgram) backend.compile(swin(backend, 1))) {
        outputs.add(logits(program, 1));
        assertThat(products == Products.RULE || program.traffic().products() > 0 == (products == Products.CUBLAS))
            .isTrue();
      }
    }
    for (float[] output : outputs) {
      assertThat(Compare.relativeError(widen(output), widen(outputs.get(0)))).isLessThan(1e-6);
    }
  }

  @Test
  void largeProductsAreLeftToCublas() {
    try (CudaBackend backend = new CudaBackend(runtime, Precision.FP16)) {
      Weights deep = backend.packMatrix(new FormulaWeights().find("deep", Shape.of(512, 4096)));
      Linear op = Linear.of(deep, null).activation(Activation.GELU);
      assertThat(ProductPlan.of(op, Shape.of(6272, 4096), backend).cublas()).isTrue();
      Weights shallow = backend.packMatrix(new FormulaWeights().find("shallow", Shape.of(512, 96)));
      ProductPlan fused = ProductPlan.of(Linear.of(shallow, null), Shape.of(6272, 96), backend);
      assertThat(fused.cublas()).isFalse();
    }
  }
}
