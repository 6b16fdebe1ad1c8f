package io.vertebra.backbone;

import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Weights;

/**
 * Packed weights {@code [out, in]} of a matrix product.
 *
 * @param bias {@code [out]}, or null
 */
public record Layer(Weights weights, Weights bias) {
  /** Adds the bias and nothing else. */
  public Epilogue epilogue() {
    return Epilogue.bias(bias);
  }
}
