package io.vertebra.cuda.natives;

import io.vertebra.natives.JavaCpp;
import io.vertebra.natives.NativeLibrary;
import org.bytedeco.javacpp.ClassProperties;
import org.bytedeco.javacpp.LoadEnabled;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how to map {@code vertebra_cuda.h} and {@code vertebra_cuda_emulator.h}: addresses, handles among them,
 * are plain {@code long} values.
 */
@Properties(value = @Platform(value = "linux-x86_64", include = {"vertebra_cuda.h", "vertebra_cuda_emulator.h"},
    library = "jnivertebra_cuda"), target = "io.vertebra.cuda.natives", global = "io.vertebra.cuda.natives.Native")
public class NativeConfig implements InfoMapper, LoadEnabled {
  public static final NativeLibrary LIBRARY
      = new NativeLibrary("vertebra-cuda", NativeLibrary.RESOURCES + "libjnivertebra_cuda.so", NativeConfig.class);

  @Override
  public void map(InfoMap map) {
    map.putFirst(new Info("float").valueTypes("float").pointerTypes("@Cast(\"float*\") long"));
    map.putFirst(new Info("uint8_t").valueTypes("byte").pointerTypes("@Cast(\"uint8_t*\") long"));
    map.putFirst(new Info("int32_t").valueTypes("int").pointerTypes("@Cast(\"int32_t*\") long"));
    map.putFirst(new Info("uint64_t").valueTypes("@Cast(\"uint64_t\") long"));
    map.putFirst(new Info("void").valueTypes("void").pointerTypes("@Cast(\"void*\") long"));
    map.putFirst(new Info("char").valueTypes("char").pointerTypes("@Cast(\"const char*\") String"));
    for (String handle : new String[] {"stream", "graph", "kernel", "event"}) {
      String type = "vtbe_" + handle;
      map.put(new Info(type).pointerTypes("@Cast(\"" + type + "*\") long").skip());
    }
    map.put(new Info("vtbe_launch")
        .javaText("@NoException(true) public static native @Cast(\"vtbe_status\") int vtbe_launch("
            + "@Cast(\"vtbe_stream*\") long stream, @Cast(\"const vtbe_kernel*\") long kernel, int grid_x, int grid_y,"
            + " int grid_z, int block_x, int block_y, int block_z, int shared_bytes,"
            + " @Cast(\"const void*\") byte[] args);"));
  }

  /** Called by JavaCPP's loader before it looks for the library: tells it where that is. */
  @Override
  public void init(ClassProperties properties) {
    JavaCpp.findIn(properties, LIBRARY);
  }
}
