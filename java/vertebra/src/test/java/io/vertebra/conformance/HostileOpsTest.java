package io.vertebra.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backend.Backend;
import io.vertebra.backend.Program;
import io.vertebra.conformance.ConformanceCases.Case;
import io.vertebra.conformance.ConformanceCases.Fixture;
import io.vertebra.cpu.CpuBackend;
import io.vertebra.program.MemoryPlan;
import io.vertebra.program.Recorder;
import io.vertebra.program.Recording;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.RegionMask;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Weights;
import io.vertebra.reference.ReferenceBackend;
import io.vertebra.tensor.Compare;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Native code relies on the checks of operations. Here every component of every operation's record is replaced by
 * hostile values, alone and several at once, and so is the operand: what comes out is refused, or runs inside its
 * memory and gives what the reference gives. An operation with a case in {@link ConformanceCases} takes part by itself.
 */
class HostileOpsTest {
  /** Of the cases; the smallest of each kind will do. */
  private static final int MAX_INPUT = 3000;
  /** Larger ones are fine, but not run here. */
  private static final long MAX_WORKSPACE = 1 << 20;
  private static final long MAX_TAPS = 1 << 20;
  private static final int COMBINATIONS = 150;
  /** Behind the last place. */
  private static final int NOWHERE = Integer.MAX_VALUE;
  private static final List<Integer> INTEGERS = List.of(0, -1, 1, 2, 3, 5, 16, 46341, 65536, 65537, 1 << 30,
      Integer.MAX_VALUE - 3, Integer.MAX_VALUE, Integer.MIN_VALUE, 1431655766);
  private static final List<Float> FLOATS
      = List.of(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0f, -1f, Float.MAX_VALUE);

  /** The smallest case of every kind of operation with every selection of its optional parts. */
  static List<Case> cases() {
    Map<String, Case> kinds = new LinkedHashMap<>();
    ConformanceCases.cases().filter(each -> each.input().elements() <= MAX_INPUT)
        .sorted(Comparator.comparingLong(each -> each.input().elements()))
        .forEach(each -> kinds.putIfAbsent(kind(operation(each)), each));
    return List.copyOf(kinds.values());
  }

  private static Op operation(Case of) {
    Hostile unchanged = new Hostile(new ReferenceBackend(), of, new Random(0), NOWHERE);
    unchanged.record();
    return unchanged.original;
  }

  @Test
  void everyOperationTakesPart() {
    Stream<Class<?>> taking = cases().stream().map(each -> operation(each).getClass());
    assertThat(taking).contains(Op.class.getPermittedSubclasses());
  }

  /** Classes of a record and of what it holds. */
  private static String kind(Object value) {
    if (value == null || !value.getClass().isRecord()) {
      return value == null ? "-" : value.getClass().getSimpleName();
    }
    return value.getClass().getSimpleName()
        + Arrays.stream(value.getClass().getRecordComponents()).map(part -> kind(get(part, value))).toList();
  }

