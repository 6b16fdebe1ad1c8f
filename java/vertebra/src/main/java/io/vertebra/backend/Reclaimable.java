package io.vertebra.backend;

import java.lang.System.Logger.Level;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.HashSet;
import java.util.Set;

/**
 * What is to be freed when an object is closed, or at the latest when the garbage collector finds that nobody can close
 * it any more. Unlike a {@link java.lang.ref.Cleaner} of this class's own, whose thread would hold the class loader for
 * ever, the thread behind this ends when there is nothing left to free. Thread-safe.
 */
public final class Reclaimable extends PhantomReference<Object> {
  private static final String TRACE = "vertebra.leaks";
  private static final ReferenceQueue<Object> DROPPED = new ReferenceQueue<>();
  private static final Set<Reclaimable> LIVE = new HashSet<>();
  private static boolean watched;
  private static boolean warned;

  private final Runnable free;
  private final String kind;
  private final String name;
  private final Throwable made;

  private Reclaimable(Object owner, String kind, String name, Runnable free) {
    super(owner, DROPPED);
    this.free = free;
    this.kind = kind;
    this.name = name;
    this.made = kind != null && "trace".equals(System.getProperty(TRACE)) ? new Throwable("made here") : null;
  }

  /**
   * For an object that is to be left to the collector.
   *
   * @param free frees what the object holds, without referring to the object; does nothing the second time
   */
  public static Reclaimable of(Object owner, Runnable free) {
    return of(owner, null, null, free);
  }

  /**
   * For an object that is to be closed: a warning tells of the first that was not. With the system property
   * {@code vertebra.leaks=trace} it tells of every one, and where it was made.
   *
   * @param kind such as "a session of model", for the warning
   * @param name of its model
   * @param free frees what the object holds, without referring to the object; does nothing the second time
   */
  public static Reclaimable of(Object owner, String kind, String name, Runnable free) {
    Reclaimable made = new Reclaimable(owner, kind, name, free);
    synchronized (LIVE) {
      LIVE.add(made);
      if (!watched) {
        Thread watcher = new Watcher();
        watcher.start();
        watched = true;
      }
    }
    return made;
  }

  /** Frees now; for the object's own close. */
  public void free() {
    try {
      free.run();
    } finally {
      synchronized (LIVE) {
        LIVE.remove(this);
        if (LIVE.isEmpty()) {
          // Wakes the watcher, to end.
          enqueue();
        }
      }
    }
  }

  private static final class Watcher extends Thread {
    Watcher() {
      super(null, null, "vertebra-reclaim", 0, false);
      setDaemon(true);
      setContextClassLoader(null);
    }

    @Override
    public void run() {
      boolean more = true;
      while (more) {
        try {
          ((Reclaimable) DROPPED.remove()).reclaim();
        } catch (InterruptedException e) {
          // Nobody has reason to; what is dropped is still to be freed.
          continue;
        }
        synchronized (LIVE) {
          more = watched = !LIVE.isEmpty();
        }
      }
    }
  }

  private void reclaim() {
    boolean open;
    synchronized (LIVE) {
      open = LIVE.contains(this);
    }
    if (open) {
      try {
        free();
        warn();
      } catch (RuntimeException | Error e) {
        System.getLogger("io.vertebra").log(Level.WARNING, "could not free what was dropped without close", e);
      }
    }
  }

  private void warn() {
    if (kind == null || made == null && warned) {
      return;
    }
    warned = true;
    String leak = kind + " " + name + " was dropped without close; its native memory was held until"
        + " the garbage collector ran.";
    System.getLogger("io.vertebra").log(Level.WARNING,
        made == null ? leak + " Run with -D" + TRACE + "=trace to see where it was made" : leak, made);
  }
}
