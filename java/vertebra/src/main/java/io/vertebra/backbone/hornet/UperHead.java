package io.vertebra.backbone.hornet;

import io.vertebra.backbone.Layers;
import io.vertebra.backbone.Matrix;
import io.vertebra.backbone.Neck;
import io.vertebra.backend.Backend;
import io.vertebra.program.Recorder;
import io.vertebra.program.op.Activation;
import io.vertebra.program.op.AdaptiveAveragePool;
import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.RowMap;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import io.vertebra.weights.Parameters;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * HorFPN's segmentation head (Rao et al., arXiv 2207.14284, section 3.3): UPerNet (Xiao et al., arXiv 1807.10221) whose
 * last convolution is a recursive gated one. Its output {@code logits} has the finest map's size. All batch norms are
 * folded.
 */
public final class UperHead implements Neck {
  private static final String LOGITS = "logits";

  private final UperHeadConfig config;
  private final Backend backend;
  private final List<Linear> pooled = new ArrayList<>();
  private final List<Linear> bottleneck = new ArrayList<>();
  private final List<Linear> laterals = new ArrayList<>();
  private final List<Convolution> outputs = new ArrayList<>();
  private final GnConvModule fusion;
  private final Linear classifier;

  UperHead(UperHeadConfig config, Parameters parameters, Backend backend) {
    Layers layers = new Layers(parameters, backend);
    this.config = config;
    this.backend = backend;
    int channels = config.channels();
    int deepest = config.in().get(config.in().size() - 1);
    int scales = config.poolScales().size();
    for (int m = 0; m < scales; m++) {
      pooled.add(GnConvModule.convolution(layers, "psp_modules." + m + ".1", channels, deepest, 1, true).pack(backend)
          .activation(Activation.RELU));
    }
    Matrix joint = GnConvModule.convolution(layers, "bottleneck", channels, deepest + scales * channels, 3, true);
    bottleneck.add(part(joint, 0, deepest));
    for (int m = 0; m < scales; m++) {
      bottleneck.add(Linear.of(part(joint, deepest + m * channels, channels).weights(), null));
    }
    for (int i = 0; i < config.in().size() - 1; i++) {
      laterals.add(GnConvModule.convolution(layers, "lateral_convs." + i, channels, config.in().get(i), 1, true)
          .pack(backend).activation(Activation.RELU));
      outputs.add(GnConvModule.convolution(layers, "fpn_convs." + i, channels, channels, 3, true)
          .packConvolution(backend, Activation.RELU));
    }
    this.fusion = new GnConvModule(layers, "fpn_bottleneck.", config.gnconv(), true, Activation.RELU);
    this.classifier = Matrix.of(parameters, "conv_seg", true, config.classes(), channels, 1, 1).pack(backend);
    parameters.finish();
  }

  /** What a 3x3 convolution does to some of the channels it takes. */
  private Linear part(Matrix convolution, int first, int channels) {
    int in = convolution.in() / 9;
    return convolution
        .columns(IntStream.range(0, 9 * channels).map(i -> i / channels * in + first + i % channels).toArray())
        .pack(backend);
  }

  @Override
  public void forward(Recorder r, List<Tensor> maps) {
    PyramidMaps.check("UPerNet", maps, config.in());
    int deepest = maps.size() - 1;
    Tensor[] levels = new Tensor[maps.size()];
    levels[deepest] = pyramidPooling(r, maps.get(deepest));
    for (int i = deepest - 1; i >= 0; i--) {
      Tensor upper = resize(r, "top_down." + i, levels[i + 1], maps.get(i).shape());
      levels[i] = r.record("lateral_convs." + i, laterals.get(i).residual(upper), maps.get(i));
    }
    List<Tensor> fused = new ArrayList<>();
    for (int i = 0; i < maps.size(); i++) {
      Tensor out = i == deepest ? levels[i] : r.record("fpn_convs." + i, outputs.get(i), levels[i]);
      fused.add(resize(r, "fpn_convs." + i + ".resize", out, maps.get(0).shape()));
    }
    Tensor features = fusion.forward(r.scope("fpn_bottleneck"), fused);
    r.output(LOGITS, r.record("conv_seg", classifier, features));
  }

  /**
   * Means over coarse grids, projected, resized and convolved together with the map; a sum of convolutions instead of
   * one of all side by side.
   */
  private Tensor pyramidPooling(Recorder r, Tensor map) {
    List<Tensor> parts = new ArrayList<>(List.of(map));
    for (int m = 0; m < pooled.size(); m++) {
      String name = "psp_modules." + m;
      int scale = config.poolScales().get(m);
      Tensor grid = r.record(name + ".0", new AdaptiveAveragePool(scale, scale), map);
      Tensor projected = r.record(name + ".1", pooled.get(m), grid);
      parts.add(resize(r, name + ".resize", projected, map.shape()));
    }
    RowMap taps = Convolution.WINDOW.rows(map.shape());
    Shape shape = map.shape().withChannels(config.channels());
    Tensor sum = null;
    for (int i = 0; i < parts.size(); i++) {
      Linear product = bottleneck.get(i).gather(taps);
      product = sum == null ? product : product.residual(sum);
      product = i == parts.size() - 1 ? product.lastActivation(Activation.RELU) : product;
      sum = r.record("bottleneck." + i, product, parts.get(i), shape);
    }
    return sum;
  }

  private static Tensor resize(Recorder r, String name, Tensor x, Shape like) {
    boolean same = x.shape().dim(1) == like.dim(1) && x.shape().dim(2) == like.dim(2);
    return same ? x : r.record(name, new Bilinear(like.dim(1), like.dim(2)), x);
  }

  @Override
  public List<String> outputNames() {
    return List.of(LOGITS);
  }

  @Override
  public List<Integer> outputStrides(List<Integer> strides) {
    return List.of(strides.get(0));
  }
}