  private static Object get(RecordComponent component, Object of) {
    try {
      component.getAccessor().setAccessible(true);
      return component.getAccessor().invoke(of);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Records a case, and behind it the same operation with some of its parts replaced. What is drawn depends on the
   * random numbers alone, so that two backends get the same.
   */
  private static final class Hostile {
    private final Backend backend;
    private final Case of;
    private final Random random;
    /** Place of the only part that is replaced; negative: several. */
    private final int place;
    private int next;
    private Op original;
    private Op changed;
    private boolean floats;
    private List<Tensor> tensors;
    private Fixture fixture;

    Hostile(Backend backend, Case of, Random random, int place) {
      this.backend = backend;
      this.of = of;
      this.random = random;
      this.place = place;
    }

    /** @throws IllegalArgumentException if it is refused */
    Recording record() {
      int channels = of.input().channels();
      List<Shape> inputs
          = List.of(of.input(), Shape.of(channels), Shape.of(1, 1, 1, 1), Shape.of(3, channels), Shape.of(1, 5, 3, 8));
      return Recording.of(inputs, Set.of("x"), r -> {
        fixture = new Fixture(backend, new Random(of.name().hashCode()));
        Tensor last = of.body().record(r, fixture);
        Call call = r.calls().get(r.calls().size() - 1);
        original = call.op();
        tensors = new ArrayList<>(r.inputs());
        r.calls().forEach(each -> tensors.add(each.out()));
        r.output("x", replaced(r, call, last));
      });
    }

    private Tensor replaced(Recorder r, Call call, Tensor last) {
      changed = (Op) changed(original);
      Tensor in = here() ? drawn(tensors) : call.in();
      boolean chosen = random.nextBoolean();
      return chosen ? r.record("x", changed, in, last.shape()) : r.record("x", changed, in);
    }

    private boolean here() {
      return place < 0 ? random.nextInt(4) == 0 : next++ == place;
    }

    private <T> T drawn(List<T> values) {
      return values.get(random.nextInt(values.size()));
    }

    /** A record with parts replaced. */
    private Object changed(Object value) {
      RecordComponent[] components = value.getClass().getRecordComponents();
      Class<?>[] types = Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
      Object[] parts = Arrays.stream(components).map(component -> get(component, value)).toArray();
      for (int i = 0; i < parts.length; i++) {
        if (here()) {
          parts[i] = hostile(types[i], parts[i]);
        } else if (parts[i] != null && types[i].isRecord()) {
          parts[i] = changed(parts[i]);
        } else if (parts[i] instanceof List<?> list) {
          parts[i] = list.stream().map(each -> here() ? hostile(Sum.Term.class, each) : changed(each)).toList();
        }
      }
      try {
        var constructor = value.getClass().getDeclaredConstructor(types);
        constructor.setAccessible(true);
        return constructor.newInstance(parts);
      } catch (InvocationTargetException e) {
        if (e.getCause() instanceof RuntimeException refused) {
          throw refused;
        }
        throw new IllegalStateException(e);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }

    private Object hostile(Class<?> type, Object present) {
      if (type == int.class) {
        return random.nextInt(4) == 0 ? (int) present + 1 : drawn(INTEGERS);
      } else if (type == float.class) {
        floats = true;
        return drawn(FLOATS);
      } else if (type == boolean.class) {
        return !(boolean) present;
      } else if (type.isEnum()) {
        return random.nextInt(3) == 0 ? null : drawn(Arrays.asList(type.getEnumConstants()));
      } else if (random.nextInt(3) == 0) {
        return null;
      } else if (type == Tensor.class) {
        return drawn(tensors);
      } else if (type == Weights.class) {
        return weights(drawn(List.of(Shape.of(1), Shape.of(of.input().channels()), Shape.of(3, of.input().channels()),
            Shape.of(1, 5, 3, 2), Shape.of(1, 127, 1))));
      } else if (type == RowMap.class) {
        return rows();
      } else if (type == RegionMask.class) {
        return new RegionMask(new int[drawn(List.of(1, 4, 49))], 1);
      } else if (type == Shape.class) {
        return drawn(List.of(Shape.of(1), Shape.of(1 << 30, 1 << 20), Shape.of(2, 5, 3), of.input()));
      } else if (type == List.class) {
        return random.nextBoolean() ? List.of()
            : List.of(Sum.Term.of(drawn(tensors)), Sum.Term.of(drawn(tensors)), Sum.Term.of(drawn(tensors)),
                Sum.Term.of(drawn(tensors)));
      }
      return present;
    }

    private Weights weights(Shape shape) {
      boolean matrix = shape.rank() == 2 && random.nextBoolean();
      return matrix ? fixture.matrix(shape.dim(0), shape.dim(1)) : fixture.vector(shape.toArray());
    }

    private RowMap rows() {
      int groups = drawn(List.of(1, 2, 3, 1 << 10));
      int entries = groups * drawn(List.of(1, 5, 50));
      int limit = drawn(List.of(1, 5, 50, Integer.MAX_VALUE));
      return new RowMap(IntStream.range(0, entries).map(i -> random.nextInt(limit) - (i == 0 ? 1 : 0)).toArray(),
          groups);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void areRefusedOrRunAsTheReference(Case testCase) {
    int ran = 0;
    int refused = 0;
    try (CpuBackend cpu = new CpuBackend(2); ReferenceBackend reference = new ReferenceBackend()) {
      for (int i = 0; i < COMBINATIONS * 2; i++) {
        // Each place several times, then several at once.
        int place = i < COMBINATIONS ? i % 15 : -1;
        Hostile own = new Hostile(cpu, testCase, new Random(i), place);
        try {
          run(own, new Hostile(reference, testCase, new Random(i), place));
          ran++;
        } catch (IllegalArgumentException e) {
          assertThat(e.getMessage()).as("%s", own.changed).isNotBlank();
          refused++;
        }
      }
    }
    assertThat(refused).isPositive();
    assertThat(ran).isPositive();
  }

  private static void run(Hostile own, Hostile oracle) {
    Recording recording = own.record();
    if (new MemoryPlan(recording).bytes() > MAX_WORKSPACE || recording.macs() > MAX_TAPS) {
      return;
    }
    float[] actual;
    try (Program program = own.backend.compile(recording)) {
      fill(program);
      program.run();
      actual = program.read("x");
    }
    try (Program program = oracle.backend.compile(oracle.record())) {
      fill(program);
      program.run();
      float[] expected = program.read("x");
      if (!own.floats) {
        assertThat(Compare.relativeError(widened(actual), widened(expected)))
            .as("%s", recording.calls().get(recording.calls().size() - 1).op()).isLessThan(1e-5);
      }
    }
  }

  private static void fill(Program program) {
    Random random = new Random(7);
    for (int n = 0; n < program.recording().inputs().size(); n++) {
      for (int i = 0; i < program.input(n).capacity(); i++) {
        program.input(n).put(i, (float) random.nextGaussian());
      }
    }
  }

  private static double[] widened(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }
}
