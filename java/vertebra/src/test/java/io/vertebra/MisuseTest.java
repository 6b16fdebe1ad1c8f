package io.vertebra;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backbone.Architecture;
import io.vertebra.backbone.NeckArchitecture;
import io.vertebra.backbone.hornet.HorFpnConfig;
import io.vertebra.image.Image;
import io.vertebra.image.ImageOptions;
import io.vertebra.image.Preprocessing;
import io.vertebra.program.Observer;
import io.vertebra.program.op.Call;
import io.vertebra.tensor.Precision;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.VertebraException;
import io.vertebra.weights.FormulaWeights;
import io.vertebra.weights.ParameterSource;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Every public method and constructor of the API, each argument in turn replaced by bad values, on objects that are
 * open, closed or busy in another thread: it returns, or throws an exception of those that are documented. What is new
 * in the packages joins by itself; a new type of argument needs values here.
 */
class MisuseTest {
  private static final int SECONDS = 10;
  private static final Shape RAW = Shape.of(1, 3, 32, 32);
  private static final float[] INPUT = new float[3 * 32 * 32];
  private static final Observer BLIND = new Observer() {
    @Override
    public void before(int index, Call call) {
      // Nothing to see.
    }

    @Override
    public void after(int index, Call call) {
      // Nothing to see.
    }
  };

  /** By type: the good value first, then bad ones. */
  private static final Map<Class<?>, List<?>> VALUES = new LinkedHashMap<>();

  static {
    Image image = TinyModels.image(2);
    put(int.class, 1, 0, -1, Integer.MIN_VALUE, Integer.MAX_VALUE);
    put(long.class, 1L, 0L, -1L, Long.MIN_VALUE, Long.MAX_VALUE);
    put(float.class, 1f, 0f, -1f, Float.NaN, Float.MAX_VALUE);
    put(boolean.class, true, false);
    put(String.class, "cpu", null, "", "no such");
    put(float[].class, INPUT, null, new float[0], new float[INPUT.length - 1]);
    put(byte[].class, new byte[30], null, new byte[0]);
    put(int[].class, new int[] {1, 2}, null, new int[0], new int[] {0}, new int[] {-1},
        new int[] {1 << 30, 1 << 30, 8});
    put(Shape.class, RAW, null, Shape.of(1), Shape.of(1, 3, 1, 1), Shape.of(Integer.MAX_VALUE, 3, 32, 32),
        Shape.of(1, 3, 1 << 15, 1 << 15), Shape.of(1, 1, 3, 32, 32));
    put(Set.class, Set.of("pooled"), null, Set.of(), Set.of("no such"), Collections.singleton(null));
    put(List.class, List.of(image, image), null, List.of(), Arrays.asList(image, null));
    put(Image.class, image, null, Image.rgb(ByteBuffer.allocate(3), 1, 1),
        Image.rgb(ByteBuffer.allocate(3 << 20), 1 << 20, 1));
    put(Observer.class, BLIND, null, new Observer() {
      @Override
      public void before(int index, Call call) {
        throw new IllegalStateException("thrown by the observer");
      }

      @Override
      public void after(int index, Call call) {
        throw new AssertionError("not reached");
      }
    });
    put(Duration.class, Duration.ofMillis(10), null, Duration.ofSeconds(-1), Duration.ofSeconds(Long.MIN_VALUE),
        Duration.ZERO);
    put(Path.class, Path.of("no such file"), null, Path.of(""), Path.of("no such folder", "file"));
    put(InputStream.class, new ByteArrayInputStream(new byte[5]), null);
    put(ByteBuffer.class, ByteBuffer.allocate(3), null, ByteBuffer.allocate(0));
    put(BufferedImage.class, new BufferedImage(2, 2, BufferedImage.TYPE_INT_RGB), null);
    put(ImageOptions.class, ImageOptions.DEFAULT, null);
    put(Preprocessing.class, Preprocessing.squash(32), null);
    put(Architecture.class, TinyModels.SWIN, null);
    put(NeckArchitecture.class,
        HorFpnConfig.of(Map.of("in_channels", List.of(32, 64, 128), "out_channels", 8, "num_outs", 3)), null);
    put(ParameterSource.class, new FormulaWeights(), null);
    put(Supplier.class, (Supplier<ParameterSource>) FormulaWeights::new, null, (Supplier<ParameterSource>) () -> null);
    put(Precision.class, Precision.FP32, null, Precision.FP16);
    put(Device.class, Device.CPU, null, Device.cuda());
    put(Object.class, "another", (Object) null);
  }

  private static void put(Class<?> type, Object... values) {
    VALUES.put(type, Arrays.asList(values));
  }

  @Test
  void everyCallReturnsOrThrowsWhatIsDocumented() throws Exception {
    List<String> faults = new ArrayList<>();
    int calls = 0;
    for (Class<?> type : publicTypes()) {
      List<Executable> members = new ArrayList<>(List.<Constructor<?>>of(type.getConstructors()));
      Stream.of(type.getMethods()).filter(m -> m.getDeclaringClass() == type && !m.isSynthetic()).forEach(members::add);
      for (Executable member : members) {
        for (Object[] arguments : variations(member)) {
          for (Receiver receiver : receivers(member)) {
            calls++;
            String fault = call(member, receiver, arguments);
            if (fault != null) {
              faults.add(member + " of " + receiver + " with " + text(arguments) + ": " + fault);
            }
          }
        }
      }
    }
    assertThat(faults).as("of " + calls + " calls").isEmpty();
    assertThat(calls).isGreaterThan(300);
  }

