package io.vertebra.reference;

import static io.vertebra.reference.ReferenceBackend.values;

import io.vertebra.program.op.AdaptiveAveragePool;
import io.vertebra.program.op.Affine;
import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.MeanPool;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.PoolScores;
import io.vertebra.program.op.RecoverTokens;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.RowSource;
import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.ShrinkTokens;
import io.vertebra.program.op.Softmax;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.TokenChoice;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.Map;

/**
 * One call in plain loops: fills and gives the result. Those of maps and of chosen tokens are in files of their own.
 */
record ReferenceLoops(Map<Tensor, double[]> arrays, double[] in, double[] out) implements Op.Visitor<double[]> {
  @Override
  public double[] linear(Linear op, Call call) {
    int n = op.weights().shape().dim(0);
    int k = op.weights().shape().dim(1);
    float[] weights = values(op.weights());
    Epilogue epilogue = op.epilogue();
    float[] bias = epilogue.bias() == null ? null : values(epilogue.bias());
    double[] residual = epilogue.residual() == null ? null : arrays.get(epilogue.residual());
    Epilogue.Gate gate = epilogue.gate();
    int rows = op.rows().count(call.in().shape());
    for (int row = 0; row < rows; row++) {
      int target = epilogue.map() == null ? row : epilogue.map().row(row);
      if (target < 0) {
        continue;
      }
      double[] a = readRow(op.rows(), row, k);
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
    return out;
  }

  @Override
  public double[] affine(Affine op, Call call) {
    int channels = call.in().shape().channels();
    int image = in.length / call.in().shape().dim(0);
    for (int i = 0; i < in.length; i++) {
      int c = i % channels;
      double value = in[i] * (op.factor() == null ? 1 : arrays.get(op.factor())[i / image * channels + c]);
      value
          = value * (op.scale() == null ? 1 : values(op.scale())[c]) + (op.shift() == null ? 0 : values(op.shift())[c]);
      out[i] = Functions.apply(op.activation(), value);
    }
    return out;
  }

  @Override
  public double[] sum(Sum op, Call call) {
    Shape shape = call.out().shape();
    int channels = shape.channels();
    for (int row = 0; row < shape.rows(); row++) {
      for (int c = 0; c < channels; c++) {
        double sum = 0;
        for (Sum.Term term : op.terms()) {
          int source = term.map() == null ? row : term.map().row(row);
          if (source >= 0) {
            int at = source * channels + c;
            sum += term.tensor() != null ? arrays.get(term.tensor())[at] : values(term.weights())[at];
          }
        }
        out[row * channels + c] = Functions.apply(op.activation(), sum);
      }
    }
    return out;
  }

  /** Row {@code row} of an operand: gathered, then normalised. */
  private double[] readRow(RowSource source, int row, int width) {
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

  @Override
  public double[] windowAttention(WindowAttention op, Call call) {
    int windows = call.in().shape().rows() / op.tokens();
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
              sum += in[query + d] * in[key + d];
            }
            weights[j]
                = sum * op.scale() + (bias == null ? 0 : bias[head * (bias.length / op.heads()) + op.biasIndex(i, j)])
                    - penalty(op, window, i, j);
          }
          softmax(weights, 0, tokens);
          for (int d = 0; d < dim; d++) {
            double sum = 0;
            for (int j = 0; j < tokens; j++) {
              sum += weights[j] * in[(window * tokens + j) * 3 * width + 2 * width + head * dim + d];
            }
            out[(window * tokens + i) * width + head * dim + d] = sum;
          }
        }
      }
    }
    return out;
  }

  private static double penalty(WindowAttention op, int window, int i, int j) {
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

  @Override
  public double[] meanPool(MeanPool op, Call call) {
    Shape shape = call.in().shape();
    int channels = shape.channels();
    int tokens = shape.positions();
    for (int row = 0; row < shape.rows(); row++) {
      for (int c = 0; c < channels; c++) {
        out[row / tokens * channels + c] += in[row * channels + c] / tokens;
      }
    }
    return out;
  }

  @Override
  public double[] layerNorm(LayerNorm op, Call call) {
    int width = call.out().shape().channels();
    for (int row = 0; row < call.out().shape().rows(); row++) {
      System.arraycopy(readRow(op.rows(), row, width), 0, out, row * width, width);
    }
    return out;
  }

  @Override
  public double[] softmax(Softmax op, Call call) {
    int channels = call.in().shape().channels();
    System.arraycopy(in, 0, out, 0, in.length);
    for (int from = 0; from < in.length; from += channels) {
      softmax(out, from, channels);
    }
    return out;
  }

  @Override
  public double[] convolution(Convolution op, Call call) {
    RowSource taps = RowSource.gather(Convolution.WINDOW.rows(call.in().shape()));
    return linear(Linear.of(op.weights(), op.bias()).reading(taps).activation(op.activation()), call);
  }

  @Override
  public double[] depthwiseConv(DepthwiseConv op, Call call) {
    return ReferenceMaps.depthwiseConv(op, call.in().shape(), in, call.out().shape(), out);
  }

  @Override
  public double[] globalFilter(GlobalFilter op, Call call) {
    return ReferenceMaps.globalFilter(op, call.in().shape(), in, out);
  }

  @Override
  public double[] windowPool(WindowPool op, Call call) {
    return ReferenceMaps.pool(op, call.in().shape(), in, call.out().shape(), out);
  }

  @Override
  public double[] adaptiveAveragePool(AdaptiveAveragePool op, Call call) {
    return ReferenceMaps.adaptiveAveragePool(call.in().shape(), in, call.out().shape(), out);
  }

  @Override
  public double[] bilinear(Bilinear op, Call call) {
    return ReferenceMaps.bilinear(call.in().shape(), in, call.out().shape(), out);
  }

  @Override
  public double[] shrinkTokens(ShrinkTokens op, Call call) {
    return ReferenceTokens.shrink(op.choice(), call.in().shape(), in, scores(op.choice()), arrays.get(op.classToken()),
        out);
  }

  @Override
  public double[] recoverTokens(RecoverTokens op, Call call) {
    return ReferenceTokens.recover(op.choice(), call.in().shape(), in, scores(op.choice()), arrays.get(op.before()),
        arrays.get(op.after()), out);
  }

  @Override
  public double[] scoreTokens(ScoreTokens op, Call call) {
    return ReferenceTokens.score(op, call.in().shape(), in, scores(op.choice()), out);
  }

  @Override
  public double[] poolScores(PoolScores op, Call call) {
    return ReferenceTokens.poolScores(call.in().shape(), in, call.out().shape(), out);
  }

  private double[] scores(TokenChoice choice) {
    return arrays.get(choice.scores());
  }
}
