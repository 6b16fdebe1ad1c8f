package io.vertebra.bench.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;
import io.vertebra.bench.export.OnnxExporter;
import io.vertebra.tensor.VertebraException;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/** ONNX Runtime's CPU provider with all graph optimisations; threads spin as they do by default. */
final class OnnxRuntimeEngine implements PeerEngine {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final FloatBuffer images;
  private final long[] shape;

  OnnxRuntimeEngine(Workload workload, Path file, int threads) {
    try (SessionOptions options = new SessionOptions()) {
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      options.setOptimizationLevel(OptLevel.ALL_OPT);
      this.session = environment.createSession(file.toString(), options);
    } catch (OrtException e) {
      throw failure(e);
    }
    this.images = workload.channelsFirst().asFloatBuffer();
    this.shape = Arrays.stream(workload.shape().toArray()).asLongStream().toArray();
  }

  @Override
  public String name() {
    return "onnxruntime";
  }

  @Override
  public float[] run() {
    try (OnnxTensor input = OnnxTensor.createTensor(environment, images, shape);
        OrtSession.Result outputs = session.run(Map.of(OnnxExporter.INPUT, input))) {
      FloatBuffer logits = ((OnnxTensor) outputs.get(0)).getFloatBuffer();
      float[] values = new float[logits.remaining()];
      logits.get(values);
      return values;
    } catch (OrtException e) {
      throw failure(e);
    }
  }

  @Override
  public void compute() {
    try (OnnxTensor input = OnnxTensor.createTensor(environment, images, shape)) {
      session.run(Map.of(OnnxExporter.INPUT, input)).close();
    } catch (OrtException e) {
      throw failure(e);
    }
  }

  private static VertebraException failure(OrtException e) {
    return new VertebraException("ONNX Runtime: " + e.getMessage(), e);
  }

  @Override
  public void close() {
    try {
      session.close();
    } catch (OrtException e) {
      throw failure(e);
    }
  }
}
