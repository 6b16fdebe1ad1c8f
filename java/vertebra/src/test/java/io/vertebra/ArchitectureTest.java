package io.vertebra;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Who may know whom, package by package, from the bottom up: nothing depends on what stands below it in this list. A
 * new package gets a line here; a dependency that is missing here is a design decision, not a slip.
 */
class ArchitectureTest {
  private static final String ROOT = "io.vertebra";
  private static final List<String> FAMILIES = List.of("swin", "coatnet", "uniformer", "hornet", "conformer");

  private static final Map<String, List<String>> MAY_KNOW = Map.ofEntries(
      // Shapes, element types, precisions and exceptions know nothing.
      Map.entry("tensor", List.of()),
      // Files become tensors and bytes become pixels, side by side; neither knows of models.
      Map.entry("weights", List.of("tensor")), Map.entry("image", List.of("tensor")),
      // Finding and loading a native library, whatever it is for.
      Map.entry("natives", List.of("tensor")),
      // The libraries themselves, in a jar and a module of their own.
      Map.entry("natives.linux.x86_64", List.of("natives")),
      // An operation owns its facts; a program is a list of them.
      Map.entry("program.op", List.of("tensor")), Map.entry("program", List.of("program.op", "tensor")),
      // The seam: what can run a program and pack its weights.
      Map.entry("backend", List.of("program", "program.op", "weights", "image", "tensor")),
      // Backends stand beside each other, unknown to each other and to all models.
      Map.entry("cpu", List.of("backend", "program", "program.op", "weights", "image", "natives", "tensor")),
      Map.entry("reference", List.of("backend", "program", "program.op", "weights", "image", "tensor")),
      // What models share. It names no family; the registry of families stands above them, in the public API.
      Map.entry("backbone", List.of("backend", "program", "program.op", "weights", "image", "tensor")));

  private static final JavaClasses CLASSES
      = new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS).importPackages(ROOT);

  static Stream<String> packages() {
    return Stream.concat(MAY_KNOW.keySet().stream(), FAMILIES.stream().map(family -> "backbone." + family)).sorted();
  }

  @ParameterizedTest
  @MethodSource("packages")
  void knowsOnlyWhatIsBelow(String name) {
    Stream<String> known = MAY_KNOW.containsKey(name) ? MAY_KNOW.get(name).stream()
        // A family knows what all share, and what that knows, but no other family.
        : Stream.concat(Stream.of("backbone"), MAY_KNOW.get("backbone").stream());
    String[] allowed = Stream.concat(Stream.of(name), known).map(below -> ROOT + "." + below).toArray(String[]::new);
    classes().that().resideInAPackage(ROOT + "." + name).should()
        .onlyDependOnClassesThat(DescribedPredicate.describe("stand below",
            other -> !other.getPackageName().startsWith(ROOT) || List.of(allowed).contains(other.getPackageName())))
        .check(CLASSES);
  }

  @Test
  void formNoCycle() {
    slices().matching("io.(**)").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void haveALineHere() {
    Set<String> names = new TreeSet<>();
    for (JavaPackage each : CLASSES.getPackage(ROOT).getSubpackagesInTree()) {
      if (!each.getClasses().isEmpty()) {
        names.add(each.getName().substring(ROOT.length() + 1));
      }
    }
    assertThat(packages()).containsExactlyInAnyOrderElementsOf(names);
  }
}
