package io.vertebra.reference;

import static io.vertebra.reference.ReferenceBackend.values;

import io.vertebra.backend.Program;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Interprets a recording in double precision, one array a tensor. */
final class ReferenceProgram extends Program {
  private final Map<Tensor, double[]> arrays = new HashMap<>();
  private final List<FloatBuffer> inputs = new ArrayList<>();

  ReferenceProgram(Recording recording) {
    super(recording);
    for (Tensor input : recording.inputs()) {
      int elements = Math.toIntExact(input.shape().elements());
      inputs.add(ByteBuffer.allocateDirect(elements * Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer());
      arrays.put(input, new double[elements]);
    }
  }

  @Override
  protected FloatBuffer inputMemory(int index) {
    return inputs.get(index);
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
    double[] in = arrays.get(call.in());
    Shape shape = call.in().shape();
    double[] out = new double[Math.toIntExact(call.out().shape().elements())];
    if (call.op() instanceof Op.Linear op) {
      linear(op, shape, in, out);
    } else if (call.op() instanceof Op.LayerNorm op) {
      int width = call.out().shape().channels();
      for (int row = 0; row < call.out().shape().rows(); row++) {
        System.arraycopy(readRow(op.rows(), in, row, width), 0, out, row * width, width);
      }
    } else if (call.op() instanceof Op.WindowAttention op) {
      windowAttention(op, shape.rows() / op.tokens(), in, out);
    } else if (call.op() instanceof Op.MeanPool) {
      meanPool(shape, in, out);
    } else if (call.op() instanceof Op.Softmax) {
      for (int row = 0; row < shape.rows(); row++) {
        System.arraycopy(in, row * shape.channels(), out, row * shape.channels(), shape.channels());
        softmax(out, row * shape.channels(), shape.channels());
      }
    } else if (call.op() instanceof Op.DepthwiseConv op) {
      ReferenceMaps.depthwiseConv(op, shape, in, call.out().shape(), out);
    } else if (call.op() instanceof Op.Convolution op) {
      RowSource taps = new RowSource(Op.Convolution.WINDOW.rows(shape), null);
      linear(new Op.Linear(taps, op.weights(), Epilogue.bias(op.bias()).activation(op.activation())), shape, in, out);
    } else if (call.op() instanceof Op.GlobalFilter op) {
      ReferenceMaps.globalFilter(op, shape, in, out);
    } else if (call.op() instanceof Op.Pool op) {
      ReferenceMaps.pool(op, shape, in, call.out().shape(), out);
    } else if (call.op() instanceof Op.AdaptiveAveragePool) {
      ReferenceMaps.adaptiveAveragePool(shape, in, call.out().shape(), out);
    } else if (call.op() instanceof Op.Bilinear) {
      ReferenceMaps.bilinear(shape, in, call.out().shape(), out);
    } else if (call.op() instanceof Op.Affine op) {
      affine(op, shape, in, out);
    } else if (call.op() instanceof Op.Sum op) {
      sum(op, call.out().shape(), out);
    } else if (call.op() instanceof Op.ShrinkTokens op) {
      ReferenceTokens.shrink(shape, in, arrays.get(op.choice().scores()), op.choice().kept(),
          arrays.get(op.classToken()), out);
    } else if (call.op() instanceof Op.RecoverTokens op) {
      ReferenceTokens.recover(shape, in, arrays.get(op.choice().scores()), op.choice().kept(), arrays.get(op.before()),
          arrays.get(op.after()), out);
    } else if (call.op() instanceof Op.ScoreTokens op) {
      ReferenceTokens.score(op, shape, in, arrays.get(op.choice().scores()), out);
    } else if (call.op() instanceof Op.PoolScores) {
      ReferenceTokens.poolScores(shape, in, call.out().shape(), out);
    } else {
      throw new IllegalArgumentException("the reference backend has no loop for " + call);
    }
    arrays.put(call.out(), out);
  }

  private void linear(Op.Linear op, Shape shape, double[] in, double[] out) {
    int n = op.weights().shape().dim(0);
    int k = op.weights().shape().dim(1);
    float[] weights = values(op.weights());
    Epilogue epilogue = op.epilogue();
    float[] bias = epilogue.bias() == null ? null : values(epilogue.bias());
    double[] residual = epilogue.residual() == null ? null : arrays.get(epilogue.residual());
    Epilogue.Gate gate = epilogue.gate();
    int rows = op.rows().map() == null ? shape.rows() : op.rows().map().size();
    for (int row = 0; row < rows; row++) {
      int target = epilogue.map() == null ? row : epilogue.map().row(row);
      if (target < 0) {
        continue;
      }
      double[] a = readRow(op.rows(), in, row, k);
      for (int j = 0; j < n; j++) {
        double sum = 0;
        for (int i = 0; i < k; i++) {
          sum += a[i] * weights[j * k + i];
        }
        sum += bias == null ? 0 : bias[j];
        if (!epilogue.activationLast()) {
          sum = Functions.apply(epilogue.activation(), sum);
        }
        if (gate != null) {
          sum *= arrays.get(gate.tensor())[target * gate.tensor().shape().channels() + gate.firstChannel() + j];
        }
        int added = epilogue.residualRows() == null ? target : epilogue.residualRows().row(target);
        if (residual != null && added >= 0) {
          sum += residual[added * n + j];
        }
        out[target * n + j] = epilogue.activationLast() ? Functions.apply(epilogue.activation(), sum) : sum;
      }
    }
  }

  private void affine(Op.Affine op, Shape shape, double[] in, double[] out) {
    int channels = shape.channels();
    int image = in.length / shape.dim(0);
    for (int i = 0; i < in.length; i++) {
      int c = i % channels;
      double value = in[i] * (op.factor() == null ? 1 : arrays.get(op.factor())[i / image * channels + c]);
      value
          = value * (op.scale() == null ? 1 : values(op.scale())[c]) + (op.shift() == null ? 0 : values(op.shift())[c]);
      out[i] = Functions.apply(op.activation(), value);
    }
  }

  private void sum(Op.Sum op, Shape shape, double[] out) {
    int channels = shape.channels();
    for (int row = 0; row < shape.rows(); row++) {
      for (int c = 0; c < channels; c++) {
        double sum = 0;
        for (Op.Sum.Term term : op.terms()) {
          int source = term.map() == null ? row : term.map().row(row);
          if (source >= 0) {
            int at = source * channels + c;
            sum += term.tensor() != null ? arrays.get(term.tensor())[at] : values(term.weights())[at];
          }
        }
        out[row * channels + c] = Functions.apply(op.activation(), sum);
      }
    }
  }

  /** Row {@code row} of an operand: gathered, then normalised. */
  private static double[] readRow(RowSource source, double[] in, int row, int width) {
    double[] result = new double[width];
    RowMap map = source.map();
    if (map == null) {
      System.arraycopy(in, row * width, result, 0, width);
    } else {
      int segment = width / map.groups();
      for (int g = 0; g < map.groups(); g++) {
        int from = map.row(row * map.groups() + g);
        if (from >= 0) {
          System.arraycopy(in, from * segment, result, g * segment, segment);
        } else if (map.groups() == 1) {
          return result;
        }
      }
    }
    if (source.norm() != null) {
      normalise(source.norm(), result);
    }
    return result;
  }

  private static void normalise(Norm norm, double[] row) {
    double mean = 0;
    for (double value : row) {
      mean += value / row.length;
    }
    double variance = 0;
    for (double value : row) {
      variance += (value - mean) * (value - mean) / row.length;
    }
    double scale = 1 / Math.sqrt(variance + norm.eps());
    float[] gamma = values(norm.gamma());
    float[] beta = values(norm.beta());
    for (int i = 0; i < row.length; i++) {
      row[i] = (row[i] - mean) * scale * gamma[i] + beta[i];
    }
  }

  private static void windowAttention(Op.WindowAttention op, int windows, double[] qkv, double[] out) {
    int tokens = op.tokens();
    int dim = op.headDim();
    int width = op.heads() * dim;
    float[] bias = op.bias() == null ? null : values(op.bias());
    double[] weights = new double[tokens];
    for (int window = 0; window < windows; window++) {
      for (int head = 0; head < op.heads(); head++) {
        for (int i = 0; i < tokens; i++) {
          int query = (window * tokens + i) * 3 * width + head * dim;
          for (int j = 0; j < tokens; j++) {
            int key = (window * tokens + j) * 3 * width + width + head * dim;
            double sum = 0;
            for (int d = 0; d < dim; d++) {
              sum += qkv[query + d] * qkv[key + d];
            }
            weights[j]
                = sum * op.scale() + (bias == null ? 0 : bias[head * (bias.length / op.heads()) + op.biasIndex(i, j)])
                    - penalty(op, window, i, j);
          }
          softmax(weights, 0, tokens);
          for (int d = 0; d < dim; d++) {
            double sum = 0;
            for (int j = 0; j < tokens; j++) {
              sum += weights[j] * qkv[(window * tokens + j) * 3 * width + 2 * width + head * dim + d];
            }
            out[(window * tokens + i) * width + head * dim + d] = sum;
          }
        }
      }
    }
  }

  private static double penalty(Op.WindowAttention op, int window, int i, int j) {
    if (op.mask() == null) {
      return 0;
    }
    int masked = window % op.mask().windows();
    return op.mask().label(masked, i) == op.mask().label(masked, j) ? 0 : 100;
  }

  static void softmax(double[] values, int from, int length) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = from; i < from + length; i++) {
      max = Math.max(max, values[i]);
    }
    double sum = 0;
    for (int i = from; i < from + length; i++) {
      values[i] = Math.exp(values[i] - max);
      sum += values[i];
    }
    for (int i = from; i < from + length; i++) {
      values[i] /= sum;
    }
  }

  private static void meanPool(Shape shape, double[] in, double[] out) {
    int channels = shape.channels();
    int tokens = shape.rows() / shape.dim(0);
    for (int row = 0; row < shape.rows(); row++) {
      for (int c = 0; c < channels; c++) {
        out[row / tokens * channels + c] += in[row * channels + c] / tokens;
      }
    }
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
