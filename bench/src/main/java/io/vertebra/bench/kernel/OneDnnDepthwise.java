package io.vertebra.bench.kernel;

import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Window;
import io.vertebra.reference.ReferenceBackend.ReferenceWeights;
import io.vertebra.tensor.Shape;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive_attr;

/** oneDNN's grouped convolution in fp32, weights in the layout it prefers, bias and activation fused. */
final class OneDnnDepthwise extends OneDnnKernel {
  private final boolean channelsLast;

  /** @param channelsLast maps are channels last, as ours; otherwise in the layout that oneDNN likes best */
  OneDnnDepthwise(ModelKernel kernel, boolean channelsLast, int threads) {
    super(threads);
    this.channelsLast = channelsLast;
    DepthwiseConv op = (DepthwiseConv) kernel.calls().get(0).op();
    Shape in = kernel.shape();
    Window window = op.window();
    long groups = in.dim(1);
    long multiplier = op.multiplier();
    long channels = groups * multiplier;
    int height = window.size().height();
    int width = window.size().width();
    Shape out = window.slide(Shape.of(in.dim(0), in.dim(2), in.dim(3), in.dim(1)), Math.toIntExact(channels));
    long[] inDims = {in.dim(0), groups, in.dim(2), in.dim(3)};
    long[] outDims = {out.dim(0), channels, out.dim(1), out.dim(2)};
    long[] kernelDims = {groups, multiplier, 1, height, width};
    memory.data_type f32 = memory.data_type.f32;
    memory.format_tag layout = channelsLast ? memory.format_tag.nhwc : memory.format_tag.any;
    memory.desc taps = new memory.desc(kernelDims, f32, new long[] {multiplier, 1, 1, width * channels, channels});
    memory.desc bias = new memory.desc(new long[] {channels}, f32, memory.format_tag.x);
    long[] strides = {window.stride().height(), window.stride().width()};
    long[] padding = {window.padding().height(), window.padding().width()};
    memory.desc source = new memory.desc(inDims, f32, layout);
    memory.desc weights = new memory.desc(kernelDims, f32, memory.format_tag.any);
    memory.desc result = new memory.desc(outDims, f32, layout);
    dnnl.prop_kind kind = dnnl.prop_kind.forward_inference;
    dnnl.algorithm direct = dnnl.algorithm.convolution_direct;
    primitive_attr attributes = attributes(op.activation(), false);
    convolution_forward.primitive_desc chosen = op.bias() == null
        ? new convolution_forward.primitive_desc(cpu, kind, direct, source, weights, result, strides, padding, padding,
            attributes, false)
        : new convolution_forward.primitive_desc(cpu, kind, direct, source, weights, bias, result, strides, padding,
            padding, attributes, false);
    prepare(new convolution_forward(chosen),
        memory(kernel.operand(), new memory.desc(inDims, f32, memory.format_tag.nhwc), chosen.src_desc()),
        memory(((ReferenceWeights) op.weights()).values(), taps, chosen.weights_desc()),
        op.bias() == null ? null : memory(((ReferenceWeights) op.bias()).values(), bias, bias), chosen.dst_desc(),
        new memory.desc(outDims, f32, memory.format_tag.nhwc), null);
  }

  @Override
  public String name() {
    return channelsLast ? "onednn nhwc" : "onednn any";
  }
}
