package io.vertebra.demo;

import java.lang.ref.WeakReference;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A process of its own, whose class path has nothing but this class: it loads the library into one class loader after
 * the other, as a container does with an application, embeds, closes and forgets it. Prints {@code ok}.
 */
final class LoaderCycles {
  private static final int CYCLES = 20;
  /** A loader goes once its classes' last weights are freed, which takes a few collections. */
  private static final int COLLECTIONS = 100;
  private static final int PAUSE_MS = 10;

  private LoaderCycles() {}

  /** @param arguments the library's class path, the family of the digits model, and the device */
  public static void main(String[] arguments) throws Exception {
    URL[] path = Stream.of(arguments[0].split(":")).map(LoaderCycles::url).toArray(URL[]::new);
    List<Footprint> footprints = new ArrayList<>();
    Application running = null;
    for (int cycle = 0; cycle < CYCLES; cycle++) {
      // As in a container: the next one starts before the last one has gone, and goes on after that.
      Application next = new Application(path, arguments[1], arguments[2]);
      if (running != null) {
        WeakReference<ClassLoader> loader = running.close();
        running = null;
        awaitCollection(loader, cycle);
      }
      next.embed();
      running = next;
      footprints.add(Footprint.now());
    }
    // The first cycles start threads that the JDK keeps.
    if (!footprints.get(CYCLES - 1).isWithin(footprints.get(2))) {
      throw new AssertionError("grows: " + footprints);
    }
    System.out.println("ok");
  }

  private static URL url(String path) {
    try {
      return Path.of(path).toUri().toURL();
    } catch (MalformedURLException e) {
      throw new AssertionError(e);
    }
  }

  private static void awaitCollection(WeakReference<ClassLoader> loader, int cycle) throws InterruptedException {
    for (int i = 0; i < COLLECTIONS && !loader.refersTo(null); i++) {
      System.gc();
      Thread.sleep(PAUSE_MS);
    }
    if (!loader.refersTo(null)) {
      throw new AssertionError("the loader before " + cycle + " stays; " + Thread.getAllStackTraces().keySet());
    }
  }

  /** A model in a class loader of its own. */
  private static final class Application {
    private final URLClassLoader loader;
    private final AutoCloseable model;

    Application(URL[] path, String family, String device) throws Exception {
      loader = new URLClassLoader(path, ClassLoader.getPlatformClassLoader());
      Thread.currentThread().setContextClassLoader(loader);
      Class<?> devices = loader.loadClass("io.vertebra.Device");
      Object builder = digits().getMethod(family).invoke(null);
      builder.getClass().getMethod("device", devices).invoke(builder,
          devices.getConstructor(String.class).newInstance(device));
      model = (AutoCloseable) builder.getClass().getMethod("build").invoke(builder);
    }

    private Class<?> digits() throws ClassNotFoundException {
      return loader.loadClass("io.vertebra.demo.Digits");
    }

    void embed() throws Exception {
      Object name = ((List<?>) digits().getMethod("sampleNames").invoke(null)).get(0);
      Object image = digits().getMethod("sample", String.class).invoke(null, name);
      try (AutoCloseable session = (AutoCloseable) model.getClass().getMethod("newSession").invoke(model)) {
        session.getClass().getMethod("embed", image.getClass()).invoke(session, image);
      }
    }

    WeakReference<ClassLoader> close() throws Exception {
      model.close();
      loader.close();
      return new WeakReference<>(loader);
    }
  }

  /** Threads of the process, and native libraries of ours mapped into it. */
  private record Footprint(long threads, long libraries) {
    static Footprint now() throws Exception {
      try (Stream<Path> threads = Files.list(Path.of("/proc/self/task"));
          Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
        return new Footprint(threads.count(), maps.filter(line -> line.contains("libjnivertebra")).count());
      }
    }

    boolean isWithin(Footprint other) {
      return threads <= other.threads && libraries <= other.libraries;
    }
  }
}
