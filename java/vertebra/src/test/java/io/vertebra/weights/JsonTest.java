package io.vertebra.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  @Test
  void readsEveryKindOfValue() {
    assertThat(Json.parseObject("""
        { "a" : [ 1 , -2, 2147483648, 9223372036854775808, 1.5e-1, 0, -0.0, 1E+2 ],\t"b": {"c": true, "d": [false]},
          "e": null, "": "", "f": {}, "g": [] }\r
        """)).isEqualTo(map("a", List.of(1, -2, 2147483648L, 9223372036854775808.0, 0.15, 0, -0.0, 100.0), "b",
        Map.of("c", true, "d", List.of(false)), "e", null, "", "", "f", Map.of(), "g", List.of()));
    assertThat(Json.parse(" 7")).isEqualTo(7);
    assertThat(Json.parse("\"é\"")).isEqualTo("é");
  }

  private static Map<String, Object> map(Object... pairs) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      map.put((String) pairs[i], pairs[i + 1]);
    }
    return map;
  }

  @Test
  void readsEscapes() {
    assertThat(Json.parse("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00z\"")).isEqualTo("a\"\\/\b\f\n\r\té😀z");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "{", "[", "\"", "\"a", "\"\\", "\"\\u12", "{]", "[}", "[1,]", "[,1]", "[1 2]",
    "[1,,2]", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "{,}", "{1:2}", "{a:1}", "{'a':1}", "{\"a\":1 \"b\":2}",
    "{\"a\":1,\"a\":2}", "1 2", "{} {}", "[]]", "truefalse", "tru", "True", "nul", "NaN", "Infinity", "-", "+1", "01",
    "-01", ".5", "1.", "1e", "1e+", "0x1", "1_0", "1f", "\"\\x\"", "\"\\u00g0\"", "\"\\u\uFF11\uFF11\uFF11\uFF11\"",
    "\"\n\"", "\"\0\"", "\0", "[1\0]", "\uFEFF1", "// a\n1", "/**/1", "[1]//"})
  void refusesWhatIsNotJson(String text) {
    assertThatThrownBy(() -> Json.parse(text)).isInstanceOf(WeightsException.class).hasMessageContaining("not JSON");
  }

  @Test
  void saysWhereAndWhat() {
    assertThatThrownBy(() -> Json.parse("{\"a\" 1}"))
        .hasMessage("not JSON: ':' is missing at character 5; there is '1'");
    assertThatThrownBy(() -> Json.parse("[1")).hasMessage("not JSON: ',' is missing at character 2; the text ends");
  }

  @Test
  void boundsNesting() {
    String deep = "[".repeat(JsonReader.MAX_DEPTH) + "]".repeat(JsonReader.MAX_DEPTH);
    assertThat(Json.parse(deep)).isInstanceOf(List.class);
    for (String text : Arrays.asList("[" + deep + "]", "[".repeat(1_000_000), "{\"a\":".repeat(1_000_000))) {
      assertThatThrownBy(() -> Json.parse(text)).isInstanceOf(WeightsException.class)
          .hasMessageContaining("nest more than 100 deep");
    }
  }

  @Test
  void takesLongNumbersInTheTimeOfTheirLength() {
    assertThat(Json.parse("1".repeat(1_000_000))).isEqualTo(Double.POSITIVE_INFINITY);
    assertThat(Json.parse("1e" + "9".repeat(1_000_000))).isEqualTo(Double.POSITIVE_INFINITY);
    assertThat(Json.parse("0." + "1".repeat(1_000_000))).isEqualTo(1.0 / 9);
  }
}
