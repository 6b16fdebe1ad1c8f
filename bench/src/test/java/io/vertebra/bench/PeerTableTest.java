package io.vertebra.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.bench.peer.Comparison;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class PeerTableTest {
  private final StringWriter errors = new StringWriter();

  private int run(String... arguments) {
    return PeerTable.command().setErr(new PrintWriter(errors)).execute(arguments);
  }

  @Test
  void refusesUnknownModels() {
    assertThat(run("--models", "resnet50")).isEqualTo(1);
    assertThat(errors.toString()).contains("resnet50", "swin_tiny_patch4_window7_224");
  }

  @Test
  void refusesNonsense() {
    assertThat(run("--threads", "0")).isEqualTo(1);
    assertThat(run("--seconds", "NaN")).isEqualTo(1);
    assertThat(run("--precision", "fp7")).isEqualTo(CommandLine.ExitCode.USAGE);
  }

  @Test
  void jsonRowsHaveTheDocumentedFields() throws IOException {
    PeerTable table = new PeerTable();
    new CommandLine(table).setCaseInsensitiveEnumValuesAllowed(true).parseArgs("--threads", "3", "--batch", "4");
    String row = table.json("swin", new Comparison.Row("vertebra", 0.5, 1.5, 7, 2.25, 300_000_000));
    assertThat(row).isEqualTo("{\"model\":\"swin\",\"engine\":\"vertebra\",\"precision\":\"fp32\",\"threads\":3,"
        + "\"batch\":4,\"median_ms\":500.0,\"p90_ms\":1500.0,\"runs\":7,\"ratio\":2.25,\"peak_mb\":300.0}");
  }
}
