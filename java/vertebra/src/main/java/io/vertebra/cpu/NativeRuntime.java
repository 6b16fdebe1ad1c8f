package io.vertebra.cpu;

import io.vertebra.natives.JavaCpp;
import io.vertebra.tensor.VertebraException;
import java.util.Locale;

/** Loads the native library and fills its dispatch table, once, and says clearly why when that fails. */
final class NativeRuntime {
  private static final VertebraException FAILURE = tryLoad();

  private NativeRuntime() {}

  /** @throws VertebraException if the library does not load or VERTEBRA_ISA asks for what is not there */
  static void require() {
    if (FAILURE != null) {
      throw new VertebraException(FAILURE.getMessage(), FAILURE);
    }
  }

  private static VertebraException tryLoad() {
    String os = System.getProperty("os.name");
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    if (!os.equals("Linux") || !(arch.equals("amd64") || arch.equals("x86_64"))) {
      return new VertebraException("the CPU kernels are built for Linux on x86-64; this is " + os + " on " + arch
          + ". The reference backend runs anywhere, slowly");
    }
    try {
      JavaCpp.requireLoaderOf(NativeRuntime.class);
      return switch (Native.vtb_init()) {
        case Native.VTB_OK -> null;
        case Native.VTB_UNKNOWN_ISA -> new VertebraException("VERTEBRA_ISA=" + System.getenv("VERTEBRA_ISA")
            + " is no instruction set level; use generic, avx2, avx512, avx512_vnni, avx512_bf16 or amx");
        case Native.VTB_UNSUPPORTED_ISA -> new VertebraException("VERTEBRA_ISA=" + System.getenv("VERTEBRA_ISA")
            + " asks for more than this machine has, " + Native.vtb_isa_name(Native.vtb_isa_detected()) + ", because "
            + Native.vtb_isa_limit() + "; it can only lower the level");
        default -> new VertebraException("the native library failed to initialise");
      };
    } catch (VertebraException e) {
      return e;
    } catch (LinkageError e) {
      return NativeConfig.LIBRARY.failure(e);
    }
  }
}
