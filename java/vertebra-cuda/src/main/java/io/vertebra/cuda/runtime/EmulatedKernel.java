package io.vertebra.cuda.runtime;

import java.nio.ByteBuffer;
import java.util.List;

/** @param signature a letter a parameter: p pointer, i int32, l int64, f float */
record EmulatedKernel(String name, long handle, String signature) implements GpuKernel {
  static EmulatedKernel named(String name) {
    long handle = Emulator.vtbe_kernel_find(name);
    if (handle == 0) {
      throw new IllegalArgumentException("there is no kernel " + name);
    }
    return new EmulatedKernel(name, handle, Emulator.vtbe_kernel_signature(handle));
  }

  @Override
  public void allowShared(int bytes) {
    EmulatedRuntime.check(Emulator.vtbe_kernel_allow_shared(handle, bytes));
  }

  /**
   * Writes the values of the arguments, 8 bytes each.
   *
   * @throws IllegalArgumentException if they are not what the kernel takes
   */
  void pack(List<Object> arguments, ByteBuffer values) {
    if (arguments.size() != signature.length()) {
      throw new IllegalArgumentException(name + " takes " + signature.length() + " arguments, not " + arguments.size());
    }
    for (int i = 0; i < arguments.size(); i++) {
      Object argument = arguments.get(i);
      char letter = signature.charAt(i);
      int at = i * Long.BYTES;
      if (argument instanceof Long value && (letter == 'p' || letter == 'l')) {
        values.putLong(at, value);
      } else if (argument instanceof Integer value && letter == 'i') {
        values.putInt(at, value);
      } else if (argument instanceof Float value && letter == 'f') {
        values.putFloat(at, value);
      } else {
        throw new IllegalArgumentException(name + ": parameter " + i + " is " + type(letter) + ", the argument "
            + (argument == null ? "null" : argument.getClass().getSimpleName() + " " + argument));
      }
    }
  }

  private static String type(char letter) {
    return switch (letter) {
      case 'p' -> "a pointer (Long)";
      case 'l' -> "an int64 (Long)";
      case 'i' -> "an int32 (Integer)";
      default -> "a float (Float)";
    };
  }
}
