package io.vertebra.cuda;

import io.vertebra.cuda.runtime.GpuKernel;
import io.vertebra.cuda.runtime.GpuLaunch;
import io.vertebra.cuda.runtime.GpuRuntime;
import io.vertebra.cuda.runtime.GpuStream;
import io.vertebra.image.Image;
import io.vertebra.image.ImageException;
import io.vertebra.image.Pixels;
import io.vertebra.image.Preprocessing;
import io.vertebra.image.Preprocessor;
import io.vertebra.image.ReferencePreprocessor;
import io.vertebra.image.Resampling;
import io.vertebra.program.Program;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.List;

/**
 * Preprocessing on the device, straight into a program's input there: the pixels that the crop depends on are copied in, and two kernels do the rest.
 * Weights are kept from one image to the next of the same size; memory grows to what the largest image needed.
 */
final class CudaPreprocessor implements Preprocessor {
  private static final int THREADS = LaunchList.THREADS;

  private final Preprocessing recipe;
  private final CudaBackend backend;
  private final GpuRuntime runtime;
  private final ReferencePreprocessor onHost;
  private final CudaMemory normalised;
  private final GpuKernel columnsKernel;
  private final GpuKernel rowsKernel;
  private Bound bound;
  private CudaMemory pixels;
  private CudaMemory filtered;
  private ByteBuffer staging;
  /** The program whose stream may still read what this holds, or null. */
  private CudaProgram reader;
  private boolean closed;

  /** How images of a size are resampled: the rows that count, and four tables on the device. */
  private record Bound(int width, int height, int firstRow, int rows, int columnTaps, int rowTaps, CudaMemory columnFirst, CudaMemory columnWeights,
      CudaMemory rowFirst, CudaMemory rowWeights) {
    void close() {
      List.of(columnFirst, columnWeights, rowFirst, rowWeights).forEach(CudaMemory::close);
    }
  }

  /** The backend is released when this is closed. */
  CudaPreprocessor(Preprocessing recipe, CudaBackend backend) {
    this.recipe = recipe;
    this.backend = backend;
    this.runtime = backend.runtime();
    this.onHost = new ReferencePreprocessor(recipe);
    this.columnsKernel = backend.kernel("vtb_preprocess_columns", 0);
    this.rowsKernel = backend.kernel("vtb_preprocess_rows_f32", 0);
    this.normalised = CudaMemory.of(runtime, Encoding.of(recipe.normalisedSamples()));
  }

  @Override
  public Preprocessing recipe() {
    return recipe;
  }

  @Override
  public void apply(Image image, FloatBuffer into) {
    requireOpen();
    onHost.apply(image, into);
  }

  @Override
  public void apply(Image image, Program program, int slot) {
    requireOpen();
    if (!(program instanceof CudaProgram own) || own.backend() != backend) {
      throw new IllegalArgumentException("the program is another backend's");
    }
    own.prepare(slot, recipe.elements(), (stream, to) -> {
      // The pixels of the image before may still be under way.
      await();
      reader = own;
      prepare(image.pixels(), stream, to);
    });
  }

  private void prepare(Pixels image, GpuStream stream, long to) {
    if (bound == null || image.width() != bound.width || image.height() != bound.height) {
      bind(image.width(), image.height());
    }
    stage(image);
    stream.copyIn(pixels.address(), staging);
    int width = recipe.width();
    stream.launch(launch(columnsKernel, (long) bound.rows * width, pixels.address(), bound.columnFirst.address(), bound.columnWeights.address(),
        filtered.address(), image.width(), image.pixelStride(), image.red(), image.green(), image.blue(), (long) image.rowStride(), 0, bound.rows, width,
        bound.columnTaps));
    stream.launch(launch(rowsKernel, recipe.elements() / (width % 4 == 0 ? 4 : 1), filtered.address(), bound.rowFirst.address(),
        bound.rowWeights.address(), normalised.address(), to, bound.firstRow, bound.rows, width, recipe.height(), bound.rowTaps));
  }

  private static GpuLaunch launch(GpuKernel kernel, long items, Object... arguments) {
    return new GpuLaunch(kernel, (int) LaunchList.divideUp(items, THREADS), 1, 1, THREADS, 1, 1, 0, List.of(arguments));
  }

  /** Makes the tables for images of a size. */
  private void bind(int width, int height) {
    Preprocessing.Layout layout = recipe.layout(width, height);
    Resampling columns = recipe.columns(width, layout);
    Resampling rows = recipe.rows(height, layout);
    int firstRow = rows.first(0);
    int count = Math.min(height, rows.first(rows.count() - 1) + rows.taps()) - firstRow;
    if ((long) count * recipe.width() > Integer.MAX_VALUE / 3) {
      throw new ImageException("an image of " + width + " x " + height + " pixels has too many rows to be resized on the device; hand it over scaled down");
    }
    if (bound != null) {
      bound.close();
      bound = null;
    }
    bound = new Bound(width, height, firstRow, count, columns.taps(), rows.taps(), upload(columns.firstToArray()), upload(columns.weightsToArray()),
        upload(rows.firstToArray()), upload(rows.weightsToArray()));
    filtered = grown(filtered, 3L * count * recipe.width());
  }

  private CudaMemory upload(int[] table) {
    ByteBuffer bytes = CudaMemory.hostBuffer((long) table.length * Integer.BYTES);
    bytes.asIntBuffer().put(table);
    return CudaMemory.of(runtime, bytes);
  }

  /** Puts the rows that count into pinned memory, and makes room for them on the device. */
  private void stage(Pixels image) {
    long bytes = (bound.rows - 1L) * image.rowStride() + (long) image.width() * image.pixelStride();
    if (bytes > Integer.MAX_VALUE) {
      throw new ImageException("an image of " + image.width() + " x " + image.height() + " pixels takes " + bytes
          + " bytes; hand over larger ones than 2 GiB scaled down");
    }
    if (staging == null || staging.capacity() < bytes) {
      freeStaging();
      staging = runtime.allocateHost(bytes);
    }
    pixels = grown(pixels, bytes);
    staging.clear().limit((int) bytes);
    long skipped = (long) bound.firstRow * image.rowStride();
    if (image.data() instanceof IntBuffer ints) {
      staging.asIntBuffer().put(0, ints, (int) (image.offset() + skipped / Integer.BYTES), (int) bytes / Integer.BYTES);
    } else {
      staging.put(0, (ByteBuffer) image.data(), (int) (image.offset() + skipped), (int) bytes);
    }
  }

  private CudaMemory grown(CudaMemory memory, long bytes) {
    if (memory != null && memory.bytes() >= bytes) {
      return memory;
    }
    if (memory != null) {
      memory.close();
    }
    return new CudaMemory(runtime, bytes);
  }

  private void await() {
    if (reader != null) {
      reader.await();
      reader = null;
    }
  }

  private void freeStaging() {
    if (staging != null) {
      runtime.freeHost(staging);
      staging = null;
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the preprocessor is closed");
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      await();
      if (bound != null) {
        bound.close();
      }
      for (CudaMemory memory : new CudaMemory[] {normalised, pixels, filtered}) {
        if (memory != null) {
          memory.close();
        }
      }
      freeStaging();
      backend.release();
    }
  }
}
