package io.vertebra.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.vertebra.demo.Digits;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClassifyCommandTest {
  @TempDir
  private Path folder;

  @Test
  void readsTheEmbeddedDigits() {
    Cli result = Cli.run("classify", "--json", "--top", 2);
    assertThat(result.exitCode()).isZero();
    assertThat(result.objects()).hasSameSizeAs(Digits.sampleNames());
    long right = result.objects().stream().filter(object -> first(object).get("label").equals(label(object))).count();
    assertThat(right).isGreaterThanOrEqualTo(result.objects().size() - 2);
  }

  /** The published implementations get all of these images right. */
  @Test
  void everyFamilyReadsTheEmbeddedDigits() {
    assertThat(Digits.names()).hasSize(5);
    for (String model : Digits.names()) {
      Cli result = Cli.run("classify", "--json", "--top", 1, "--model", model);
      assertThat(result.exitCode()).as(result.err()).isZero();
      assertThat(result.objects()).hasSameSizeAs(Digits.sampleNames())
          .allSatisfy(object -> assertThat(first(object).get("label")).isEqualTo(label(object)));
    }
  }

  /** As on a GPU: the kernels are the same. */
  @Test
  void everyFamilyReadsTheEmbeddedDigitsOnTheEmulator() {
    for (String model : Digits.names()) {
      Cli result = Cli.run("classify", "--json", "--top", 1, "--model", model, "--device", "cuda-emulated",
          "--precision", "fp16");
      assertThat(result.exitCode()).as(result.err()).isZero();
      assertThat(result.err().lines()).singleElement().asString().contains("cuda-emulated", "slow");
      assertThat(result.objects()).hasSameSizeAs(Digits.sampleNames())
          .allSatisfy(object -> assertThat(first(object).get("label")).isEqualTo(label(object)));
    }
  }

  @Test
  void embeddedModelsAreChosenByName() throws Exception {
    Path image = Cli.sample("0003_6.png", folder);
    assertThat(Cli.run("classify", "--model", "digits-hornet", image).out()).startsWith("digits-hornet on cpu");
    assertThat(Cli.run("classify", image).out()).startsWith("digits-swin on cpu");
    Cli weighted = Cli.run("classify", "--model", "digits-hornet", "--weights", Cli.digitsWeights(folder), image);
    assertThat(weighted.exitCode()).isEqualTo(2);
    assertThat(weighted.err()).contains("digits-hornet comes with its weights");
    assertThat(Cli.run("models").out()).contains("digits-swin, digits-coatnet, digits-uniformer");
  }

  @Test
  void printsATable() throws Exception {
    Path image = Cli.sample("0003_6.png", folder);
    Cli result = Cli.run("classify", image, "--top", 3, "--threads", 1);
    assertThat(result.exitCode()).isZero();
    assertThat(result.err()).isEmpty();
    List<String> lines = result.out().lines().toList();
    assertThat(lines).hasSize(5);
    assertThat(lines.get(0)).contains("digits", "cpu", "1 thread");
    assertThat(lines.get(1)).isEqualTo(image.toString());
    assertThat(lines.get(2)).matches(" +\\d+\\.\\d\\d %  6");
  }

  @Test
  void devicesAgree() throws Exception {
    Path image = Cli.sample("0003_6.png", folder);
    Path weights = Cli.digitsWeights(folder);
    double expected = probability(Cli.run("classify", "--json", "--device", "reference", image));
    for (String device : List.of("cpu", "cuda-emulated")) {
      assertThat(probability(Cli.run("classify", "--json", "--device", device, "--weights", weights, image)))
          .isCloseTo(expected, within(1e-5));
    }
  }

  @Test
  void reportsBadImagesAndGoesOn() throws Exception {
    Path text = Files.writeString(folder.resolve("text.jpg"), "no image");
    Path image = Cli.sample("0003_6.png", folder);
    Path missing = folder.resolve("missing.png");
    Cli human = Cli.run("classify", text, image, missing);
    assertThat(human.exitCode()).isEqualTo(1);
    assertThat(human.err().lines()).hasSize(2);
    assertThat(human.err()).contains("text.jpg", "missing.png").doesNotContain("\tat ");
    assertThat(human.out()).contains("0003_6.png");

    Cli machine = Cli.run("classify", "--json", text, image, missing);
    assertThat(machine.exitCode()).isEqualTo(1);
    assertThat(machine.err()).isEmpty();
    List<Map<String, Object>> objects = machine.objects();
    assertThat(objects).extracting(object -> object.get("file")).containsExactly(text.toString(), image.toString(),
        missing.toString());
    assertThat(objects.get(0)).containsOnlyKeys("file", "error");
    assertThat(objects.get(1)).containsOnlyKeys("file", "predictions");
    assertThat(first(objects.get(1)).keySet()).map(Object::toString).containsExactly("index", "label", "probability");
  }

  @Test
  void knowsTheNamesOfImageNet() throws Exception {
    Path image = Cli.sample("0003_6.png", folder);
    Cli result = Cli.run("classify", "--json", "--top", 1000, "--formula-weights", "--model",
        "swin_tiny_patch4_window7_224", image);
    assertThat(result.err()).contains("warning: weights by formula");
    List<?> predictions = (List<?>) result.objects().get(0).get("predictions");
    assertThat(predictions).hasSize(1000);
    assertThat(predictions.stream()
        .map(prediction -> ((Map<?, ?>) prediction).get("index") + " "
            + ((Map<?, ?>) prediction).get("label").toString().split(",")[0])
        .toList()).contains("0 tench", "207 golden retriever", "281 tabby", "999 toilet tissue");
  }

  private static double probability(Cli result) {
    return (Double) first(result.objects().get(0)).get("probability");
  }

  private static Map<?, ?> first(Map<String, Object> object) {
    return (Map<?, ?>) ((List<?>) object.get("predictions")).get(0);
  }

  /** From NUMBER_LABEL.png. */
  private static String label(Map<String, Object> object) {
    return object.get("file").toString().replaceAll(".*_(\\d)\\.png", "$1");
  }
}
