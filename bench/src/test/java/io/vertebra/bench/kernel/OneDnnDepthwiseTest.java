package io.vertebra.bench.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backend.Program;
import io.vertebra.bench.measure.Agreement;
import io.vertebra.bench.measure.ChannelOrder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Weights;
import io.vertebra.program.op.Window;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.FormulaWeights;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OneDnnDepthwiseTest {
  private static final double TOLERANCE = 1e-6;

  @ParameterizedTest
  @CsvSource({"3,1,1,IDENTITY,true", "3,2,1,GELU,true", "5,1,1,SILU,false", "7,1,1,RELU,true", "3,2,2,IDENTITY,true"})
  void librariesComputeTheReference(int taps, int stride, int multiplier, Activation activation, boolean bias) {
    int channels = 19 * multiplier;
    Weights weights = values("weight", Shape.of(taps * taps, channels));
    DepthwiseConv op = new DepthwiseConv(weights, bias ? values("bias", Shape.of(channels)) : null,
        Window.square(taps, stride, taps / 2), 0, multiplier, activation);
    Shape shape = Shape.of(2, 19, 13, 9);
    Shape map = Shape.of(2, 13, 9, 19);
    Call call = new Call("odd", op, new Tensor(map), new Tensor(op.result(map)));
    ModelKernel kernel = new ModelKernel(ModelKernel.Kind.DEPTHWISE, "odd", List.of(call), shape,
        FormulaWeights.input("odd", shape), 1);
    float[] expected = reference(kernel);
    try (Kernel ours = kernel.vertebra(2);
        Kernel channelsLast = new OneDnnDepthwise(kernel, true, 2);
        Kernel preferred = new OneDnnDepthwise(kernel, false, 2)) {
      for (Kernel each : List.of(ours, channelsLast, preferred)) {
        each.run();
        each.run();
        assertThat(Agreement.relativeError(each.output(), expected)).as(each.name()).isLessThan(TOLERANCE);
      }
    }
  }

  private static Weights values(String name, Shape shape) {
    return new ReferenceBackend().packValues(shape, new FormulaWeights().find(name, shape).toFloats());
  }

  private static float[] reference(ModelKernel kernel) {
    Shape shape = kernel.shape();
    ReferenceBackend backend = new ReferenceBackend();
    Recording recording = Recording.of(Shape.of(shape.dim(0), shape.dim(2), shape.dim(3), shape.dim(1)), Set.of("out"),
        r -> r.output("out", kernel.record(r, backend)));
    try (Program program = backend.compile(recording)) {
      program.input().put(0, ChannelOrder.channelsLast(kernel.images(), shape));
      program.run();
      return program.read("out");
    }
  }

  @Test
  void modelsHaveTheirKernels() {
    List<String> names = ModelKernel.of(List.of("hornet_tiny_gf"), 0).stream().map(ModelKernel::name).toList();
    assertThat(names).contains("8 x global filter 14x14x240")
        .anyMatch(name -> name.startsWith("depthwise 7x7 stride 1 on 56x56x"));
    assertThat(ModelKernel.of(List.of("swin_tiny_patch4_window7_224"), 0).stream().map(ModelKernel::name))
        .contains("attention 64x49 tokens 3x32 bias", "attention 64x49 tokens 3x32 bias mask");
  }
}
