package io.vertebra.cuda;

import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.cuda.natives.Native;
import io.vertebra.cuda.natives.vtbc_preprocess_args;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuStream;
import io.vertebra.image.Image;
import io.vertebra.image.ImageException;
import io.vertebra.image.Pixels;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Resampling;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Closing;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.util.List;

/**
 * Preprocessing on the device, straight into a program's input there: the pixels that the crop depends on are copied
 * in, and two kernels do the rest. How to resample is kept on the device from one image to the next of the same size;
 * memory grows to what the largest image needed.
 */
final class CudaPreprocessor implements Preprocessor {
  private final Preprocessing recipe;
  private final CudaBackend backend;
  private final GpuRuntime runtime;
  private final CudaMemory normalised;
  private final Room tables = new Room();
  private final Room pixels = new Room();
  private final Room filtered = new Room();
  /** What {@link #tables} hold, or null. */
  private Bound bound;
  private ByteBuffer staging;
  /** The program whose stream may still read what this holds, or null. */
  private CudaProgram reader;
  private boolean closed;

  /**
   * How images of a size are resampled. Its tables lie in one block, the weights, which kernels read by fours, first.
   *
   * @param rowCount rows of an image that count, from {@code firstRow} on
   */
  private record Bound(int width, int height, int firstRow, int rowCount, Resampling columns, Resampling rows) {
    boolean serves(Pixels image) {
      return image.width() == width && image.height() == height;
    }

    long rowWeights() {
      return (long) columns.count() * columns.taps() * Integer.BYTES;
    }

    long columnFirst() {
      return rowWeights() + (long) rows.count() * rows.taps() * Integer.BYTES;
    }

    long rowFirst() {
      return columnFirst() + (long) columns.count() * Integer.BYTES;
    }

    long tableBytes() {
      return rowFirst() + (long) rows.count() * Integer.BYTES;
    }

    void putTables(IntBuffer into) {
      into.put(columns.weightsToArray()).put(rows.weightsToArray()).put(columns.firstToArray())
          .put(rows.firstToArray());
    }
  }

  /** Device memory that only grows; what it holds is lost then. */
  private final class Room {
    private CudaMemory memory;

    /** The address of so many bytes at least. */
    long address(long bytes) {
      if (memory == null || memory.bytes() < bytes) {
        close();
        memory = new CudaMemory(runtime, bytes);
      }
      return memory.address();
    }

    void close() {
      if (memory != null) {
        CudaMemory closing = memory;
        memory = null;
        closing.close();
      }
    }
  }

  /** The backend is released when this is closed. */
  CudaPreprocessor(Preprocessing recipe, CudaBackend backend) {
    this.recipe = recipe;
    this.backend = backend;
    this.runtime = backend.runtime();
    this.normalised = CudaMemory.of(runtime, Encoding.of(recipe.normalisedSamples()));
  }

  @Override
  public Preprocessing recipe() {
    return recipe;
  }

  @Override
  public Program compile(Recording recording) {
    return backend.compile(recording, this);
  }

  /** Has a program's stream make {@code [height, width, 3]} floats at the device's address {@code to}. */
  void apply(Image image, CudaProgram program, GpuStream stream, long to) {
    if (closed) {
      throw new IllegalStateException("the preprocessor is closed");
    }
    // The pixels of the image before may still be under way.
    await();
    reader = program;
    prepare(image.pixels(), stream, to);
  }

  private void prepare(Pixels image, GpuStream stream, long to) {
    boolean known = bound != null && bound.serves(image);
    Bound size = known ? bound : bind(image.width(), image.height());
    long pixelBytes = (size.rowCount - 1L) * image.rowStride() + (long) image.width() * image.pixelStride();
    if (pixelBytes > Integer.MAX_VALUE - size.tableBytes()) {
      throw new ImageException("an image of " + image.width() + " x " + image.height() + " pixels takes " + pixelBytes
          + " bytes; hand over larger ones than 2 GiB scaled down");
    }
    // Whatever fails from here on, the next image brings its tables along.
    bound = null;
    long tablesAt = tables.address(size.tableBytes());
    long pixelsAt = pixels.address(pixelBytes);
    vtbc_preprocess_args arguments = new vtbc_preprocess_args().width(image.width()).first_row(size.firstRow)
        .rows(size.rowCount).pixel_stride(image.pixelStride()).red(image.red()).green(image.green()).blue(image.blue())
        .row_stride(image.rowStride()).pixels(pixelsAt).out_width(recipe.width()).out_height(recipe.height())
        .x_taps(size.columns.taps()).y_taps(size.rows.taps()).x_first(tablesAt + size.columnFirst()).x_weights(tablesAt)
        .y_first(tablesAt + size.rowFirst()).y_weights(tablesAt + size.rowWeights()).normalised(normalised.address())
        .out(to);
    arguments.scratch(filtered.address(Native.vtbc_preprocess_scratch(arguments)));
    int staged = known ? 0 : (int) size.tableBytes();
    requireStaging(staged + pixelBytes);
    if (!known) {
      size.putTables(staging.clear().asIntBuffer());
      stream.copyIn(tablesAt, staging.limit(staged));
    }
    bound = size;
    stagePixels(image, staged, (int) pixelBytes);
    stream.copyIn(pixelsAt, staging);
    Operation<vtbc_preprocess_args> preprocess = Native::vtbc_preprocess_launch;
    preprocess.launches(backend, arguments).forEach(launch -> stream.launch(launch.launch()));
  }

  private Bound bind(int width, int height) {
    Preprocessing.Layout layout = recipe.layout(width, height);
    Resampling columns = recipe.columns(width, layout);
    Resampling rows = recipe.rows(height, layout);
    int firstRow = rows.first(0);
    int count = Math.min(height, rows.first(rows.count() - 1) + rows.taps()) - firstRow;
    if ((long) count * recipe.width() > Integer.MAX_VALUE / 3) {
      throw new ImageException("an image of " + width + " x " + height
          + " pixels has too many rows to be resized on the device; hand it over scaled down");
    }
    return new Bound(width, height, firstRow, count, columns, rows);
  }

  private void requireStaging(long bytes) {
    if (staging == null || staging.capacity() < bytes) {
      freeStaging();
      staging = runtime.allocateHost(bytes);
    }
  }

  /** Puts the rows that count into pinned memory. */
  private void stagePixels(Pixels image, int at, int bytes) {
    staging.clear().position(at).limit(at + bytes);
    long skipped = (long) bound.firstRow * image.rowStride();
    if (image.data() instanceof IntBuffer ints) {
      staging.asIntBuffer().put(0, ints, (int) (image.offset() + skipped / Integer.BYTES), bytes / Integer.BYTES);
    } else {
      staging.put(at, (ByteBuffer) image.data(), (int) (image.offset() + skipped), bytes);
    }
  }

  private void await() {
    if (reader != null) {
      reader.await();
      reader = null;
    }
  }

  private void freeStaging() {
    if (staging != null) {
      ByteBuffer closing = staging;
      staging = null;
      runtime.freeHost(closing);
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Closing.all(List.of(this::await, normalised::close, tables::close, pixels::close, filtered::close,
          this::freeStaging, backend::release));
    }
  }
}
