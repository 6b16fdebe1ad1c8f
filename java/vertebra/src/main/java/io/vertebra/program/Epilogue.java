package io.vertebra.program;

/**
 * What is fused behind a matrix product: {@code out[map(i)] = activation(product[i] + bias) + residual[map(i)]}.
 *
 * @param bias {@code [out channels]}, or null
 * @param residual a tensor shaped like the output, or null
 * @param map where each row goes, or null for its own place; -1 drops the row
 */
public record Epilogue(Weights bias, Activation activation, Tensor residual, RowMap map) {
  public static Epilogue bias(Weights bias) {
    return new Epilogue(bias, Activation.IDENTITY, null, null);
  }

  public Epilogue activation(Activation function) {
    return new Epilogue(bias, function, residual, map);
  }

  /** Adds {@code tensor}, which the output may then replace in memory. */
  public Epilogue residual(Tensor tensor) {
    return new Epilogue(bias, activation, tensor, map);
  }

  public Epilogue scatter(RowMap rows) {
    return new Epilogue(bias, activation, residual, rows);
  }
}
