package io.vertebra.cpu;

import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.image.Image;
import io.vertebra.image.ImageException;
import io.vertebra.image.Pixels;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Resampling;
import io.vertebra.program.Recording;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/**
 * Preprocessing by the native kernel. Weights are kept from one image to the next of the same size; memory grows to
 * what the largest image needed. Pixels in direct buffers are read where they are, others are copied to native memory
 * first.
 */
final class CpuPreprocessor implements Preprocessor {
  private final Preprocessing recipe;
  private final CpuBackend backend;
  private final long pool;
  private final NativeMemory struct = new NativeMemory(Loader.sizeof(vtb_preprocess_args.class));
  private final NativeMemory normalised;
  private final vtb_preprocess_args args;
  private NativeMemory weights;
  private NativeMemory scratch;
  private NativeMemory staging;
  private ByteBuffer stagedBytes;
  private IntBuffer stagedInts;
  private Buffer source;
  private long sourceAddress;
  private boolean closed;

  /** The backend is released when this is closed. */
  CpuPreprocessor(Preprocessing recipe, CpuBackend backend, long pool) {
    this.recipe = recipe;
    this.backend = backend;
    this.pool = pool;
    this.normalised = NativeMemory.of(recipe.normalisedSamples());
    this.args = new vtb_preprocess_args(NativeMemory.at(struct.address(), struct.bytes())).width(0).height(0)
        .out_width(recipe.width()).out_height(recipe.height()).normalised(normalised.address());
  }

  @Override
  public Preprocessing recipe() {
    return recipe;
  }

  @Override
  public Program compile(Recording recording) {
    return backend.compile(recording, this);
  }

  /** Writes {@code [height, width, 3]} floats to the address {@code out}. */
  void apply(Image image, long out) {
    if (closed) {
      throw new IllegalStateException("the preprocessor is closed");
    }
    Pixels pixels = image.pixels();
    if (pixels.width() != args.width() || pixels.height() != args.height()) {
      bind(pixels.width(), pixels.height());
    }
    args.pixel_stride(pixels.pixelStride()).row_stride(pixels.rowStride()).red(pixels.red()).green(pixels.green())
        .blue(pixels.blue()).pixels(address(pixels)).out(out);
    long needed = backend.threads() * Native.vtb_preprocess_scratch(args);
    scratch = grown(scratch, needed);
    args.scratch(scratch.address());
    Native.vtb_preprocess(pool, args.address());
  }

  /** Makes the weights for images of a size. */
  private void bind(int width, int height) {
    Preprocessing.Layout layout = recipe.layout(width, height);
    Resampling columns = recipe.columns(width, layout);
    Resampling rows = recipe.rows(height, layout);
    int[][] tables = {columns.firstToArray(), columns.packedWeights(), rows.firstToArray(), rows.packedWeights()};
    long bytes = 0;
    for (int[] table : tables) {
      bytes += (long) table.length * Integer.BYTES;
    }
    // Set again last of all: whatever fails on the way, no image passes for one of the old tables' size.
    args.width(0);
    weights = grown(weights, bytes);
    IntBuffer memory = weights.buffer(0, bytes).asIntBuffer();
    long[] addresses = new long[tables.length];
    for (int i = 0; i < tables.length; i++) {
      addresses[i] = weights.address() + (long) memory.position() * Integer.BYTES;
      memory.put(tables[i]);
    }
    args.x_first(addresses[0]).x_weights(addresses[1]).x_taps(columns.taps()).y_first(addresses[2])
        .y_weights(addresses[3]).y_taps(rows.taps()).height(height).width(width);
  }

  private long address(Pixels pixels) {
    Buffer data = pixels.data();
    if (data.isDirect()) {
      if (data != source) {
        sourceAddress = address(data);
        source = data;
      }
      return sourceAddress + pixels.offset();
    }
    long bytes = (pixels.height() - 1L) * pixels.rowStride() + (long) pixels.width() * pixels.pixelStride();
    if (bytes > Integer.MAX_VALUE) {
      throw new ImageException("an image of " + pixels.width() + " x " + pixels.height() + " pixels takes " + bytes
          + " bytes; hand over larger ones than 2 GiB scaled down");
    }
    if (stagedInts == null || staging.bytes() < bytes) {
      stagedInts = null;
      staging = grown(staging, bytes);
      stagedBytes = NativeMemory.buffer(staging);
      stagedInts = stagedBytes.asIntBuffer();
    }
    if (data instanceof IntBuffer ints) {
      stagedInts.put(0, ints, pixels.offset(), (int) bytes / Integer.BYTES);
    } else {
      stagedBytes.put(0, (ByteBuffer) data, pixels.offset(), (int) bytes);
    }
    return staging.address();
  }

  /**
   * Where a direct buffer's element 0 lies, whatever its position. Callers keep the answer, because asking creates
   * objects.
   */
  private static long address(Buffer buffer) {
    // Of a buffer not at position 0 JavaCPP takes the elements to have the pointer's size, which an untyped pointer
    // does not know.
    try (Pointer pointer = new Pointer(buffer.duplicate().clear()) {
    }) {
      return pointer.address();
    }
  }

  private static NativeMemory grown(NativeMemory memory, long bytes) {
    // Address 0: an error (a stack overflow, say) kept what was to replace closed memory from its field.
    if (memory != null && memory.address() != 0 && memory.bytes() >= bytes) {
      return memory;
    }
    NativeMemory larger = new NativeMemory(bytes);
    if (memory != null) {
      memory.close();
    }
    return larger;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      for (NativeMemory memory : new NativeMemory[] {struct, normalised, weights, scratch, staging}) {
        if (memory != null) {
          memory.close();
        }
      }
      backend.release();
    }
  }
}
