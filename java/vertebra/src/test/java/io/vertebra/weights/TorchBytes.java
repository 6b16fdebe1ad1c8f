package io.vertebra.weights;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** PyTorch checkpoints put together by hand, right or wrong. */
final class TorchBytes {
  private TorchBytes() {}

  /** A zip archive of stored entries; its fields can be set to anything. */
  static final class Zip {
    private record Entry(String name, String localName, byte[] data, int method, int flags, long claimed) {}

    private final List<Entry> entries = new ArrayList<>();
    private boolean zip64;

    Zip add(String name, byte... data) {
      return add(name, name, data, 0, 0, data.length);
    }

    Zip add(String name, String text) {
      return add(name, text.getBytes(StandardCharsets.UTF_8));
    }

    Zip add(String name, String localName, byte[] data, int method, int flags, long claimed) {
      entries.add(new Entry(name, localName, data, method, flags, claimed));
      return this;
    }

    /** Writes sizes and positions in their 64-bit fields alone. */
    Zip zip64() {
      zip64 = true;
      return this;
    }

    byte[] bytes() {
      return bytes(1 << 12);
    }

    /** @param most no more bytes than this */
    byte[] bytes(int most) {
      ByteBuffer out = ByteBuffer.allocate(most).order(ByteOrder.LITTLE_ENDIAN);
      long[] headers = new long[entries.size()];
      for (int i = 0; i < headers.length; i++) {
        Entry entry = entries.get(i);
        byte[] name = entry.localName.getBytes(StandardCharsets.UTF_8);
        headers[i] = out.position();
        out.putInt(0x04034b50).putShort((short) 20).putShort((short) entry.flags).putShort((short) entry.method)
            .putInt(0).putInt(0).putInt((int) entry.claimed).putInt((int) entry.claimed).putShort((short) name.length)
            .putShort((short) 0).put(name).put(entry.data);
      }
      int start = out.position();
      for (int i = 0; i < headers.length; i++) {
        Entry entry = entries.get(i);
        byte[] name = entry.name.getBytes(StandardCharsets.UTF_8);
        out.putInt(0x02014b50).putShort((short) 20).putShort((short) 20).putShort((short) entry.flags)
            .putShort((short) entry.method).putInt(0).putInt(0).putInt(zip64 ? -1 : (int) entry.claimed)
            .putInt(zip64 ? -1 : (int) entry.claimed).putShort((short) name.length).putShort((short) (zip64 ? 28 : 0))
            .putShort((short) 0).putShort((short) 0).putShort((short) 0).putInt(0).putInt(zip64 ? -1 : (int) headers[i])
            .put(name);
        if (zip64) {
          out.putShort((short) 1).putShort((short) 24).putLong(entry.claimed).putLong(entry.claimed)
              .putLong(headers[i]);
        }
      }
      int length = out.position() - start;
      if (zip64) {
        int end = out.position();
        out.putInt(0x06064b50).putLong(44).putShort((short) 45).putShort((short) 45).putInt(0).putInt(0)
            .putLong(headers.length).putLong(headers.length).putLong(length).putLong(start).putInt(0x07064b50).putInt(0)
            .putLong(end).putInt(1);
      }
      out.putInt(0x06054b50).putInt(0).putShort((short) headers.length).putShort((short) headers.length)
          .putInt(zip64 ? -1 : length).putInt(zip64 ? -1 : start).putShort((short) 0);
      return Arrays.copyOf(out.array(), out.position());
    }
  }

  /** Writes a pickle, instruction by instruction. */
  static final class Pickler {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Pickler() {
      raw(0x80, 2);
    }

    Pickler raw(int... bytes) {
      for (int b : bytes) {
        out.write(b);
      }
      return this;
    }

    Pickler raw(String text) {
      out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
      return this;
    }

    Pickler text(String text) {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      return raw('X', bytes.length, bytes.length >> 8, 0, 0).raw(text);
    }

    Pickler integer(long value) {
      raw(0x8a, 8);
      for (int i = 0; i < 8; i++) {
        raw((int) (value >> 8 * i) & 0xFF);
      }
      return this;
    }

    Pickler integers(long... values) {
      raw('(');
      for (long value : values) {
        integer(value);
      }
      return raw('t');
    }

    Pickler global(String module, String name) {
      return raw("c" + module + "\n" + name + "\n");
    }

    Pickler dictionary() {
      return global("collections", "OrderedDict").raw(")R");
    }

    Pickler storage(String type, String key, long elements) {
      return raw('(').text("storage").global("torch", type).text(key).text("cpu").integer(elements).raw("tQ");
    }

    /** A tensor as {@code torch.save} describes it. */
    Pickler tensor(String type, String key, long elements, long offset, long[] sizes, long[] strides) {
      return global("torch._utils", "_rebuild_tensor_v2").raw('(').storage(type, key, elements).integer(offset)
          .integers(sizes).integers(strides).raw(0x89).dictionary().raw("tR");
    }

    Pickler floats(String key, long... sizes) {
      long[] strides = new long[sizes.length];
      long elements = 1;
      for (int i = sizes.length - 1; i >= 0; i--) {
        strides[i] = elements;
        elements *= sizes[i];
      }
      return tensor("FloatStorage", key, elements, 0, sizes, strides);
    }

    byte[] end() {
      return raw('.').out.toByteArray();
    }
  }

  /** The floats 0, 1, 2, ... */
  static byte[] floats(int count) {
    ByteBuffer bytes = ByteBuffer.allocate(count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      bytes.putFloat(i);
    }
    return bytes.array();
  }

  /** A checkpoint whose storage 0 holds 24 floats. */
  static Zip checkpoint(Pickler pickle) {
    return new Zip().add("archive/data.pkl", pickle.end()).add("archive/byteorder", "little")
        .add("archive/data/0", floats(24)).add("archive/version", "3\n");
  }
}
