package io.vertebra.bench.gemm;

import com.sun.jna.NativeLibrary;
import java.nio.file.Path;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.engine;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.post_ops;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerScope;

/** oneDNN's matmul primitive: weights in the layout it prefers, GELU and residual as post-operations. */
public final class OneDnnGemm implements Gemm {
  private final PointerScope scope = new PointerScope();
  private final GemmData data;
  private final NativeFloats out;
  private final matmul primitive;
  private final stream queue;
  private final IntMemoryMap arguments = new IntMemoryMap();

  /** @param data must stay open */
  public OneDnnGemm(GemmData data, int threads) {
    GemmShape shape = data.shape;
    setThreads(threads);
    this.data = data;
    this.out = new NativeFloats(data.residual);
    engine cpu = new engine(engine.kind.cpu, 0);
    this.queue = new stream(cpu);
    memory.desc a = desc(memory.format_tag.ab, shape.m(), shape.k());
    memory.desc plain = desc(memory.format_tag.ba, shape.k(), shape.n());
    memory.desc packed = desc(memory.format_tag.any, shape.k(), shape.n());
    memory.desc bias = desc(memory.format_tag.ab, 1, shape.n());
    memory.desc result = desc(memory.format_tag.ab, shape.m(), shape.n());
    primitive_attr attributes = new primitive_attr();
    post_ops after = new post_ops();
    if (shape.gelu()) {
      after.append_eltwise(dnnl.algorithm.eltwise_gelu_erf, 0, 0);
    }
    if (shape.residual()) {
      after.append_sum();
    }
    attributes.set_post_ops(after);
    matmul.primitive_desc chosen = shape.bias()
        ? new matmul.primitive_desc(cpu, a, packed, bias, result, attributes, false)
        : new matmul.primitive_desc(cpu, a, packed, result, attributes, false);
    memory weights = new memory(chosen.weights_desc(), cpu);
    memory source = new memory(plain, cpu, data.weights);
    new reorder(source, weights).execute(queue, source, weights);
    queue._wait();
    this.primitive = new matmul(chosen);
    arguments.put(dnnl.DNNL_ARG_SRC, new memory(a, cpu, data.a)).put(dnnl.DNNL_ARG_WEIGHTS, weights)
        .put(dnnl.DNNL_ARG_DST, new memory(result, cpu, out));
    if (shape.bias()) {
      arguments.put(dnnl.DNNL_ARG_BIAS, new memory(bias, cpu, data.bias));
    }
  }

  private static memory.desc desc(memory.format_tag layout, long rows, long columns) {
    return new memory.desc(new long[] {rows, columns}, memory.data_type.f32, layout);
  }

  /**
   * For the calling thread, which is the one that runs: oneDNN takes OpenMP's number, which only OpenMP itself can
   * change.
   */
  private static void setThreads(int threads) {
    Path folder = Path.of(Loader.load(dnnl.class)).getParent();
    NativeLibrary.getInstance(folder.resolve("libgomp.so.1").toString()).getFunction("omp_set_num_threads")
        .invokeVoid(new Object[] {threads});
  }

  @Override
  public void run() {
    primitive.execute(queue, arguments);
    queue._wait();
  }

  @Override
  public void reset() {
    out.set(data.residual);
  }

  @Override
  public float[] output() {
    return out.toArray();
  }

  @Override
  public void close() {
    scope.close();
    out.close();
  }
}
