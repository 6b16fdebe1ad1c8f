package io.vertebra;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Preprocessor;
import io.vertebra.backend.Program;
import io.vertebra.program.Recording;
import io.vertebra.tensor.Closing;
import io.vertebra.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** The programs of a session, one for each of the last few kinds of call. Not thread-safe. */
final class ProgramCache implements AutoCloseable {
  private static final int CAPACITY = 4;

  private final Backend backend;
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

  /** @param piece images or clips that the program takes */
  record Entry(Kind kind, int piece, Program program) {
    boolean serves(Kind wanted) {
      // One that runs the batch in one piece anyway serves those who insist on it.
      return kind.batch == wanted.batch && (wanted.whole ? piece == kind.batch : !kind.whole)
          && kind.element.equals(wanted.element) && kind.task.equals(wanted.task);
    }
  }

  /** Knows the model's backend, but not the model: it frees what it holds when session and model are dropped. */
  ProgramCache(Model model) {
    this.backend = model.backend();
    this.preprocessor = backend.preprocessor(model.preprocessing());
  }

  /** @throws IllegalArgumentException if the model does not compute that, or not for inputs of that size */
  Entry get(Kind kind, Model model) {
    for (int i = 0; i < CAPACITY && entries[i] != null; i++) {
      Entry entry = entries[i];
      if (entry.serves(kind)) {
        putFirst(entry, i);
        return entry;
      }
    }
    kind.task.requireOf(model);
    IntFunction<Recording> record = images -> kind.task.record(model.backbone(), batch(images, kind.element));
    int piece = kind.whole ? kind.batch : backend.piece(kind.batch, record);
    Recording recording = record.apply(piece);
    Entry oldest = entries[CAPACITY - 1];
    if (oldest != null) {
      // Before the new one is made: there may not be memory for both.
      oldest.program.close();
      entries[CAPACITY - 1] = null;
    }
    Entry entry = new Entry(kind, piece, preprocessor.compile(recording));
    putFirst(entry, CAPACITY - 1);
    return entry;
  }

  /** Moves those before a place back by one. */
  private void putFirst(Entry entry, int place) {
    for (int i = place; i > 0; i--) {
      entries[i] = entries[i - 1];
    }
    entries[0] = entry;
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
    frees.add(preprocessor::close);
    Closing.all(frees);
  }
}
