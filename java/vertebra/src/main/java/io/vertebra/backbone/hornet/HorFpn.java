package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Neck;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Window;
import io.vertebra.program.op.WindowPool;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * HorFPN (Rao et al., arXiv 2207.14284, section 3.3): a feature pyramid (Lin et al., arXiv 1612.03144) whose output
 * convolutions are recursive gated convolutions.
 */
public final class HorFpn implements Neck {
  private final HorFpnConfig config;
  private final List<Linear> laterals = new ArrayList<>();
  private final List<GnConvModule> outputs = new ArrayList<>();

  HorFpn(HorFpnConfig config, Parameters parameters, Backend backend) {
    Layers layers = new Layers(parameters, backend);
    this.config = config;
    Activation activation = config.relu() ? Activation.RELU : Activation.IDENTITY;
    for (int i = 0; i < config.levels(); i++) {
      int in = config.in().get(config.startLevel() + i);
      laterals
          .add(GnConvModule.convolution(layers, "lateral_convs." + i, config.out(), in, 1, config.lateralBatchNorm())
              .pack(backend).activation(activation));
      outputs.add(new GnConvModule(layers, "fpn_convs." + i + ".", config.gnconv(), config.batchNorm(), activation));
    }
    parameters.finish();
  }

  @Override
  public void forward(Recorder r, List<Tensor> maps) {
    PyramidMaps.check("HorFPN", maps, config.in());
    int levels = config.levels();
    Tensor[] lateral = new Tensor[levels];
    for (int i = levels - 1; i >= 0; i--) {
      Tensor map = maps.get(config.startLevel() + i);
      lateral[i] = r.record("lateral_convs." + i, i == levels - 1 ? laterals.get(i)
          : laterals.get(i).residual(lateral[i + 1], nearest(lateral[i + 1].shape(), map.shape())), map);
    }
    Tensor last = null;
    for (int i = 0; i < levels; i++) {
      last = outputs.get(i).forward(r.scope("fpn_convs." + i), List.of(lateral[i]));
      r.output("out" + i, last);
    }
    for (int i = levels; i < config.outputs(); i++) {
      last = r.record("subsample." + i, new WindowPool(WindowPool.Kind.MAX, Window.square(1, 2, 0)), last);
      r.output("out" + i, last);
    }
  }

  /**
   * The row of the smaller map that lies nearest to each of the larger, by the reference's rule in single precision.
   */
  static RowMap nearest(Shape from, Shape to) {
    int height = to.dim(1);
    int width = to.dim(2);
    float down = (float) from.dim(1) / height;
    float across = (float) from.dim(2) / width;
    return RowMap.of(to.rows(), 1, i -> {
      int row = Math.min((int) (i / width % height * down), from.dim(1) - 1);
      int column = Math.min((int) (i % width * across), from.dim(2) - 1);
      return (i / width / height * from.dim(1) + row) * from.dim(2) + column;
    });
  }

  @Override
  public List<String> outputNames() {
    return IntStream.range(0, config.outputs()).mapToObj(i -> "out" + i).toList();
  }

  @Override
  public List<Integer> outputStrides(List<Integer> strides) {
    int last = strides.size() - 1;
    return IntStream.range(0, config.outputs()).map(i -> config.startLevel() + i)
        .mapToObj(level -> level <= last ? strides.get(level) : strides.get(last) << level - last).toList();
  }
}
