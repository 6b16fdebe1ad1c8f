package io.vertebra.backbone;

import io.vertebra.program.Recorder;
import java.util.List;

/** A backbone whose feature maps go through a neck. */
record NeckedBackbone(Backbone backbone, Neck neck) implements Backbone {
  @Override
  public void forward(Recorder recorder) {
    backbone.forward(recorder);
  }

  @Override
  public void features(Recorder recorder) {
    neck.forward(recorder, recorder.outputsOf(backbone.featureNames(), backbone::features));
  }

  @Override
  public List<String> featureNames() {
    return neck.outputNames();
  }

  @Override
  public List<Integer> featureStrides() {
    return neck.outputStrides(backbone.featureStrides());
  }

  @Override
  public int inputChannels() {
    return backbone.inputChannels();
  }

  @Override
  public int embeddingWidth() {
    return backbone.embeddingWidth();
  }

  @Override
  public int classes() {
    return backbone.classes();
  }
}
