package io.vertebra.bench.kernel;

import com.sun.jna.NativeLibrary;
import io.vertebra.program.op.Activation;
import java.nio.file.Path;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerScope;

/**
 * A oneDNN primitive with its memory. Do not load libtorch in the same process: it has a oneDNN of its own inside, and
 * the two share what they should not.
 */
public abstract class OneDnnKernel implements Kernel {
  protected final engine cpu;
  private final PointerScope scope = new PointerScope();
  private final stream queue;
  private final IntMemoryMap arguments = new IntMemoryMap();
  private primitive primitive;
  private memory out;
  private memory plainOut;
  private float[] residual;

  /** @param threads for the calling thread, which is the one that must run it */
  protected OneDnnKernel(int threads) {
    setThreads(threads);
    this.cpu = new engine(engine.kind.cpu, 0);
    this.queue = new stream(cpu);
  }

  /** oneDNN takes OpenMP's number, which only OpenMP itself can change. */
  private static void setThreads(int threads) {
    Path folder = Path.of(Loader.load(dnnl.class)).getParent();
    NativeLibrary.getInstance(folder.resolve("libgomp.so.1").toString()).getFunction("omp_set_num_threads")
        .invokeVoid(new Object[] {threads});
  }

  protected static primitive_attr attributes(Activation activation, boolean residual) {
    post_ops after = new post_ops();
    switch (activation) {
      case GELU -> after.append_eltwise(dnnl.algorithm.eltwise_gelu_erf, 0, 0);
      case RELU -> after.append_eltwise(dnnl.algorithm.eltwise_relu, 0, 0);
      case SILU -> after.append_eltwise(dnnl.algorithm.eltwise_swish, 1, 0);
      case SIGMOID -> after.append_eltwise(dnnl.algorithm.eltwise_logistic, 0, 0);
      case TANH -> after.append_eltwise(dnnl.algorithm.eltwise_tanh, 0, 0);
      case IDENTITY -> {
      }
    }
    if (residual) {
      after.append_sum();
    }
    primitive_attr attributes = new primitive_attr();
    attributes.set_post_ops(after);
    return attributes;
  }

  /** Values laid out as {@code given} says, converted to {@code wanted}. */
  protected final memory memory(float[] values, memory.desc given, memory.desc wanted) {
    memory plain = new memory(given, cpu);
    new FloatPointer(plain.get_data_handle()).put(values, 0, values.length);
    if (given.equals(wanted)) {
      return plain;
    }
    memory converted = new memory(wanted, cpu);
    reorder(plain, converted);
    return converted;
  }

  private void reorder(memory from, memory to) {
    new reorder(from, to).execute(queue, from, to);
    queue._wait();
  }

  /**
   * Settles what is run, on what.
   *
   * @param bias may be null
   * @param plain how {@link #output} and the residual are laid out, fp32
   * @param start what the output holds at first; null if that does not matter
   */
  protected final void prepare(primitive made, memory source, memory weights, memory bias, memory.desc result,
      memory.desc plain, float[] start) {
    primitive = made;
    residual = start;
    out = new memory(result, cpu);
    plainOut = new memory(plain, cpu);
    arguments.put(dnnl.DNNL_ARG_SRC, source).put(dnnl.DNNL_ARG_WEIGHTS, weights).put(dnnl.DNNL_ARG_DST, out);
    if (bias != null) {
      arguments.put(dnnl.DNNL_ARG_BIAS, bias);
    }
    reset();
  }

  @Override
  public final void run() {
    primitive.execute(queue, arguments);
    queue._wait();
  }

  @Override
  public final void reset() {
    if (residual != null) {
      new FloatPointer(plainOut.get_data_handle()).put(residual, 0, residual.length);
      reorder(plainOut, out);
    }
  }

  @Override
  public final float[] output() {
    reorder(out, plainOut);
    float[] values = new float[(int) (plainOut.get_desc().get_size() / Float.BYTES)];
    new FloatPointer(plainOut.get_data_handle()).get(values);
    return values;
  }

  @Override
  public final void close() {
    scope.close();
  }
}
