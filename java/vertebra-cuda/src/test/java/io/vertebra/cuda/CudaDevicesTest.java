package io.vertebra.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.Device;
import io.vertebra.Model;
import io.vertebra.Precision;
import io.vertebra.Session;
import io.vertebra.demo.Digits;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CudaDevicesTest {
  @ParameterizedTest
  @EnumSource(Precision.class)
  void aModelRunsOnTheEmulator(Precision precision) throws Exception {
    String sample = Digits.sampleNames().get(0);
    try (Model model = Digits.swin().device(Device.cudaEmulated()).precision(precision).build(); Session session = model.newSession()) {
      assertThat(model.describe()).contains("emulator").contains(precision.toString());
      assertThat(session.classify(Digits.sample(sample), 1).get(0).label()).isEqualTo(sample.replaceAll(".*_|\\.png", ""));
    }
  }
}
