package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.Device;
import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.backbone.Backbone;
import io.vertebra.backend.Backend;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.demo.Digits;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.FormulaWeights;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CudaDevicesTest {
  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "INT8")
  void aModelRunsOnTheEmulator(Precision precision) throws Exception {
    String sample = Digits.sampleNames().get(0);
    try (Model model = Digits.swin().device(Device.cudaEmulated()).precision(precision).build();
        Session session = model.newSession()) {
      assertThat(model.describe()).contains("emulator").contains(precision.toString());
      assertThat(session.classify(Digits.sample(sample), 1).get(0).label())
          .isEqualTo(sample.replaceAll(".*_|\\.png", ""));
    }
  }

  @Test
  void int8IsRefused() {
    for (Device device : List.of(Device.cuda(), Device.cudaEmulated())) {
      assertThatThrownBy(() -> device.open(0, Precision.INT8)).isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("int8", "cpu");
    }
  }

  @Test
  void aSessionMakesRoomBeforeItCompilesAndServesWholeBatchesWithWhatItHas() {
    EmulatedRuntime device = new EmulatedRuntime();
    long total = device.memoryTotal();
    try (Model model = Digits.swin().device(Device.cudaEmulated()).build(); Session session = model.newSession()) {
      for (int batch = 4; batch >= 1; batch--) {
        session.run(input(batch), shape(batch), Set.of(Backbone.PROBABILITIES));
      }
      long used = device.memoryUsed();
      session.time(input(4), shape(4), 1);
      assertThat(device.memoryUsed()).as("the program of batch 4 took it").isEqualTo(used);
      for (int batch = 3; batch >= 1; batch--) {
        session.run(input(batch), shape(batch), Set.of(Backbone.PROBABILITIES));
      }
      device.setMemoryTotal(used + 1024);
      session.run(input(4), shape(4), Set.of(Backbone.LOGITS));
    } finally {
      device.setMemoryTotal(total);
    }
  }

  private static Shape shape(int batch) {
    return Shape.of(batch, 3, 32, 32);
  }

  private static float[] input(int batch) {
    return FormulaWeights.input("session", shape(batch));
  }

  /** On the fake driver, with the fat binary that this build has or has not. */
  @Test
  void gpusGoByNumber() {
    assertThatThrownBy(() -> Device.cuda(2).open(0, Precision.FP32)).isInstanceOf(VertebraException.class)
        .hasMessageContaining("no device cuda:2");
    if (CudaDevices.class.getResource("/META-INF/native/linux-x86_64/vertebra.fatbin") == null) {
      assertThatThrownBy(() -> Device.cuda().open(0, Precision.FP32)).isInstanceOf(VertebraException.class)
          .hasMessageContaining("nvcc was missing");
      return;
    }
    try (Backend first = Device.cuda().open(0, Precision.FP32);
        Backend second = Device.cuda(1).open(0, Precision.BF16)) {
      assertThat(first.describe()).contains("Fake GPU 0", "fp32");
      assertThat(second.describe()).contains("Fake GPU 1", "bf16");
    }
  }
}
