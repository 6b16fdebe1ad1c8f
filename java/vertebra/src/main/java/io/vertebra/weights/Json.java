package io.vertebra.weights;

import io.vertebra.weights.JsonReader.Token;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON texts, such as the configuration in a checkpoint's metadata, as plain Java values. */
public final class Json {
  private Json() {}

  /**
   * Maps, lists, strings, numbers ({@link Integer}, {@link Long}, or else {@link Double}), booleans and null.
   *
   * @throws WeightsException if the text is not one JSON value, nests more than 100 deep, or has a name twice in an
   *   object
   */
  public static Object parse(String text) {
    JsonReader reader = new JsonReader(text, "not JSON");
    Token token = reader.next();
    if (token == Token.END_OF_TEXT) {
      throw new WeightsException("an empty text is not JSON");
    }
    Object value = value(reader, token);
    if (reader.next() != Token.END_OF_TEXT) {
      throw new WeightsException("not JSON: there is text after the end of a value");
    }
    return value;
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

  private static Object value(JsonReader reader, Token token) {
    return switch (token) {
      case START_OBJECT -> object(reader);
      case START_ARRAY -> array(reader);
      case STRING -> reader.text();
      case INTEGER, DECIMAL -> number(token, reader.text());
      case TRUE -> true;
      case FALSE -> false;
      default -> null;
    };
  }

  private static Map<String, Object> object(JsonReader reader) {
    Map<String, Object> object = new LinkedHashMap<>();
    while (reader.next() != Token.END_OBJECT) {
      String name = reader.text();
      if (object.containsKey(name)) {
        throw new WeightsException("not JSON: an object has '" + name + "' twice");
      }
      object.put(name, value(reader, reader.next()));
    }
    return object;
  }

  private static List<Object> array(JsonReader reader) {
    List<Object> array = new ArrayList<>();
    for (Token token = reader.next(); token != Token.END_ARRAY; token = reader.next()) {
      array.add(value(reader, token));
    }
    return array;
  }

  private static Number number(Token token, String text) {
    if (token == Token.INTEGER) {
      try {
        long value = Long.parseLong(text);
        return (int) value == value ? (Number) (int) value : (Number) value;
      } catch (NumberFormatException large) {
        // What no long holds is taken as its nearest double.
      }
    }
    return Double.valueOf(text);
  }
}
