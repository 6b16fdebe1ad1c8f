package io.vertebra.weights;

import io.vertebra.tensor.DType;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads the pickles that {@code torch.save} writes (protocols 2 to 5 of Python's pickle module; PEP 307, 3154). A
 * pickle is a program that calls functions; here it can call none. The few names a checkpoint needs are known and give
 * plain data; any other is refused, by name.
 *
 * <p>Values are {@link Map}, {@link List}, {@link Tuple}, {@link String}, {@link Long}, {@link BigInteger},
 * {@link Double}, {@link Boolean}, null, {@link Tensor}, and {@link Opaque} for what says nothing about weights.
 */
final class Pickle {
  /** Many times what the largest checkpoints need; a step makes at most one small object. */
  private static final int MAX_STEPS = 1 << 20;
  private static final int MAX_NAME = 200;
  private static final int MAX_RANK = 64;
  private static final int MAX_INTEGER_BYTES = 32;
  private static final Map<String, DType> STORAGES = Map.of("DoubleStorage", DType.F64, "FloatStorage", DType.F32,
      "HalfStorage", DType.F16, "BFloat16Storage", DType.BF16, "LongStorage", DType.I64, "IntStorage", DType.I32,
      "ShortStorage", DType.I16, "CharStorage", DType.I8, "ByteStorage", DType.U8, "BoolStorage", DType.BOOL);
  private static final String ORDERED_DICT = "collections.OrderedDict";
  private static final Set<String> TENSORS = Set.of("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor");
  private static final Set<String> PARAMETERS
      = Set.of("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state");
  /** Says of what type a container is; how libtorch writes dictionaries and lists. */
  private static final String TYPE_TAG = "torch.jit._pickle.restore_type_tag";
  /** What else may stand beside weights: its value is not looked at. */
  private static final Set<String> OPAQUE = Set.of("argparse.Namespace", "torch.Size", "torch.device", "_codecs.encode",
      "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "torch.float64", "torch.float32",
      "torch.float16", "torch.bfloat16", "torch.int64", "torch.int32", "torch.int16", "torch.int8", "torch.uint8",
      "torch.bool");

  /** A name the pickle asked for, one of those above. */
  private record Global(String name) {}

  /** Elements kept in an entry of the archive. */
  record Storage(DType dtype, String key, long elements) {}

  /** A view of a storage, in elements; nothing of it is checked. */
  record Tensor(Storage storage, long offset, List<Long> sizes, List<Long> strides) {}

  /** A value of a kind that does not matter here. */
  record Opaque(String kind) {}

  /** A tuple; equal to itself alone. */
  static final class Tuple {
    private final List<Object> items;

    Tuple(List<Object> items) {
      this.items = items;
    }

    List<Object> items() {
      return Collections.unmodifiableList(items);
    }
  }

  private final String file;
  private final ByteBuffer in;
  private final Map<Long, Object> memo = new HashMap<>();
  private final Deque<List<Object>> marked = new ArrayDeque<>();
  private List<Object> stack = new ArrayList<>();

  private Pickle(String file, ByteBuffer in) {
    this.file = file;
    this.in = in;
  }

  /**
   * The value a pickle describes.
   *
   * @param file names the pickle in messages
   * @throws WeightsException if it is damaged or asks for anything but data
   */
  static Object read(String file, ByteBuffer bytes) {
    Pickle pickle = new Pickle(file, bytes.slice().order(ByteOrder.LITTLE_ENDIAN));
    for (int i = 0; i < MAX_STEPS; i++) {
      int opcode = pickle.number(1);
      if (opcode == '.') {
        return pickle.pop();
      }
      pickle.step(opcode);
    }
    throw pickle.bad("has more than " + MAX_STEPS + " steps");
  }

  private void step(int opcode) {
    switch (opcode) {
      case 0x80 -> {
        int protocol = number(1);
        if (protocol < 2 || protocol > 5) {
          throw bad("has protocol " + protocol + "; 2 to 5 are known");
        }
      }
      case 0x95 -> bytes(Long.BYTES);
      case '(' -> {
        marked.push(stack);
        stack = new ArrayList<>();
      }
      case '0' -> pop();
      case '1' -> toMark();
      case '2' -> push(top());
      case 'N' -> push(null);
      case 0x88 -> push(true);
      case 0x89 -> push(false);
      case 'K' -> push((long) number(1));
      case 'M' -> push((long) number(2));
      case 'J' -> push((long) number(4));
      case 0x8a -> push(integer(number(1)));
      case 0x8b -> push(integer(number(4)));
      case 'G' -> push(bytes(Double.BYTES).order(ByteOrder.BIG_ENDIAN).getDouble());
      case 0x8c, 'U' -> push(text(number(1)));
      case 'X', 'T' -> push(text(number(4)));
      case 0x8d -> push(text(length()));
      case 'C' -> opaqueBytes(number(1));
      case 'B' -> opaqueBytes(number(4));
      case 0x8e -> opaqueBytes(length());
      case ')' -> push(new Tuple(List.of()));
      case 0x85, 0x86, 0x87 -> push(new Tuple(last(opcode - 0x84)));
      case 't' -> push(new Tuple(toMark()));
      case ']' -> push(new ArrayList<>());
      case 'l' -> push(toMark());
      case 'a' -> append(last(1));
      case 'e' -> append(toMark());
      case '}' -> push(new LinkedHashMap<>());
      case 'd' -> {
        List<Object> items = toMark();
        push(new LinkedHashMap<>());
        setItems(items);
      }
      case 's' -> setItems(last(2));
      case 'u' -> setItems(toMark());
      case 'q' -> memo.put((long) number(1), top());
      case 'r' -> memo.put(number(4) & 0xFFFFFFFFL, top());
      case 0x94 -> memo.put((long) memo.size(), top());
      case 'h' -> push(recall(number(1)));
      case 'j' -> push(recall(number(4) & 0xFFFFFFFFL));
      case 'c' -> push(global(line() + "." + line()));
      case 0x93 -> {
        List<Object> names = last(2);
        if (!(names.get(0) instanceof String module) || !(names.get(1) instanceof String name)) {
          throw bad("asks for a name that is no text");
        }
        push(global(module + "." + name));
      }
      case 'R', 0x81 -> {
        List<Object> call = last(2);
        push(call(call.get(0), call.get(1)));
      }
      case 'b' -> {
        pop();
        if (!(top() instanceof Map || top() instanceof Opaque)) {
          throw bad("sets the state of " + kind(top()));
        }
      }
      case 'Q' -> push(storage(pop()));
      default -> throw bad("has the instruction 0x" + Integer.toHexString(opcode) + ", which checkpoints do not need");
    }
  }

  private Global global(String name) {
    boolean known = name.equals(ORDERED_DICT) || TENSORS.contains(name) || PARAMETERS.contains(name)
        || OPAQUE.contains(name) || name.equals(TYPE_TAG)
        || name.startsWith("torch.") && STORAGES.containsKey(name.substring("torch.".length()));
    if (!known) {
      throw bad("asks for " + name + ", which weights do not need; nothing of it was run");
    }
    return new Global(name);
  }

  private Object call(Object callee, Object arguments) {
    if (!(callee instanceof Global global) || !(arguments instanceof Tuple tuple)) {
      throw bad("calls " + kind(callee) + " with " + kind(arguments));
    }
    List<Object> args = tuple.items;
    if (OPAQUE.contains(global.name)) {
      return new Opaque(global.name);
    }
    if (global.name.equals(ORDERED_DICT) && args.isEmpty()) {
      return new LinkedHashMap<>();
    }
    if (TENSORS.contains(global.name) && args.size() >= 4 && args.get(0) instanceof Storage storage
        && args.get(1) instanceof Long offset) {
      return new Tensor(storage, offset, numbers(args.get(2)), numbers(args.get(3)));
    }
    if (PARAMETERS.contains(global.name) && !args.isEmpty() && args.get(0) instanceof Tensor tensor) {
      return tensor;
    }
    if (global.name.equals(TYPE_TAG) && args.size() == 2 && args.get(1) instanceof String) {
      return args.get(0);
    }
    throw bad("calls " + global.name + " with arguments it does not take");
  }

  private Storage storage(Object id) {
    if (id instanceof Tuple tuple && tuple.items.size() >= 5 && "storage".equals(tuple.items.get(0))
        && tuple.items.get(1) instanceof Global type && tuple.items.get(2) instanceof String key
        && tuple.items.get(4) instanceof Long elements) {
      DType dtype = STORAGES.get(type.name.substring(type.name.lastIndexOf('.') + 1));
      if (dtype != null) {
        return new Storage(dtype, key, elements);
      }
    }
    throw bad("refers to data that is no tensor's storage");
  }

  private List<Long> numbers(Object value) {
    if (value instanceof Tuple tuple && tuple.items.size() <= MAX_RANK
        && tuple.items.stream().allMatch(Long.class::isInstance)) {
      return tuple.items.stream().map(Long.class::cast).toList();
    }
    throw bad("has a tensor whose shape or strides are no integers, or more than " + MAX_RANK);
  }

  private void append(List<Object> items) {
    if (!(top() instanceof List<?>)) {
      throw bad("appends to " + kind(top()));
    }
    @SuppressWarnings("unchecked")
    List<Object> list = (List<Object>) top();
    list.addAll(items);
  }

  private void setItems(List<Object> items) {
    if (!(top() instanceof Map<?, ?>) || items.size() % 2 != 0) {
      throw bad("sets items of " + kind(top()));
    }
    @SuppressWarnings("unchecked")
    Map<Object, Object> map = (Map<Object, Object>) top();
    for (int i = 0; i < items.size(); i += 2) {
      Object key = items.get(i);
      if (key instanceof Map || key instanceof List) {
        throw bad("has " + kind(key) + " as a key");
      }
      if (map.containsKey(key)) {
        throw bad("has the key '" + key + "' twice");
      }
      // Names alone are looked up. Other keys are only told apart: of their hash codes a file could choose equal ones.
      map.put(key instanceof String ? key : new Tuple(Collections.singletonList(key)), items.get(i + 1));
    }
  }

  private Object recall(long index) {
    if (!memo.containsKey(index)) {
      throw bad("refers to value " + index + ", which it has not given");
    }
    return memo.get(index);
  }

  private Object top() {
    if (stack.isEmpty()) {
      throw bad("uses a value it has not given");
    }
    return stack.get(stack.size() - 1);
  }

  private void push(Object value) {
    stack.add(value);
  }

  private Object pop() {
    Object value = top();
    stack.remove(stack.size() - 1);
    return value;
  }

  /** Removes that many values, and gives them oldest first. */
  private List<Object> last(int count) {
    if (stack.size() < count) {
      throw bad("uses a value it has not given");
    }
    List<Object> tail = stack.subList(stack.size() - count, stack.size());
    List<Object> values = new ArrayList<>(tail);
    tail.clear();
    return values;
  }

  private List<Object> toMark() {
    if (marked.isEmpty()) {
      throw bad("goes back to a mark it has not set");
    }
    List<Object> values = stack;
    stack = marked.pop();
    return values;
  }

  private void opaqueBytes(int length) {
    bytes(length);
    push(new Opaque("bytes"));
  }

  private Object integer(int length) {
    if (length > MAX_INTEGER_BYTES) {
      throw bad("has an integer of " + length + " bytes");
    }
    ByteBuffer little = bytes(length);
    byte[] big = new byte[length + 1];
    for (int i = 0; i < length; i++) {
      big[length - i] = little.get(i);
    }
    big[0] = (byte) (length > 0 && big[1] < 0 ? -1 : 0);
    BigInteger value = new BigInteger(big);
    return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
  }

  private String text(int length) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes(length)).toString();
    } catch (CharacterCodingException e) {
      throw bad("has text that is not UTF-8");
    }
  }

  private String line() {
    StringBuilder line = new StringBuilder();
    for (int c = number(1); c != '\n'; c = number(1)) {
      if (line.length() == MAX_NAME) {
        throw bad("has a name that does not end");
      }
      line.append((char) c);
    }
    return line.toString();
  }

  private int length() {
    long length = bytes(Long.BYTES).getLong();
    return length < 0 || length > in.remaining() ? -1 : (int) length;
  }

  /** A little-endian number of 1 or 2 bytes without sign, or 4 with it. */
  private int number(int size) {
    ByteBuffer value = bytes(size);
    return size == 1 ? value.get() & 0xFF : size == 2 ? value.getShort() & 0xFFFF : value.getInt();
  }

  private ByteBuffer bytes(int length) {
    if (length < 0 || length > in.remaining()) {
      throw bad("ends in the middle of a value; the file may be cut off");
    }
    ByteBuffer slice = in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + length);
    return slice;
  }

  private static String kind(Object value) {
    if (value instanceof Global global) {
      return global.name;
    }
    return value == null ? "None" : "a " + value.getClass().getSimpleName();
  }

  private WeightsException bad(String problem) {
    return new WeightsException(file + ": the pickle " + problem + " (byte " + in.position() + ")");
  }
}
