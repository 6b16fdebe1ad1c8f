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
    for (int cycle = 0; cycle < CYCLES; cycle++) {
      WeakReference<ClassLoader> loader = embed(path, arguments[1], arguments[2]);
      for (int i = 0; i < COLLECTIONS && !loader.refersTo(null); i++) {
        System.gc();
        Thread.sleep(PAUSE_MS);
      }
      if (!loader.refersTo(null)) {
        throw new AssertionError("loader " + cycle + " is not collected; " + Thread.getAllStackTraces().keySet());
      }
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

  private static WeakReference<ClassLoader> embed(URL[] path, String family, String device) throws Exception {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    try (URLClassLoader loader = new URLClassLoader(path, ClassLoader.getPlatformClassLoader())) {
      thread.setContextClassLoader(loader);
      Class<?> digits = loader.loadClass("io.vertebra.demo.Digits");
      Object builder = digits.getMethod(family).invoke(null);
      Class<?> devices = loader.loadClass("io.vertebra.Device");
      builder.getClass().getMethod("device", devices).invoke(builder,
          devices.getConstructor(String.class).newInstance(device));
      Object name = ((List<?>) digits.getMethod("sampleNames").invoke(null)).get(0);
      Object image = digits.getMethod("sample", String.class).invoke(null, name);
      try (AutoCloseable model = (AutoCloseable) builder.getClass().getMethod("build").invoke(builder);
          AutoCloseable session = (AutoCloseable) model.getClass().getMethod("newSession").invoke(model)) {
        session.getClass().getMethod("embed", image.getClass()).invoke(session, image);
      }
      return new WeakReference<>(loader);
    } finally {
      thread.setContextClassLoader(before);
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
