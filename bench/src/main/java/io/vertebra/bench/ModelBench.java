package io.vertebra.bench;

import io.vertebra.Model;
import io.vertebra.Session;
import io.vertebra.image.Image;
import io.vertebra.weights.FormulaWeights;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a service calls: a decoded 640x480 image in, its embedding out, batch 1, preprocessing included. With {@code
 * -prof gc} the allocation by run is the embedding and nothing else.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@State(Scope.Benchmark)
public class ModelBench {
  private static final int WIDTH = 640;
  private static final int HEIGHT = 480;

  @Param("swin_tiny_patch4_window7_224")
  public String model;

  @Param("2")
  public int threads;

  private Model loaded;
  private Session session;
  private Image image;

  @Setup(Level.Trial)
  public void load() {
    loaded = Model.builder(model).weights(new FormulaWeights()).threads(threads).build();
    session = loaded.newSession();
    byte[] noise = new byte[3 * WIDTH * HEIGHT];
    new Random(1).nextBytes(noise);
    image = Image.rgb(ByteBuffer.allocateDirect(noise.length).put(noise).rewind(), WIDTH, HEIGHT);
  }

  @Benchmark
  public float[] embed() {
    return session.embed(image);
  }

  @TearDown(Level.Trial)
  public void close() {
    loaded.close();
  }
}
