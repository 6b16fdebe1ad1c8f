package io.vertebra.backbone;

import io.vertebra.program.Recorder;

/** A backbone whose feature maps go through a neck. */
record NeckedBackbone(Backbone backbone, Neck neck, Signature signature) implements Backbone {
  static NeckedBackbone of(Backbone backbone, Neck neck) {
    Signature bare = backbone.signature();
    return new NeckedBackbone(backbone, neck, new Signature(bare.inputChannels(), bare.embeddingWidth(), bare.classes(),
        neck.outputNames(), neck.outputStrides(bare.featureStrides())));
  }

  @Override
  public void forward(Recorder recorder) {
    backbone.forward(recorder);
  }

  @Override
  public void features(Recorder recorder) {
    neck.forward(recorder, recorder.outputsOf(backbone.signature().featureNames(), backbone::features));
  }
}
