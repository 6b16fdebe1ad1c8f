package io.vertebra.golden;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertebra.reference.ReferenceBackend;
import io.vertebra.weights.WeightsException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Small golden files that describe what would take minutes or gigabytes. */
@Timeout(value = 1, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HostileGoldenFilesTest {
  @ParameterizedTest
  @CsvSource({"bigclasses, num_classes must be", "swin_deep, 4096 tensors", "redos, takes too long on",
    "golden_1_37, not absurd", "golden_1_1997, no gated convolution"})
  void areRefusedByAStatedBound(String name, String message) throws URISyntaxException {
    Path path = Path.of(HostileGoldenFilesTest.class.getResource("/attack/" + name + ".safetensors").toURI());
    GoldenFile file = GoldenFile.open(path);
    assertThatThrownBy(() -> file.verify(new ReferenceBackend(), 1e-5)).isInstanceOf(WeightsException.class)
        .hasMessageContaining(message);
  }
}
