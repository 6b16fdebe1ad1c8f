package io.vertebra.reference;

import io.vertebra.backend.Program;
import io.vertebra.image.Image;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.tensor.DirectMemory;
import io.vertebra.tensor.Tensor;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Interprets a recording in double precision, one array a tensor. */
final class ReferenceProgram extends Program {
  private final ReferencePreprocessor preprocessor;
  private final Map<Tensor, double[]> arrays = new HashMap<>();
  private final List<FloatBuffer> inputs = new ArrayList<>();

  ReferenceProgram(Recording recording, ReferencePreprocessor preprocessor) {
    super(recording, preprocessor);
    this.preprocessor = preprocessor;
    for (Tensor input : recording.inputs()) {
      int elements = Math.toIntExact(input.shape().elements());
      inputs.add(DirectMemory.allocate(elements * Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer());
      arrays.put(input, new double[elements]);
    }
  }

  @Override
  protected FloatBuffer inputMemory(int index) {
    return inputs.get(index);
  }

  @Override
  protected void prepare(int element, Image image) {
    float[] values = preprocessor.apply(image);
    inputs.get(0).put(element * values.length, values);
  }

  @Override
  protected void execute(int index) {
    if (index == 0) {
      for (int n = 0; n < inputs.size(); n++) {
        FloatBuffer input = inputs.get(n);
        Arrays.setAll(arrays.get(recording().inputs().get(n)), input::get);
      }
    }
    Call call = recording().calls().get(index);
    double[] out = new double[Math.toIntExact(call.out().shape().elements())];
    call.accept(new ReferenceLoops(arrays, arrays.get(call.in()), out));
    arrays.put(call.out(), out);
  }

  @Override
  protected void copy(Tensor tensor, float[] into, int offset) {
    double[] values = arrays.get(tensor);
    if (values == null) {
      throw new IllegalStateException(tensor + " has not been computed yet");
    }
    for (int i = 0; i < values.length; i++) {
      into[offset + i] = (float) values[i];
    }
  }

  @Override
  public long workspaceBytes() {
    return arrays.values().stream().mapToLong(array -> (long) array.length * Double.BYTES).sum();
  }

  @Override
  protected void release() {
    arrays.clear();
  }
}
