package io.vertebra.program;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.program.op.Op;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Weights;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.lang.reflect.Constructor;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever tensors and weights an operation's record holds, the operation says that it reads: memory is planned by
 * that.
 */
class OpTest {
  private record Made(Shape shape) implements Weights {}

  private final List<Tensor> tensors = new ArrayList<>();
  private final List<Weights> weights = new ArrayList<>();

  static Stream<Class<?>> operations() {
    return Arrays.stream(Op.class.getPermittedSubclasses());
  }

  @ParameterizedTest
  @MethodSource("operations")
  void saysAllThatItReads(Class<?> operation) throws ReflectiveOperationException {
    Op op = (Op) filled(operation);
    assertThat(op.reads()).containsExactlyInAnyOrderElementsOf(tensors);
    List<Weights> read = new ArrayList<>(op.matrices());
    read.addAll(op.values());
    assertThat(read).containsExactlyInAnyOrderElementsOf(weights);
  }

  /** A value of a type, with a tensor and weights of its own wherever it holds any. */
  private Object filled(Class<?> type) throws ReflectiveOperationException {
    if (type == Tensor.class) {
      tensors.add(new Tensor(Shape.of(tensors.size() + 1)));
      return tensors.get(tensors.size() - 1);
    } else if (type == Weights.class) {
      weights.add(new Made(Shape.of(weights.size() + 1)));
      return weights.get(weights.size() - 1);
    } else if (type == List.class) {
      return List.of(Sum.Term.of((Tensor) filled(Tensor.class)), Sum.Term.of((Weights) filled(Weights.class), null));
    } else if (type == Shape.class) {
      return Shape.of(1);
    } else if (type == boolean.class) {
      return false;
    } else if (type.isPrimitive()) {
      return 1;
    } else if (type.isEnum()) {
      return type.getEnumConstants()[0];
    } else if (!type.isRecord()) {
      return null;
    }
    RecordComponent[] components = type.getRecordComponents();
    Class<?>[] types = Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
    Object[] values = new Object[types.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = filled(types[i]);
    }
    Constructor<?> constructor = type.getDeclaredConstructor(types);
    return constructor.newInstance(values);
  }
}
