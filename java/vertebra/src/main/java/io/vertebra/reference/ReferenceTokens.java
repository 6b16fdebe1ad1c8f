package io.vertebra.reference;

import io.vertebra.program.op.ScoreTokens;
import io.vertebra.program.op.TokenChoice;
import io.vertebra.tensor.Shape;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Plain loops for the operations on chosen tokens. */
final class ReferenceTokens {
  private ReferenceTokens() {}

  /**
   * For every token of an image its row among the shrunken ones, 1 to kept; -1 if it is left out.
   *
   * @param scores of all images, or null if all tokens are kept
   */
  private static int[] rows(double[] scores, int image, int tokens, int kept) {
    boolean[] chosen = new boolean[tokens];
    if (kept == tokens) {
      Arrays.fill(chosen, true);
    } else {
      IntStream.range(0, tokens).boxed().sorted(Comparator.comparingDouble((Integer i) -> -scores[image * tokens + i]))
          .limit(kept).forEach(i -> chosen[i] = true);
    }
    int[] rows = new int[tokens];
    int next = 1;
    for (int i = 0; i < tokens; i++) {
      rows[i] = chosen[i] ? next++ : -1;
    }
    return rows;
  }

  static double[] shrink(TokenChoice choice, Shape shape, double[] in, double[] scores, double[] classToken,
      double[] out) {
    int batch = shape.dim(0);
    int channels = shape.channels();
    int tokens = shape.positions();
    int kept = choice.kept();
    int shrunken = choice.shrunken(shape, 1).dim(1);
    for (int image = 0; image < batch; image++) {
      int to = image * shrunken;
      int representative = to + kept + 1;
      System.arraycopy(classToken, classToken.length / batch * image, out, to * channels, channels);
      int[] rows = rows(scores, image, tokens, kept);
      int first = image * tokens;
      double total = IntStream.range(0, tokens).filter(i -> rows[i] < 0).mapToDouble(i -> scores[first + i]).sum();
      for (int i = 0; i < tokens; i++) {
        int from = (first + i) * channels;
        for (int c = 0; c < channels; c++) {
          if (rows[i] > 0) {
            out[(to + rows[i]) * channels + c] = in[from + c];
          } else {
            out[representative * channels + c] += scores[first + i] / total * in[from + c];
          }
        }
      }
    }
    return out;
  }

  static double[] recover(TokenChoice choice, Shape shape, double[] in, double[] scores, double[] before,
      double[] after, double[] out) {
    int channels = shape.channels();
    int tokens = shape.positions();
    int kept = choice.kept();
    int shrunken = choice.shrunken(shape, 1).dim(1);
    for (int image = 0; image < shape.dim(0); image++) {
      int from = image * shrunken;
      int[] rows = rows(scores, image, tokens, kept);
      for (int i = 0; i < tokens * channels; i++) {
        int at = image * tokens * channels + i;
        int row = rows[i / channels];
        int source = (from + (row > 0 ? row : kept + 1)) * channels + i % channels;
        out[at] = row > 0 ? after[source] : in[at] + after[source] - before[source];
      }
    }
    return out;
  }

  static double[] score(ScoreTokens op, Shape shape, double[] qkv, double[] scores, double[] out) {
    int batch = shape.dim(0);
    int n = shape.dim(1);
    int kept = op.choice().kept();
    int tokens = out.length / batch;
    int width = op.heads() * op.headDim();
    for (int image = 0; image < batch; image++) {
      double[] mean = new double[n];
      for (int head = 0; head < op.heads(); head++) {
        double[] weights = new double[n];
        int query = image * n * 3 * width + head * op.headDim();
        for (int j = 0; j < n; j++) {
          int key = (image * n + j) * 3 * width + width + head * op.headDim();
          for (int d = 0; d < op.headDim(); d++) {
            weights[j] += qkv[query + d] * qkv[key + d] * op.scale();
          }
        }
        ReferenceLoops.softmax(weights, 0, n);
        for (int j = 0; j < n; j++) {
          mean[j] += weights[j] / op.heads();
        }
      }
      int[] rows = rows(scores, image, tokens, kept);
      for (int i = 0; i < tokens; i++) {
        int at = image * tokens + i;
        int row = rows[i] < 0 && kept + 1 == tokens ? kept + 1 : rows[i];
        if (scores == null) {
          out[at] = mean[row];
        } else {
          out[at] = row < 0 ? scores[at] : (1 - op.tradeOff()) * scores[at] + op.tradeOff() * mean[row];
        }
      }
    }
    return out;
  }

  static double[] poolScores(Shape shape, double[] in, Shape outShape, double[] out) {
    int height = outShape.dim(-3);
    int width = outShape.dim(-2);
    int batch = shape.dim(0);
    for (int i = 0; i < out.length; i++) {
      int map = i / (height * width);
      int top = (map * shape.dim(-3) + i / width % height * 2) * shape.dim(-2) + i % width * 2;
      out[i] = (in[top] + in[top + 1] + in[top + shape.dim(-2)] + in[top + shape.dim(-2) + 1]) / 4;
    }
    for (int image = 0; image < batch; image++) {
      int from = image * (out.length / batch);
      double factor = sum(in, image, batch) / sum(out, image, batch);
      for (int i = from; i < from + out.length / batch; i++) {
        out[i] *= factor;
      }
    }
    return out;
  }

  private static double sum(double[] values, int image, int batch) {
    int count = values.length / batch;
    return Arrays.stream(values, image * count, (image + 1) * count).sum();
  }
}
