package io.vertebra.cpu;

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
 * Tells JavaCPP how to map {@code vertebra.h}. Addresses are plain {@code long} values, so that neither filling an
 * argument struct nor running an operation creates {@code Pointer} objects.
 */
@Properties(value = @Platform(value = "linux-x86_64", include = "vertebra.h", library = "jnivertebra"),
    target = "io.vertebra.cpu", global = "io.vertebra.cpu.Native")
public class NativeConfig implements InfoMapper, LoadEnabled {
  static final NativeLibrary LIBRARY
      = new NativeLibrary("vertebra", NativeLibrary.RESOURCES + "libjnivertebra.so", NativeConfig.class);

  /** Operations: functions of a pool and their argument struct. */
  private static final String[] OPERATIONS = {"gemm", "layer_norm", "window_attention", "mean_pool", "softmax", "sum",
    "affine", "depthwise_conv", "convolution", "global_filter", "window_pool", "adaptive_average_pool", "bilinear",
    "shrink_tokens", "recover_tokens", "score_tokens", "pool_scores", "preprocess"};

  @Override
  public void map(InfoMap map) {
    map.putFirst(new Info("float").valueTypes("float").pointerTypes("@Cast(\"float*\") long"));
    map.putFirst(new Info("int32_t").valueTypes("int").pointerTypes("@Cast(\"int32_t*\") long"));
    map.putFirst(new Info("uint8_t").valueTypes("byte").pointerTypes("@Cast(\"uint8_t*\") long"));
    map.putFirst(new Info("void").valueTypes("void").pointerTypes("@Cast(\"void*\") long"));
    map.put(new Info("vtb_pool").pointerTypes("@Cast(\"vtb_pool*\") long"));
    map.put(new Info("vertebra.h").linePatterns("typedef struct vtb_pool vtb_pool;").skip());
    for (String operation : OPERATIONS) {
      map.put(new Info("vtb_" + operation)
          .javaText("@NoException(true) public static native @Cast(\"vtb_status\") int vtb_" + operation
              + "(@Cast(\"vtb_pool*\") long pool, @Cast(\"const vtb_" + operation + "_args*\") long args);"));
    }
    map.putFirst(new Info("char").valueTypes("char").pointerTypes("@Cast(\"const char*\") String"));
  }

  /** Called by JavaCPP's loader before it looks for the library: tells it where that is. */
  @Override
  public void init(ClassProperties properties) {
    JavaCpp.findIn(properties, LIBRARY);
  }
}
