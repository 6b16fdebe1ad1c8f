package io.vertebra.weights;

/**
 * Reads a JSON text (RFC 8259) strictly, token by token, in one pass that copies nothing but the strings asked for.
 * Values nest at most {@link #MAX_DEPTH} deep. What is wrong is a {@link WeightsException} that says where.
 */
final class JsonReader {
  static final int MAX_DEPTH = 100;

  /** What the text is made of; a member of an object is its {@link #NAME}, then its value. */
  enum Token {
    START_OBJECT, END_OBJECT, START_ARRAY, END_ARRAY, NAME, STRING, INTEGER, DECIMAL, TRUE, FALSE, NULL, END_OF_TEXT
  }

  private final String text;
  private final String refusal;
  /** Whether the value that is open at a depth is an object. */
  private final boolean[] objects = new boolean[MAX_DEPTH + 1];
  private int depth;
  private int at;
  private Token token;
  private String string;
  private int begin;

  /** @param refusal what a message begins with */
  JsonReader(String text, String refusal) {
    this.text = text;
    this.refusal = refusal;
  }

  /** Reads on; a text of no value, or of several, is for the caller to refuse. */
  Token next() {
    skipSpace();
    token = depth > 0 ? inside() : at < text.length() ? value() : Token.END_OF_TEXT;
    return token;
  }

  private Token inside() {
    if (token == Token.NAME) {
      require(':');
      return value();
    }
    boolean object = objects[depth];
    if (peek() == (object ? '}' : ']')) {
      at++;
      depth--;
      return object ? Token.END_OBJECT : Token.END_ARRAY;
    }
    if (token != Token.START_OBJECT && token != Token.START_ARRAY) {
      require(',');
    }
    if (!object) {
      return value();
    }
    require('"');
    string = string();
    return Token.NAME;
  }

  /** The token as it stands in the text; a name or a string without its quotes and escapes. */
  String text() {
    return token == Token.NAME || token == Token.STRING ? string : text.substring(begin, at);
  }

  private Token value() {
    begin = at;
    char c = peek();
    switch (c) {
      case '{', '[':
        if (depth == MAX_DEPTH) {
          throw new WeightsException(refusal + ": values nest more than " + MAX_DEPTH + " deep at character " + at);
        }
        at++;
        objects[++depth] = c == '{';
        return c == '{' ? Token.START_OBJECT : Token.START_ARRAY;
      case '"':
        at++;
        string = string();
        return Token.STRING;
      case 't':
        return word("true", Token.TRUE);
      case 'f':
        return word("false", Token.FALSE);
      case 'n':
        return word("null", Token.NULL);
      default:
        return number();
    }
  }

  private Token word(String word, Token meaning) {
    if (!text.startsWith(word, at)) {
      throw bad("a value");
    }
    at += word.length();
    return meaning;
  }

  private Token number() {
    if (peek() == '-') {
      at++;
    }
    if (peek() == '0') {
      at++;
    } else {
      digits();
    }
    Token kind = Token.INTEGER;
    if (peek() == '.') {
      kind = Token.DECIMAL;
      at++;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      kind = Token.DECIMAL;
      at++;
      if (peek() == '+' || peek() == '-') {
        at++;
      }
      digits();
    }
    return kind;
  }

  private void digits() {
    int start = at;
    while (peek() >= '0' && peek() <= '9') {
      at++;
    }
    if (at == start) {
      throw bad(start == begin ? "a value" : "a digit");
    }
  }

  /** Behind the first quote. */
  private String string() {
    int start = at;
    while (peek() != '"' && peek() != '\\') {
      requireInString(peek());
      at++;
    }
    if (peek() == '"') {
      return text.substring(start, at++);
    }
    StringBuilder unescaped = new StringBuilder().append(text, start, at);
    for (char c = peek(); c != '"'; c = peek()) {
      requireInString(c);
      at++;
      unescaped.append(c == '\\' ? escaped() : c);
    }
    at++;
    return unescaped.toString();
  }

  private void requireInString(char c) {
    if (c < ' ') {
      throw bad("the end of a string");
    }
  }

  /** Behind the backslash. */
  private char escaped() {
    char c = peek();
    if (c == 'u') {
      int code = 0;
      for (int i = 0; i < 4; i++) {
        at++;
        int digit = peek() < 0x80 ? Character.digit(peek(), 16) : -1;
        if (digit < 0) {
          throw bad("four hexadecimal digits");
        }
        code = 16 * code + digit;
      }
      at++;
      return (char) code;
    }
    int kind = "\"\\/bfnrt".indexOf(c);
    if (kind < 0) {
      throw bad("an escape");
    }
    at++;
    return "\"\\/\b\f\n\r\t".charAt(kind);
  }

  private void skipSpace() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
      at++;
    }
  }

  /** The character that comes, or NUL, which JSON has nowhere, at the end. */
  private char peek() {
    return at < text.length() ? text.charAt(at) : '\0';
  }

  private void require(char c) {
    if (peek() != c) {
      throw bad("'" + c + "'");
    }
    at++;
    if (c != '"') {
      skipSpace();
    }
  }

  private WeightsException bad(String wanted) {
    String found = at == text.length() ? "the text ends"
        : peek() < ' ' ? "there is a control character" : "there is '" + peek() + "'";
    return new WeightsException(refusal + ": " + wanted + " is missing at character " + at + "; " + found);
  }
}
