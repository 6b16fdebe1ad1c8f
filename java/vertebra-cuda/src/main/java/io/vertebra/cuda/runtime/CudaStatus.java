package io.vertebra.cuda.runtime;

import io.vertebra.tensor.VertebraException;
import java.util.Map;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import jcuda.CudaException;
import jcuda.driver.CUresult;
import jcuda.jcublas.cublasStatus;

/** Turns what the driver and cuBLAS answer into exceptions that say what failed and what to do. */
final class CudaStatus {
  private static final String LOST
      = "a kernel went wrong, and this process cannot use the GPU any more: start it anew, and run it under"
          + " compute-sanitizer to see which kernel it was";
  private static final String CAPTURE = "the work given to the stream cannot be captured into a graph";

  /** What to do about the errors for which there is something to say. */
  private static final Map<String, String> ADVICE = Map.ofEntries(
      Map.entry("CUDA_ERROR_NO_DEVICE",
          "there is no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it; nvidia-smi lists what there is"),
      Map.entry("CUDA_ERROR_STUB_LIBRARY",
          "the libcuda.so.1 found is the toolkit's stub: take its folder from LD_LIBRARY_PATH"),
      Map.entry("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
          "libcuda.so.1 and the kernel module are of different versions: restart the machine or reload"
              + " the module after an update of the driver; in a container, use the host's libcuda.so.1"),
      Map.entry("CUDA_ERROR_SYSTEM_NOT_READY",
          "the machine's NVIDIA services are not running yet: start nvidia-fabricmanager"),
      Map.entry("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
          "this GPU does not allow the forward compatibility package: take its folder from"
              + " LD_LIBRARY_PATH, and update the driver"),
      Map.entry("CUDA_ERROR_OPERATING_SYSTEM",
          "the operating system refused: in a container, see that the GPU's devices are passed in"),
      Map.entry("CUDA_ERROR_UNKNOWN", "the driver does not work: see what nvidia-smi and the kernel's log (dmesg) say"),
      Map.entry("CUDA_ERROR_DEVICE_UNAVAILABLE",
          "another process holds the GPU for itself: nvidia-smi -c DEFAULT lets several use it"),
      Map.entry("CUDA_ERROR_OUT_OF_MEMORY",
          "the GPU's memory is out: close other sessions, and other processes that nvidia-smi lists"),
      Map.entry("CUDA_ERROR_ECC_UNCORRECTABLE", "the GPU's memory is damaged: reset or replace it"),
      Map.entry("CUDA_ERROR_ILLEGAL_ADDRESS", LOST), Map.entry("CUDA_ERROR_MISALIGNED_ADDRESS", LOST),
      Map.entry("CUDA_ERROR_ILLEGAL_INSTRUCTION", LOST), Map.entry("CUDA_ERROR_LAUNCH_FAILED", LOST),
      Map.entry("CUDA_ERROR_LAUNCH_TIMEOUT", LOST), Map.entry("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", CAPTURE),
      Map.entry("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", CAPTURE),
      Map.entry("CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", CAPTURE),
      Map.entry("CUBLAS_STATUS_NOT_INITIALIZED",
          "cuBLAS found no working GPU or too little free device memory, or the driver is older than" + " this cuBLAS"),
      Map.entry("CUBLAS_STATUS_ALLOC_FAILED",
          "free device memory: close other sessions, and other processes that nvidia-smi lists"),
      Map.entry("CUBLAS_STATUS_ARCH_MISMATCH", "this cuBLAS does not know the GPU: install a newer one"));

  private CudaStatus() {}

  /** Calls the driver. @param what for the message: {@code "copying 12 bytes"} */
  static void driver(String what, IntSupplier call) {
    driver(() -> what, call);
  }

  /** The same, where the words are to be found only on failure. */
  static void driver(Supplier<String> what, IntSupplier call) {
    String error = driverError(call);
    if (error != null) {
      throw failure(what.get(), error);
    }
  }

  /** Calls the driver, and gives the name of the error, or null. */
  static String driverError(IntSupplier call) {
    try {
      int status = call.getAsInt();
      return status == CUresult.CUDA_SUCCESS ? null : CUresult.stringFor(status);
    } catch (CudaException e) {
      return e.getMessage();
    }
  }

  /** Calls cuBLAS. */
  static void cublas(Supplier<String> what, IntSupplier call) {
    try {
      int status = call.getAsInt();
      if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
        throw failure(what.get(), cublasStatus.stringFor(status));
      }
    } catch (CudaException e) {
      throw failure(what.get(), e.getMessage());
    }
  }

  static VertebraException failure(String what, String error) {
    String advice = ADVICE.get(error);
    return new VertebraException(what + " failed with " + error + (advice == null ? "" : ": " + advice));
  }
}
