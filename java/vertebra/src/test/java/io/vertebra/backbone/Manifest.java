package io.vertebra.backbone;

import io.vertebra.tensor.Shape;
import io.vertebra.weights.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Names and shapes of everything a published model holds. */
public final class Manifest {
  private Manifest() {}

  /** The parameters, without buffers. */
  public static Map<String, Shape> parameters(String file) throws IOException {
    return read(file, false);
  }

  /** Parameters and buffers; a scalar has shape [1]. */
  public static Map<String, Shape> all(String file) throws IOException {
    return read(file, true);
  }

  private static Map<String, Shape> read(String file, boolean buffers) throws IOException {
    try (InputStream in = Manifest.class.getResourceAsStream("/golden/manifest/" + file)) {
      Map<String, Shape> entries = new LinkedHashMap<>();
      for (Object entry : (List<?>) Json.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8))) {
        List<?> row = (List<?>) entry;
        int[] dims = ((List<?>) row.get(1)).stream().mapToInt(dim -> (Integer) dim).toArray();
        if (buffers || row.get(2).equals("param")) {
          entries.put((String) row.get(0), dims.length == 0 ? Shape.of(1) : Shape.of(dims));
        }
      }
      return entries;
    }
  }
}
