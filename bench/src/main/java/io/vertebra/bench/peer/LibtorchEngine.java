package io.vertebra.bench.peer;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * libtorch through DJL, running TorchScript. DJL copies the native libraries of its jars to {@code ~/.djl.ai} once; it
 * is told to stay off the network.
 */
final class LibtorchEngine implements PeerEngine {
  private final Model model;
  private final Predictor<NDList, NDList> predictor;
  private final ByteBuffer images;
  private final Shape shape;

  static {
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("OPT_OUT_TRACKING", "true");
    System.setProperty("ai.djl.pytorch.num_interop_threads", "1");
  }

  LibtorchEngine(Workload workload, Path file, int threads) throws IOException {
    this.model = Model.newInstance("model", "PyTorch");
    JniUtils.setNumThreads(threads);
    try {
      model.load(file.getParent(), file.getFileName().toString());
    } catch (MalformedModelException e) {
      throw new VertebraException("libtorch: " + e.getMessage(), e);
    }
    this.predictor = model.newPredictor(new NoopTranslator());
    this.images = workload.channelsFirst();
    this.shape = new Shape(Arrays.stream(workload.shape().toArray()).asLongStream().toArray());
  }

  @Override
  public String name() {
    return "libtorch";
  }

  @Override
  public float[] run() {
    try (NDManager manager = model.getNDManager().newSubManager()) {
      NDArray input = manager.create(images, shape, DataType.FLOAT32);
      NDList outputs = predictor.predict(new NDList(input));
      return outputs.singletonOrThrow().toFloatArray();
    } catch (TranslateException e) {
      throw new VertebraException("libtorch: " + e.getMessage(), e);
    }
  }

  @Override
  public void compute() {
    try (NDManager manager = model.getNDManager().newSubManager()) {
      predictor.predict(new NDList(manager.create(images, shape, DataType.FLOAT32))).close();
    } catch (TranslateException e) {
      throw new VertebraException("libtorch: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    predictor.close();
    model.close();
  }
}
