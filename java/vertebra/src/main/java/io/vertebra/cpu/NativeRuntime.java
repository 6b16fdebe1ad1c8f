package io.vertebra.cpu;

import io.vertebra.natives.JavaCpp;
import io.vertebra.tensor.VertebraException;

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
    try {
      JavaCpp.requireLoaderOf(NativeRuntime.class);
      NativeConfig.LIBRARY.link(Native.class);
      return switch (Native.vtb_init()) {
        case Native.VTB_OK -> {
          warnIfSlow();
          yield null;
        }
        case Native.VTB_UNKNOWN_ISA -> new VertebraException("VERTEBRA_ISA=" + System.getenv("VERTEBRA_ISA")
            + " is no instruction set level; use generic, avx2, avx512, avx512_vnni, avx512_bf16 or amx");
        case Native.VTB_UNSUPPORTED_ISA -> new VertebraException("VERTEBRA_ISA=" + System.getenv("VERTEBRA_ISA")
            + " asks for more than this machine has, " + Native.vtb_isa_name(Native.vtb_isa_detected()) + ", because "
            + Native.vtb_isa_limit() + "; it can only lower the level");
        default -> new VertebraException("the native library failed to initialise");
      };
    } catch (VertebraException e) {
      return e;
    } catch (LinkageError | IllegalCallerException e) {
      return NativeConfig.LIBRARY.failure(e);
    }
  }

  private static void warnIfSlow() {
    if (Native.vtb_isa_level() == Native.VTB_ISA_GENERIC) {
      boolean able = Native.vtb_isa_detected() != Native.VTB_ISA_GENERIC;
      System.getLogger("io.vertebra").log(System.Logger.Level.WARNING,
          "The kernels run without vector instructions, ten times slower and more: "
              + (able ? "VERTEBRA_ISA=generic asks for it." : "this CPU has no AVX2, or the hypervisor hides it."));
    }
  }
}
