package io.vertebra;

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

  private final Model model;
  private final Preprocessor preprocessor;
  /** The latest used first. */
  private final List<Entry> entries = new ArrayList<>();

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

  ProgramCache(Model model) {
    this.model = model;
    this.preprocessor = model.backend().preprocessor(model.preprocessing());
  }

  /** @throws IllegalArgumentException if the model does not compute that, or not for inputs of that size */
  Entry get(Kind kind) {
    for (int i = 0; i < entries.size(); i++) {
      Entry entry = entries.get(i);
      if (entry.serves(kind)) {
        if (i > 0) {
          entries.add(0, entries.remove(i));
        }
        return entry;
      }
    }
    kind.task.requireOf(model);
    IntFunction<Recording> record = images -> kind.task.record(model.backbone(), batch(images, kind.element));
    int piece = kind.whole ? kind.batch : model.backend().piece(kind.batch, record);
    Recording recording = record.apply(piece);
    if (entries.size() == CAPACITY) {
      // Before the new one is made: there may not be memory for both.
      entries.remove(CAPACITY - 1).program.close();
    }
    Entry entry = new Entry(kind, piece, preprocessor.compile(recording));
    entries.add(0, entry);
    return entry;
  }

  private static Shape batch(int images, Shape element) {
    int[] dims = new int[element.rank() + 1];
    dims[0] = images;
    System.arraycopy(element.toArray(), 0, dims, 1, element.rank());
    return Shape.of(dims);
  }

  /** Frees all programs. */
  @Override
  public void close() {
    List<Runnable> frees = new ArrayList<>();
    entries.forEach(entry -> frees.add(entry.program::close));
    frees.add(entries::clear);
    frees.add(preprocessor::close);
    Closing.all(frees);
  }
}
