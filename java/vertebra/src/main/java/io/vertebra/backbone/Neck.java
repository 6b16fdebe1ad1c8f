package io.vertebra.backbone;

import io.vertebra.program.Recorder;
import io.vertebra.tensor.Tensor;
import java.util.List;

/**
 * What turns a backbone's feature maps into others for a dense task, such as a feature pyramid or a segmentation head:
 * weights packed for a backend. Immutable and thread-safe.
 */
public interface Neck {
  /**
   * Records the neck over maps {@code [batch, height, width, channels]}, finest first, and names its
   * {@link #outputNames()}.
   *
   * @throws IllegalArgumentException if it takes another number of maps or other channels
   */
  void forward(Recorder recorder, List<Tensor> maps);

  /** Outputs of {@link #forward}, {@code [batch, height, width, channels]} each. */
  List<String> outputNames();

  /**
   * Input pixels per position of each of {@link #outputNames()}.
   *
   * @param strides of the maps the neck takes
   */
  List<Integer> outputStrides(List<Integer> strides);

  /** {@code backbone} with this neck behind it: its feature maps are the neck's outputs, all else is as it was. */
  default Backbone over(Backbone backbone) {
    return NeckedBackbone.of(backbone, this);
  }
}
