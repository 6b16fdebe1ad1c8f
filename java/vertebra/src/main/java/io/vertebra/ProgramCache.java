package io.vertebra;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/** The programs of a session, one for each of the last few kinds of call. Not thread-safe. */
final class ProgramCache implements AutoCloseable {
  private static final int CAPACITY = 4;

  private final Backend backend;
  private final long memoryLimit;
  private final Preprocessor preprocessor;
  /** The latest used first, then nulls. An array: moving what is in it needs no stack, so nothing can be lost. */
  private final Entry[] entries = new Entry[CAPACITY];

  /**
   * A kind of call.
   *
   * @param element shape of an image or clip, channels last
   * @param batch images or clips of a call
   * @param whole whether the batch has to run in one piece
   */
  record Kind(Task task, Shape element, int batch, boolean whole) {}

  /**
   * @param piece images or clips that the program takes
   * @param bytes that it takes
   */
  record Entry(Kind kind, int piece, Program program, long bytes) {
    boolean serves(Kind wanted) {
      // One that runs the batch in one piece anyway serves those who insist on it.
      return kind.batch == wanted.batch && (wanted.whole ? piece == kind.batch : !kind.whole)
          && kind.element.equals(wanted.element) && kind.task.equals(wanted.task);
    }
  }

  /**
   * Knows the model's backend, but not the model: it frees what it holds when session and model are dropped.
   *
   * @param memoryLimit bytes that all programs together may take
   */
  ProgramCache(Model model, long memoryLimit) {
    this.backend = model.backend();
    this.memoryLimit = memoryLimit;
    this.preprocessor = backend.preprocessor(model.preprocessing());
  }

  /**
   * @throws IllegalArgumentException if the model does not compute that, or not for inputs of that size
   * @throws MemoryLimitException if that would take too much
   */
  Entry get(Kind kind, Model model) {
    for (int i = 0; i < CAPACITY && entries[i] != null; i++) {
      Entry entry = entries[i];
      if (entry.serves(kind)) {
        putFirst(entry, i);
        return entry;
      }
    }
    IntFunction<Recording> record = recorder(kind, model);
    int piece = piece(kind, model, record);
    Recording recording = record.apply(piece);
    model.requireModest(kind.element, recording, piece);
    long bytes = memoryLimit == Model.UNLIMITED ? 0 : backend.programBytes(recording);
    if (bytes > memoryLimit) {
      throw new MemoryLimitException("model " + model.name() + " would take " + bytes + " bytes for an input of "
          + recording.inputs().get(0).shape() + "; this session may take " + memoryLimit
          + ". Run smaller images or a smaller batch, or raise the memoryLimit");
    }
    makeRoom(memoryLimit - bytes);
    Entry entry = new Entry(kind, piece, preprocessor.compile(recording), bytes);
    putFirst(entry, CAPACITY - 1);
    return entry;
  }

  /**
   * Leaves a place free, and no more than so many bytes in use. Before a program is made: there may not be memory for
   * it and what it replaces.
   */
  private void makeRoom(long most) {
    long kept = 0;
    for (int i = 0; i < CAPACITY && entries[i] != null; i++) {
      Entry entry = entries[i];
      kept += entry.bytes;
      if (i == CAPACITY - 1 || kept > most) {
        entries[i] = null;
        entry.program.close();
      }
    }
  }

  /** Moves those before a place back by one. */
  private void putFirst(Entry entry, int place) {
    for (int i = place; i > 0; i--) {
      entries[i] = entries[i - 1];
    }
    entries[0] = entry;
  }

  private static IntFunction<Recording> recorder(Kind kind, Model model) {
    kind.task.requireOf(model);
    return images -> kind.task.record(model.backbone(), batch(images, kind.element));
  }

  private static int piece(Kind kind, Model model, IntFunction<Recording> record) {
    return kind.whole ? kind.batch : model.backend().piece(kind.batch, record);
  }

  /** Bytes that the programs of a kind of call take. */
  static long bytes(Kind kind, Model model) {
    IntFunction<Recording> record = recorder(kind, model);
    int piece = piece(kind, model, record);
    int rest = kind.batch % piece;
    long bytes = model.backend().programBytes(record.apply(piece));
    return rest == 0 ? bytes : bytes + model.backend().programBytes(record.apply(rest));
  }

  private static Shape batch(int images, Shape element) {
    int[] dims = new int[element.rank() + 1];
    dims[0] = images;
    System.arraycopy(element.toArray(), 0, dims, 1, element.rank());
    return Shape.of(dims);
  }

  /** Frees all programs. Idempotent. */
  @Override
  public void close() {
    List<Runnable> frees = new ArrayList<>();
    for (Entry entry : entries) {
      if (entry != null) {
        frees.add(entry.program::close);
      }
    }
    Arrays.fill(entries, null); // What they recorded holds weights for their sizes.
    frees.add(preprocessor::close);
    Closing.all(frees);
  }
}
