package io.vertebra;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.VertebraException;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.platform.commons.support.AnnotationSupport;

/**
 * Marks tests that the build runs once for every instruction set level; they are skipped at one this machine does not
 * have, or whose kernels are those of the level below.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Tag("isa")
@ExtendWith(IsaTest.Available.class)
public @interface IsaTest {
  /** What the kernels that the test is about have in their names, such as {@code f32}; empty: any. */
  String kernels() default "";

  /** Whether VERTEBRA_ISA asks for what this machine has, and for kernels of their own. */
  final class Available implements ExecutionCondition {
    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
      try {
        String level = CpuBackend.isa();
        String tested
            = AnnotationSupport.findAnnotation(context.getElement(), IsaTest.class).map(IsaTest::kernels).orElse("");
        boolean own = Stream.of(CpuBackend.kernels().split(" "))
            .anyMatch(kernel -> kernel.contains(tested) && kernel.endsWith("__" + level));
        return own || System.getenv("VERTEBRA_ISA") == null ? ConditionEvaluationResult.enabled("runs at " + level)
            : ConditionEvaluationResult.disabled(level + " has no " + tested + " kernels of its own");
      } catch (VertebraException e) {
        if (e.getMessage().contains("more than this machine has")) {
          return ConditionEvaluationResult.disabled(e.getMessage());
        }
        throw e;
      }
    }
  }
}
