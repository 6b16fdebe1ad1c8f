package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;

/**
 * What is fused behind a matrix product: with {@code r = map(i)},
 * {@code out[r] = activation(product[i] + bias) * gate[r] + residual[residualRows(r)]}, the activation coming last
 * instead if {@code activationLast}.
 *
 * @param bias {@code [out channels]}, or null
 * @param gate multiplies; or null
 * @param residual a tensor shaped like the output, or one whose rows {@code residualRows} picks; or null
 * @param residualRows the residual's row for every row of the output (-1: none), or null for its own
 * @param map where each row goes, or null for its own place; -1 drops the row
 */
public record Epilogue(Weights bias, Activation activation, boolean activationLast, Gate gate, Tensor residual,
    RowMap residualRows, RowMap map) {
  public Epilogue {
    Require.nonNull(activation, "activation");
  }

  /** Channels {@code [firstChannel, firstChannel + out channels)} of a tensor with as many rows as the output. */
  public record Gate(Tensor tensor, int firstChannel) {
    public Gate {
      Require.nonNull(tensor, "gate");
      Require.nonNegative(firstChannel, "firstChannel");
    }
  }

  static Epilogue bias(Weights bias) {
    return new Epilogue(bias, Activation.IDENTITY, false, null, null, null, null);
  }

  Epilogue activation(Activation function) {
    return new Epilogue(bias, function, false, gate, residual, residualRows, map);
  }

  Epilogue lastActivation(Activation function) {
    return new Epilogue(bias, function, true, gate, residual, residualRows, map);
  }

  Epilogue gate(Tensor tensor, int firstChannel) {
    return new Epilogue(bias, activation, activationLast, new Gate(tensor, firstChannel), residual, residualRows, map);
  }

  Epilogue residual(Tensor tensor) {
    return new Epilogue(bias, activation, activationLast, gate, tensor, null, map);
  }

  Epilogue residual(Tensor tensor, RowMap rows) {
    return new Epilogue(bias, activation, activationLast, gate, tensor, rows, map);
  }

  /**
   * Checks what follows a product of {@code rows} rows stored to a result of shape {@code out}.
   *
   * @throws IllegalArgumentException naming what does not fit
   */
  void check(int rows, Shape out) {
    if (residual == null) {
      Fit.require(residualRows == null, "residual rows without a residual", out);
    } else if (residualRows == null) {
      Fit.require(residual.shape().equals(out), "residual", out);
    } else {
      Fit.require(residual.shape().channels() == out.channels() && residualRows.groups() == 1
          && residualRows.size() == out.rows() && residualRows.fits(residual.shape().rows()), "residual rows", out);
    }
    Fit.require(gate == null || gate.tensor().shape().rows() == out.rows()
        && Fit.hasChannels(gate.tensor().shape(), gate.firstChannel(), out.channels()), "gate", out);
    Fit.require(Fit.isVector(bias, out.channels()), "bias", out);
    if (map == null) {
      Fit.require(out.rows() == rows, "output of " + rows + " rows", out);
    } else {
      Fit.require(map.groups() == 1 && map.size() == rows && map.covers(out.rows()), "row scatter", out);
    }
  }

  Epilogue scatter(RowMap rows) {
    return new Epilogue(bias, activation, activationLast, gate, residual, residualRows, rows);
  }
}
