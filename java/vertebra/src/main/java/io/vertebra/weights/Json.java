package io.vertebra.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Small JSON texts, such as the configuration in a checkpoint's metadata, as plain Java values. */
public final class Json {
  private static final JsonFactory FACTORY
      = JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private Json() {}

  /**
   * Maps, lists, strings, numbers ({@link Integer}, {@link Long}, {@link Double}, ...), booleans and null.
   *
   * @throws WeightsException if the text is not one JSON value
   */
  public static Object parse(String text) {
    try (JsonParser parser = FACTORY.createParser(text)) {
      parser.nextToken();
      Object value = value(parser);
      if (parser.nextToken() != null) {
        throw new WeightsException("text after the end of a JSON value: " + text);
      }
      return value;
    } catch (IOException e) {
      throw new WeightsException("not JSON: " + e.getMessage(), e);
    }
  }

  /** @throws WeightsException if the text is not a JSON object */
  public static Map<String, Object> parseObject(String text) {
    if (!(parse(text) instanceof Map<?, ?> map)) {
      throw new WeightsException("not a JSON object: " + text);
    }
    Map<String, Object> object = new LinkedHashMap<>();
    map.forEach((key, value) -> object.put((String) key, value));
    return object;
  }

  private static Object value(JsonParser parser) throws IOException {
    JsonToken token = parser.currentToken();
    if (token == null) {
      throw new WeightsException("an empty text is not JSON");
    }
    switch (token) {
      case START_OBJECT:
        Map<String, Object> map = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String key = parser.currentName();
          parser.nextToken();
          map.put(key, value(parser));
        }
        return map;
      case START_ARRAY:
        List<Object> list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          list.add(value(parser));
        }
        return list;
      case VALUE_STRING:
        return parser.getText();
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT:
        return parser.getNumberValue();
      case VALUE_TRUE, VALUE_FALSE:
        return parser.getBooleanValue();
      default:
        return null;
    }
  }
}
