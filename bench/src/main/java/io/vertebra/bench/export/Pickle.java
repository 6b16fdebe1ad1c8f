package io.vertebra.bench.export;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The few pickles (protocol 2, opcodes as in CPython's Lib/pickletools.py) that a TorchScript archive needs. */
final class Pickle {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  private Pickle() {
    op(0x80).op(2);
  }

  /**
   * A tuple of contiguous fp32 tensors of these shapes; tensor {@code i} has its data in the archive's entry {@code i}.
   */
  static byte[] tensors(List<int[]> shapes) {
    Pickle pickle = new Pickle().op('(');
    for (int i = 0; i < shapes.size(); i++) {
      pickle.tensor(Integer.toString(i), shapes.get(i));
    }
    return pickle.op('t').end();
  }

  /** An object of a class, without attributes. */
  static byte[] emptyObject(String module, String type) {
    return new Pickle().global(module, type).op(')').op(0x81).op('}').op('b').end();
  }

  private void tensor(String entry, int[] shape) {
    int[] strides = new int[shape.length];
    int elements = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = elements;
      elements *= shape[i];
    }
    global("torch._utils", "_rebuild_tensor_v2").op('(').op('(').text("storage").global("torch", "FloatStorage")
        .text(entry).text("cpu").integer(elements).op('t').op('Q').integer(0).integers(shape).integers(strides).op(0x89)
        .global("collections", "OrderedDict").op(')').op('R').op('t').op('R');
  }

  private Pickle integers(int[] values) {
    op('(');
    for (int value : values) {
      integer(value);
    }
    return op('t');
  }

  private Pickle integer(int value) {
    return op('J').write(ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  private Pickle text(String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    op('X').write(ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(utf8.length).array());
    return write(utf8);
  }

  private Pickle global(String module, String name) {
    return op('c').write((module + '\n' + name + '\n').getBytes(StandardCharsets.US_ASCII));
  }

  private Pickle op(int code) {
    bytes.write(code);
    return this;
  }

  private Pickle write(byte[] more) {
    bytes.writeBytes(more);
    return this;
  }

  private byte[] end() {
    return op('.').bytes.toByteArray();
  }
}
