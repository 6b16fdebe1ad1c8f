package io.vertebra.bench.gemm;

import io.vertebra.bench.kernel.OneDnnKernel;
import io.vertebra.tensor.Precision;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive_attr;

/**
 * oneDNN's matmul primitive: weights in the layout it prefers, activation and residual as post-operations. In bf16 both
 * factors are bf16 in memory, its best case; bias, residual and result are fp32.
 */
public final class OneDnnGemm extends OneDnnKernel {
  /** @param precision {@link Precision#FP32} or {@link Precision#BF16} */
  public OneDnnGemm(GemmData data, int threads, Precision precision) {
    super(threads);
    if (precision != Precision.FP32 && precision != Precision.BF16) {
      throw new IllegalArgumentException("oneDNN is compared in fp32 and bf16, not in " + precision);
    }
    GemmShape shape = data.shape();
    memory.data_type factors = precision == Precision.BF16 ? memory.data_type.bf16 : memory.data_type.f32;
    memory.data_type f32 = memory.data_type.f32;
    long[] left = {shape.m(), shape.k()};
    long[] right = {shape.k(), shape.n()};
    memory.desc a = new memory.desc(left, factors, memory.format_tag.ab);
    memory.desc packed = new memory.desc(right, factors, memory.format_tag.any);
    memory.desc bias = new memory.desc(new long[] {1, shape.n()}, f32, memory.format_tag.ab);
    memory.desc result = new memory.desc(new long[] {shape.m(), shape.n()}, f32, memory.format_tag.ab);
    primitive_attr attributes = attributes(shape.activation(), shape.residual());
    matmul.primitive_desc chosen
        = shape.bias() ? new matmul.primitive_desc(cpu, a, packed, bias, result, attributes, false)
            : new matmul.primitive_desc(cpu, a, packed, result, attributes, false);
    prepare(new matmul(chosen), memory(data.a(), new memory.desc(left, f32, memory.format_tag.ab), a),
        memory(data.weights(), new memory.desc(right, f32, memory.format_tag.ba), chosen.weights_desc()),
        shape.bias() ? memory(data.bias(), bias, bias) : null, result, result,
        shape.residual() ? data.residual() : null);
  }

  @Override
  public String name() {
    return "onednn";
  }
}
