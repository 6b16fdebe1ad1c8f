package io.vertebra.cuda.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import io.vertebra.cuda.natives.vtbc_convert_args;
import io.vertebra.cuda.natives.vtbc_softmax_args;
import io.vertebra.cuda.runtime.GpuStream.GpuEvent;
import io.vertebra.cuda.runtime.GpuStream.GpuGraph;
import io.vertebra.tensor.VertebraException;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every runtime does. */
abstract class GpuRuntimeContract<R extends GpuRuntime> {
  static final int ROWS = 3;
  static final int CHANNELS = 37;
  static final int BYTES = ROWS * CHANNELS * Float.BYTES;

  final R runtime;
  final GpuStream stream;
  final long in;
  final long out;
  final ByteBuffer host;
  private final Random random = new Random(1);

  GpuRuntimeContract(R runtime) {
    this.runtime = runtime;
    stream = runtime.newStream();
    in = runtime.allocate(BYTES);
    out = runtime.allocate(BYTES);
    host = runtime.allocateHost(BYTES);
  }

  @AfterEach
  void close() {
    stream.close();
    runtime.free(in);
    runtime.free(out);
    runtime.close();
  }

  final GpuLaunch softmax(long from, long to) {
    return softmax(32, from, to);
  }

  final GpuLaunch softmax(int threads, long from, long to) {
    try (vtbc_softmax_args arguments = new vtbc_softmax_args().rows(ROWS).channels(CHANNELS).in(from).out(to)) {
      return new GpuLaunch(runtime.kernel("vtb_softmax_f32"), 1, threads, 1, 0, arguments);
    }
  }

  final float[] fill() {
    float[] values = new float[ROWS * CHANNELS];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    host.asFloatBuffer().put(values);
    return values;
  }

  final void requireSoftmaxOf(float[] values) {
    for (int row = 0; row < ROWS; row++) {
      double sum = 0;
      for (int c = 0; c < CHANNELS; c++) {
        sum += Math.exp(values[row * CHANNELS + c]);
      }
      for (int c = 0; c < CHANNELS; c++) {
        int at = row * CHANNELS + c;
        assertThat((double) host.getFloat(at * Float.BYTES)).isCloseTo(Math.exp(values[at]) / sum, offset(1e-6));
      }
    }
  }

  @Test
  void aKernelRuns() {
    float[] values = fill();
    runtime.copyIn(in, host);
    stream.launch(softmax(in, out));
    stream.synchronize();
    runtime.copyOut(host, out);
    requireSoftmaxOf(values);
  }

  @Test
  void aGraphRunsOnWhatMemoryHoldsThen() {
    fill();
    stream.beginCapture();
    stream.copyIn(in, host);
    stream.launch(softmax(in, out));
    stream.copy(in, out, BYTES);
    stream.copyOut(host, in);
    try (GpuGraph graph = stream.endCapture()) {
      assertThat(graph.size()).isEqualTo(4);
      for (int i = 0; i < 2; i++) {
        float[] values = fill();
        stream.launch(graph);
        stream.synchronize();
        requireSoftmaxOf(values);
      }
    }
  }

  @Test
  void theHostDoesNotReadDuringACapture() {
    stream.beginCapture();
    assertThatThrownBy(() -> runtime.copyOut(host, in)).isInstanceOf(VertebraException.class)
        .hasMessageContaining("capture");
    assertThatThrownBy(stream::synchronize).isInstanceOf(VertebraException.class).hasMessageContaining("capture");
    stream.endCapture().close();
  }

  @ParameterizedTest
  @EnumSource(GpuType.class)
  void productsAreThoseOfCublas(GpuType type) {
    int m = 5;
    int n = 7;
    int k = 11;
    long a = runtime.allocate((long) m * k * type.bytes());
    long w = runtime.allocate((long) n * k * type.bytes());
    long c = runtime.allocate((long) m * n * type.bytes());
    float[] left = upload(type, a, m * k);
    float[] right = upload(type, w, n * k);
    stream.multiply(new GpuProduct(type, false, m, n, k, a, w, c));
    float[] product = download(type, c, m * n);
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        double sum = 0;
        for (int x = 0; x < k; x++) {
          sum += (double) left[i * k + x] * right[j * k + x];
        }
        double rounding = type == GpuType.F32 ? 1e-6 : type == GpuType.F16 ? 1e-3 : 8e-3;
        assertThat((double) product[i * n + j]).isCloseTo(sum, offset(rounding * (1 + Math.abs(sum))));
      }
    }
    runtime.free(a);
    runtime.free(w);
    runtime.free(c);
  }

  /** Values that every type holds exactly. */
  private float[] upload(GpuType type, long to, int count) {
    float[] values = new float[count];
    ByteBuffer bytes = runtime.allocateHost((long) count * Float.BYTES);
    for (int i = 0; i < count; i++) {
      values[i] = (random.nextInt(61) - 30) / 16f;
      bytes.putFloat(i * Float.BYTES, values[i]);
    }
    long floats = type == GpuType.F32 ? to : runtime.allocate((long) count * Float.BYTES);
    runtime.copyIn(floats, bytes);
    if (type != GpuType.F32) {
      convert("vtb_convert_f32_" + suffix(type), floats, to, count);
      runtime.free(floats);
    }
    return values;
  }

  private static String suffix(GpuType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  private void convert(String kernel, long from, long to, int count) {
    try (vtbc_convert_args arguments = new vtbc_convert_args().count(count).in(from).out(to)) {
      stream.launch(new GpuLaunch(runtime.kernel(kernel), 1, 256, 1, 0, arguments));
    }
  }

  private float[] download(GpuType type, long from, int count) {
    long floats = type == GpuType.F32 ? from : runtime.allocate((long) count * Float.BYTES);
    if (type != GpuType.F32) {
      convert("vtb_convert_" + suffix(type) + "_f32", from, floats, count);
    }
    ByteBuffer bytes = runtime.allocateHost((long) count * Float.BYTES);
    runtime.copyOut(bytes, floats);
    float[] values = new float[count];
    bytes.asFloatBuffer().get(values);
    return values;
  }

  @Test
  void eventsTellTimeAndWhatIsClosedIsNotUsed() {
    GpuEvent start = stream.newEvent();
    GpuEvent end = stream.newEvent();
    stream.record(start);
    stream.launch(softmax(in, out));
    stream.record(end);
    stream.synchronize();
    assertThat(end.since(start)).isPositive();
    end.close();
    end.close();
    assertThatIllegalStateException().isThrownBy(() -> stream.record(end)).withMessageContaining("event");
    stream.close();
    assertThatIllegalStateException().isThrownBy(() -> stream.copy(in, out, 4)).withMessageContaining("stream");
    start.close();
  }
}
