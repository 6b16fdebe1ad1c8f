package io.vertebra.cuda;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
  private static final JavaClasses CLASSES = new ClassFileImporter()
      .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS).importPackages("io.vertebra.cuda");

  @Test
  void packagesFormNoCycle() {
    slices().matching("io.vertebra.(**)").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void knowsNeitherModelsNorOtherBackendsNorThePublicApi() {
    noClasses().should().dependOnClassesThat()
        .resideInAnyPackage("io.vertebra", "io.vertebra.backbone..", "io.vertebra.cpu", "io.vertebra.reference")
        .check(CLASSES);
  }
}
