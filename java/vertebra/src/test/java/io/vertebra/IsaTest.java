package io.vertebra;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.VertebraException;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Marks tests that the build runs once for every instruction set level; they are skipped at one this machine does not
 * have.
 */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@Tag("isa")
@ExtendWith(IsaTest.Available.class)
public @interface IsaTest {
  /** Whether VERTEBRA_ISA asks for what this machine has. */
  final class Available implements ExecutionCondition {
    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
      try {
        return ConditionEvaluationResult.enabled("runs at " + CpuBackend.isa());
      } catch (VertebraException e) {
        if (e.getMessage().contains("more than this machine has")) {
          return ConditionEvaluationResult.disabled(e.getMessage());
        }
        throw e;
      }
    }
  }
}
