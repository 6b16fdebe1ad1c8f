package io.vertebra.weights;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Halves;
import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * A named array: row-major, little endian, of a checkpoint and in the type it has there, or computed. Data is produced
 * each time it is asked for and not kept. Immutable and thread-safe.
 */
public final class Parameter {
  private final String name;
  private final Shape shape;
  private final DType dtype;
  private final Data data;
  private final Consumer<FloatBuffer> writer;

  /** Where bytes come from. */
  @FunctionalInterface
  interface Data {
    /**
     * @param memory gives a direct buffer of so many bytes, for what does not lie in memory yet
     * @return a direct buffer with the parameter's bytes remaining
     */
    ByteBuffer read(IntFunction<ByteBuffer> memory);
  }

  private Parameter(String name, Shape shape, DType dtype, Data data, Consumer<FloatBuffer> writer) {
    this.name = name;
    this.shape = shape;
    this.dtype = dtype;
    this.data = data;
    this.writer = writer;
  }

  /** @param data gives a direct buffer with {@code shape.elements() * dtype.bytes()} bytes remaining */
  public Parameter(String name, Shape shape, DType dtype, Supplier<ByteBuffer> data) {
    this(name, shape, dtype, memory -> data.get(), null);
  }

  static Parameter of(String name, Shape shape, DType dtype, Data data) {
    return new Parameter(name, shape, dtype, data, null);
  }

  /** fp32 values that {@code writer} computes, and puts one after the other. */
  public static Parameter computed(String name, Shape shape, Consumer<FloatBuffer> writer) {
    return new Parameter(name, shape, DType.F32, memory -> {
      ByteBuffer bytes = memory.apply(Math.toIntExact(shape.elements() * Float.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
      writer.accept(bytes.asFloatBuffer());
      return bytes;
    }, writer);
  }

  /** fp32 values held on the heap; {@code values} must not change afterwards. */
  public static Parameter of(String name, Shape shape, float[] values) {
    if (values.length != shape.elements()) {
      throw new IllegalArgumentException(name + ": " + values.length + " values do not make " + shape);
    }
    return computed(name, shape, into -> into.put(values));
  }

  /** The same data in another shape, of as many elements. */
  public Parameter reshaped(Shape other) {
    return new Parameter(name, other, dtype, data, writer);
  }

  /** Whether {@link #data} has to be made each time, in new memory; {@link #write} puts it where it is wanted. */
  public boolean isComputed() {
    return writer != null;
  }

  /**
   * Puts the values in fp32.
   *
   * @throws WeightsException for integer types, by name
   */
  public void write(FloatBuffer into) {
    if (writer != null) {
      writer.accept(into);
    } else {
      into.put(toFloats());
    }
  }

  public String name() {
    return name;
  }

  public Shape shape() {
    return shape;
  }

  public DType dtype() {
    return dtype;
  }

  /**
   * The bytes, as a direct read-only little-endian buffer from position 0. Its memory lives as long as the buffer is
   * reachable; {@link #read} does without memory of its own.
   *
   * @throws WeightsException if the file they lie in was changed or cut off meanwhile, or cannot be read
   */
  public ByteBuffer data() {
    return checked(data.read(ByteBuffer::allocateDirect));
  }

  /**
   * Lets {@code reader} look at the bytes, in a buffer as {@link #data}'s, which it must not keep.
   *
   * @return what the reader returns
   * @throws WeightsException as {@link #data}
   */
  public <T> T read(Function<ByteBuffer, T> reader) {
    return Scratch.lend(memory -> reader.apply(checked(data.read(memory))));
  }

  private ByteBuffer checked(ByteBuffer given) {
    ByteBuffer bytes = given.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    if (!bytes.isDirect() || bytes.remaining() != shape.elements() * dtype.bytes()) {
      throw new IllegalStateException(name + ": the source gave " + bytes + " for " + dtype + " " + shape);
    }
    return bytes;
  }

  /**
   * The values in fp32: F16 and BF16 exactly, F64 rounded to nearest.
   *
   * @throws WeightsException for integer types, by name
   */
  public float[] toFloats() {
    float[] values = new float[elements()];
    if (writer != null) {
      writer.accept(FloatBuffer.wrap(values));
      return values;
    }
    return read(bytes -> widen(bytes, values));
  }

  private float[] widen(ByteBuffer bytes, float[] values) {
    switch (dtype) {
      case F32 -> bytes.asFloatBuffer().get(values);
      case F64 -> {
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) bytes.getDouble(i * Double.BYTES);
        }
      }
      case F16 -> {
        ShortBuffer halves = bytes.asShortBuffer();
        for (int i = 0; i < values.length; i++) {
          values[i] = Halves.fromF16(halves.get(i));
        }
      }
      case BF16 -> {
        ShortBuffer halves = bytes.asShortBuffer();
        for (int i = 0; i < values.length; i++) {
          values[i] = Halves.fromBf16(halves.get(i));
        }
      }
      default -> throw wrongType("floating point");
    }
    return values;
  }

  /**
   * The values in fp64, exactly.
   *
   * @throws WeightsException for integer types, by name
   */
  public double[] toDoubles() {
    double[] values = new double[elements()];
    if (dtype == DType.F64) {
      read(bytes -> bytes.asDoubleBuffer().get(values));
      return values;
    }
    float[] floats = toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] = floats[i];
    }
    return values;
  }

  /**
   * The values of an integer type; BOOL gives 0 and 1.
   *
   * @throws WeightsException for floating point types, by name
   */
  public long[] toLongs() {
    if (dtype.isFloat()) {
      throw wrongType("an integer type");
    }
    long[] values = new long[elements()];
    ByteBuffer bytes = data();
    for (int i = 0; i < values.length; i++) {
      values[i] = switch (dtype) {
        case I64 -> bytes.getLong(i * Long.BYTES);
        case I32 -> bytes.getInt(i * Integer.BYTES);
        case I16 -> bytes.getShort(i * Short.BYTES);
        case I8 -> bytes.get(i);
        case BOOL -> bytes.get(i) == 0 ? 0 : 1;
        default -> bytes.get(i) & 0xFF;
      };
    }
    return values;
  }

  private int elements() {
    return Math.toIntExact(shape.elements());
  }

  private WeightsException wrongType(String wanted) {
    return new WeightsException("parameter " + name + " is " + dtype + ", but must be " + wanted);
  }

  /** {@code layers.0.blocks.0.attn.qkv.weight F32 [288, 96]}. */
  @Override
  public String toString() {
    return name + " " + dtype + " " + shape;
  }
}
