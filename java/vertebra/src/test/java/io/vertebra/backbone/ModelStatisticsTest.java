package io.vertebra.backbone;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.Families;
import io.vertebra.backbone.swin.SwinCheckpoint;
import io.vertebra.backbone.swin.SwinConfig;
import io.vertebra.tensor.Shape;
import io.vertebra.weights.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Models ask for exactly the published parameters, and cost what is published. */
class ModelStatisticsTest {
  @ParameterizedTest
  @CsvSource({"swin_tiny_patch4_window7_224, 28288354, 4.491", "swin_small_patch4_window7_224, 49606258, 8.741",
    "swin_base_patch4_window7_224, 87768224, 15.431", "swin_base_patch4_window12_384, 87903584, 47.083",
    "swin_large_patch4_window7_224, 196532476, 34.476", "swin_large_patch4_window12_384, 196735516, 103.919",
    "swin_tiny_c24_patch4_window8_256, 28306432, 5.921", "swin_s3_tiny_224, 28328674, 4.623",
    "swin_s3_small_224, 49737298, 9.405", "swin_s3_base_224, 71125762, 13.655"})
  void costsAreThePublishedOnes(String variant, long parameters, double gmacs) {
    ModelStatistics statistics = ModelStatistics.of(Families.named(variant).architecture());
    assertThat(statistics.parameterCount()).isEqualTo(parameters);
    assertThat(statistics.macs() / 1e9).isEqualTo(gmacs, within(0.0006));
  }

  @ParameterizedTest
  @CsvSource({"swin_tiny_patch4_window7_224_22k, 44315083", "swin_small_patch4_window7_224_22k, 65632987",
    "swin_base_patch4_window7_224_22k, 109130249", "swin_base_patch4_window12_384_22k, 109265609",
    "swin_large_patch4_window7_224_22k, 228565093", "swin_large_patch4_window12_384_22k, 228768133"})
  void largeHeadsHaveThePublishedParameterCount(String variant, long parameters) {
    assertThat(ModelStatistics.of(Families.named(variant).architecture()).parameterCount()).isEqualTo(parameters);
  }

  @ParameterizedTest
  @ValueSource(strings = {"swin_tiny_patch4_window7_224", "swin_tiny_patch4_window7_224_22k",
    "swin_small_patch4_window7_224", "swin_small_patch4_window7_224_22k", "swin_base_patch4_window7_224",
    "swin_base_patch4_window7_224_22k", "swin_base_patch4_window12_384", "swin_base_patch4_window12_384_22k",
    "swin_large_patch4_window7_224", "swin_large_patch4_window7_224_22k", "swin_large_patch4_window12_384",
    "swin_large_patch4_window12_384_22k", "swin_tiny_c24_patch4_window8_256"})
  void parametersAreThoseOfTheOfficialManifest(String variant) throws IOException {
    assertThat(ModelStatistics.of(Families.named(variant).architecture()).parameters())
        .containsExactlyInAnyOrderEntriesOf(manifest(variant + ".json"));
  }

  @ParameterizedTest
  @CsvSource({"swin_tiny_patch4_window7_224, swin_tiny_patch4_window7_224.timm.json",
    "swin_base_patch4_window12_384, swin_base_patch4_window12_384.timm.json", "swin_s3_tiny_224, swin_s3_tiny_224.json",
    "swin_s3_small_224, swin_s3_small_224.json", "swin_s3_base_224, swin_s3_base_224.json"})
  void namesBecomeThoseOfTheTimmManifest(String variant, String file) throws IOException {
    Map<String, Shape> timm = new LinkedHashMap<>();
    ModelStatistics.of(Families.named(variant).architecture()).parameters()
        .forEach((name, shape) -> timm.put(SwinCheckpoint.timmName(name), shape));
    assertThat(timm).containsExactlyInAnyOrderEntriesOf(manifest(file));
  }

  @Test
  void theDenseBackboneHasFeatureNormsAndNoHead() throws IOException {
    SwinConfig tiny = (SwinConfig) Families.named("swin_tiny_patch4_window7_224").architecture();
    SwinConfig dense = tiny.withClasses(0).withBehaviour(SwinConfig.Behaviour.DENSE);
    assertThat(ModelStatistics.of(dense).parameters())
        .containsExactlyInAnyOrderEntriesOf(manifest("swin_tiny_dense.json"));
  }

  /** The parameters of a manifest, without buffers. */
  private static Map<String, Shape> manifest(String file) throws IOException {
    try (InputStream in = ModelStatisticsTest.class.getResourceAsStream("/golden/manifest/" + file)) {
      Object json = Json.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
      Map<String, Shape> parameters = new LinkedHashMap<>();
      for (Object entry : (List<?>) json) {
        List<?> row = (List<?>) entry;
        if (row.get(2).equals("param")) {
          parameters.put((String) row.get(0),
              Shape.of(((List<?>) row.get(1)).stream().mapToInt(dim -> (Integer) dim).toArray()));
        }
      }
      return parameters;
    }
  }
}
