package io.vertebra.cuda.runtime;

import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.natives.NativeConfig;
import io.vertebra.program.Observer;
import io.vertebra.program.op.Call;
import jcuda.driver.JCudaDriver;

/**
 * What NVIDIA's profilers, Nsight Systems and Nsight Compute, are told of a run. Without one of them around the process
 * this costs and does nothing; likewise names, where the build had no CUDA toolkit.
 */
public final class Nsight {
  static {
    NativeConfig.LIBRARY.link(Native.class);
  }

  private Nsight() {}

  /** Begins a range of this thread's time (NVTX), inside of those it has begun and not ended. */
  private static native void push(String name);

  /** Ends the range that this thread began last. */
  private static native void pop();

  /**
   * Does work that profilers take who were told to wait for cudaProfilerStart.
   *
   * @param work on this thread, which has run something on a GPU before
   */
  public static void capture(Runnable work) {
    CudaStatus.driver("starting the profiler", JCudaDriver::cuProfilerStart);
    try {
      work.run();
    } finally {
      CudaStatus.driver("stopping the profiler", JCudaDriver::cuProfilerStop);
    }
  }

  /** The work as a range of that name. */
  public static void named(String name, Runnable work) {
    push(name);
    try {
      work.run();
    } finally {
      pop();
    }
  }

  /** An observer that, in addition, makes every call a range that bears the call's name. */
  public static Observer named(Observer observer) {
    return new Observer() {
      @Override
      public void before(int index, Call call) {
        push(call.name());
        observer.before(index, call);
      }

      @Override
      public void after(int index, Call call) {
        observer.after(index, call);
        pop();
      }

      @Override
      public boolean readsTensors() {
        return observer.readsTensors();
      }

      @Override
      public void timed(int index, Call call, double begin, double end) {
        observer.timed(index, call, begin, end);
      }
    };
  }
}