  /** All public classes of the packages of the API that callers pass arguments to, nested ones too. */
  private static List<Class<?>> publicTypes() throws Exception {
    List<Class<?>> types = new ArrayList<>(List.of(Image.class, Shape.class));
    Path folder = Path.of(Model.class.getResource("Model.class").toURI()).getParent();
    try (Stream<Path> files = Files.list(folder)) {
      for (String name : files.map(f -> f.getFileName().toString()).filter(f -> f.endsWith(".class")).sorted()
          .toList()) {
        Class<?> type = Class.forName("io.vertebra." + name.substring(0, name.length() - ".class".length()));
        if (Modifier.isPublic(type.getModifiers())) {
          types.add(type);
        }
      }
    }
    return types;
  }

  private static List<Object[]> variations(Executable member) {
    Class<?>[] types = member.getParameterTypes();
    Object[] good = new Object[types.length];
    for (int i = 0; i < types.length; i++) {
      assertThat(VALUES).as("values for an argument of " + member).containsKey(types[i]);
      good[i] = VALUES.get(types[i]).get(0);
    }
    List<Object[]> all = new ArrayList<>(List.<Object[]>of(good));
    for (int i = 0; i < types.length; i++) {
      for (Object bad : VALUES.get(types[i]).subList(1, VALUES.get(types[i]).size())) {
        Object[] arguments = good.clone();
        arguments[i] = bad;
        all.add(arguments);
      }
    }
    return all;
  }

  /** What a method is called on, made for that call. */
  private enum Receiver {
    NONE, OPEN, CLOSED, BUSY
  }

  private static List<Receiver> receivers(Executable member) {
    Class<?> type = member.getDeclaringClass();
    if (member instanceof Constructor || Modifier.isStatic(member.getModifiers())) {
      return List.of(Receiver.NONE);
    }
    if (type != Session.class && type != Model.class) {
      return List.of(Receiver.OPEN);
    }
    // Closing without a limit waits for the one who runs, as it should.
    boolean waits = member.getName().equals("close");
    return waits ? List.of(Receiver.OPEN, Receiver.CLOSED) : List.of(Receiver.values()).subList(1, 4);
  }

  private static String call(Executable member, Receiver receiver, Object[] arguments) throws Exception {
    try (Model model = TinyModels.swin().threads(1).build(); Session session = model.newSession()) {
      BusySession busy = receiver == Receiver.BUSY ? new BusySession(session, INPUT, RAW) : null;
      if (receiver == Receiver.CLOSED) {
        model.close(Duration.ofSeconds(1));
      }
      try {
        return fault(() -> {
          Object result
              = member instanceof Constructor<?> constructor ? constructor.newInstance(arguments)
                  : ((Method) member).invoke(
                      receiver == Receiver.NONE ? null : receiver(member.getDeclaringClass(), model, session),
                      arguments);
          if (result instanceof AutoCloseable made) {
            made.close();
          }
          return null;
        });
      } finally {
        if (busy != null) {
          busy.leave();
        }
      }
    }
  }

  private static Object receiver(Class<?> type, Model model, Session session) {
    Map<Class<?>, Object> open
        = Map.of(Model.class, model, Session.class, session, Model.Builder.class, TinyModels.swin().threads(1),
            Image.class, TinyModels.image(3), Shape.class, RAW, Device.class, Device.CPU, FeatureMap.class,
            new FeatureMap("out0", 4, 1, 1, 1, 1, new float[1]), Classification.class, new Classification(0, "0", 1));
    assertThat(open).as("an object to call methods on").containsKey(type);
    return open.get(type);
  }

  /** @return null if the call returned or threw what it may */
  private static String fault(Callable<Object> call) throws InterruptedException {
    CompletableFuture<Throwable> done = new CompletableFuture<>();
    Thread thread = new Thread(() -> {
      try {
        call.call();
        done.complete(null);
      } catch (InvocationTargetException e) {
        done.complete(e.getCause());
      } catch (Throwable e) {
        done.complete(e);
      }
    });
    thread.setDaemon(true);
    thread.start();
    try {
      Throwable thrown = done.get(SECONDS, TimeUnit.SECONDS);
      boolean documented = thrown == null || thrown instanceof VertebraException
          || thrown.getClass() == IllegalArgumentException.class || thrown.getClass() == IllegalStateException.class;
      return documented && (thrown == null || thrown.getMessage() != null) ? null
          : thrown + " at "
              + Arrays.asList(thrown.getStackTrace()).subList(0, Math.min(3, thrown.getStackTrace().length));
    } catch (TimeoutException e) {
      return "no end within " + SECONDS + " s";
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String text(Object[] arguments) {
    return Stream.of(arguments).map(a -> a instanceof float[] f ? "float[" + f.length + "]" : String.valueOf(a))
        .toList().toString();
  }
}
