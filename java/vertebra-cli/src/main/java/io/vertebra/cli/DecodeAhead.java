package io.vertebra.cli;

import io.vertebra.image.Image;
import io.vertebra.image.Preprocessing;
import io.vertebra.tensor.VertebraException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Decodes images on a thread of its own, in order, a few ahead of the one asked for. */
final class DecodeAhead implements AutoCloseable {
  private final Iterator<ImageSource> sources;
  private final int ahead;
  private final Preprocessing recipe;
  private final Deque<Pending> pending = new ArrayDeque<>();
  private final ExecutorService decoder = Executors.newSingleThreadExecutor(task -> {
    Thread thread = new Thread(task, "decoder");
    thread.setDaemon(true);
    return thread;
  });

  private record Pending(String name, Future<Image> image) {}

  /** An image, or the {@code error} that there is none; the other is null. */
  record Decoded(String name, Image image, String error) {}

  /**
   * @param ahead most decoded images held at a time
   * @param recipe images that it cannot prepare count as failed
   */
  DecodeAhead(List<ImageSource> sources, int ahead, Preprocessing recipe) {
    this.sources = sources.iterator();
    this.ahead = ahead;
    this.recipe = recipe;
  }

  /** The next image; null after the last. */
  Decoded next() {
    submit();
    Pending first = pending.poll();
    if (first == null) {
      return null;
    }
    try {
      return new Decoded(first.name, first.image.get(), null);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof VertebraException problem) {
        return new Decoded(first.name, null, problem.getMessage());
      }
      throw new IllegalStateException("decoding " + first.name + " failed", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while decoding " + first.name, e);
    } finally {
      submit();
    }
  }

  private void submit() {
    while (pending.size() < ahead && sources.hasNext()) {
      ImageSource source = sources.next();
      pending.add(new Pending(source.name(), decoder.submit(() -> decode(source))));
    }
  }

  private Image decode(ImageSource source) {
    Image image = source.reader().get();
    recipe.layout(image.width(), image.height());
    return image;
  }

  @Override
  public void close() {
    decoder.shutdownNow();
  }
}
