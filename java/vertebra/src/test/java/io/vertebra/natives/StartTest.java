package io.vertebra.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.tensor.VertebraException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Processes that start under adverse conditions: each loads the library, or says why not and what to do. Where a
 * condition takes root, or a mount, that is not to be had, its test is skipped.
 */
class StartTest {
  private static final String RUN = "exec \"$@\"";
  private static final String LIBRARY = "libjnivertebra.so";
  /** Without a name, and so without a home. */
  private static final String STRANGER = "exec setpriv --reuid=54321 --regid=54321 --clear-groups env -u HOME \"$@\"";

  /** What the processes need, readable by every user. */
  @TempDir
  static Path classes;
  private static String path;

  @TempDir
  Path folder;
  private Path cache;
  private Path home;
  private Path temporary;

  @BeforeAll
  static void copyClasses() throws Exception {
    Path own = classes.resolve("own");
    Path probe = Path.of(ChildProcess.class.getPackageName().replace('.', '/'));
    Files.createDirectories(own.resolve(probe));
    run("cp -r " + code(CpuBackend.class) + "/. " + own);
    run("cp " + code(ChildProcess.class).resolve(probe) + "/ChildProcess* " + own.resolve(probe));
    URI natives = StartTest.class.getResource("/" + NativeLibrary.RESOURCES + LIBRARY).toURI();
    run("cp -r " + Path.of(natives).resolve("../../..").normalize() + " " + own);
    run("cp " + code(Pointer.class) + " " + classes.resolve("javacpp.jar"));
    run("chmod -R a+rX " + classes);
    path = own + ":" + classes.resolve("javacpp.jar");
  }

  private static Path code(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
  }

  @BeforeEach
  void createFolders() throws IOException {
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    cache = Files.createDirectory(folder.resolve("cache"));
    home = Files.createDirectory(folder.resolve("home"));
    temporary = Files.createDirectory(folder.resolve("tmp"));
    Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rwxrwxrwx"));
  }

  /** Options that keep a process to the folders of this test. */
  private String[] options(String... more) {
    List<String> options = new ArrayList<>(List.of("-Duser.home=" + home, "-Djava.io.tmpdir=" + temporary));
    options.addAll(List.of(more));
    return options.toArray(String[]::new);
  }

  private String start(String shell, String... more) throws IOException, InterruptedException {
    return ChildProcess.start(shell, path, options(more)).output();
  }

  private String inCache() {
    return "-Dvertebra.cache=" + cache;
  }

  private static void run(String shell) throws IOException, InterruptedException {
    assertThat(isPossible(shell)).as(shell).isTrue();
  }

  private static boolean isPossible(String shell) throws IOException, InterruptedException {
    return new ProcessBuilder("sh", "-ec", shell).inheritIO().start().waitFor() == 0;
  }

  /** The JVM in a mount namespace of its own, after some commands. */
  private static String mounted(String commands) throws IOException, InterruptedException {
    assumeTrue(isPossible("unshare --mount true 2>&1 >/dev/null"), "mounting takes root");
    return "exec unshare --mount sh -ec '" + commands + "; exec \"$@\"' sh \"$@\"";
  }

  private static void assumeUsers() throws IOException, InterruptedException {
    assumeTrue(isPossible("setpriv --reuid=54321 --regid=54321 --clear-groups true 2>&1 >/dev/null"),
        "being another user takes root");
  }

  @Test
  void manyTogether() throws Exception {
    List<ChildProcess> processes = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      processes.add(ChildProcess.start(RUN, path, options(inCache())));
    }
    for (ChildProcess process : processes) {
      assertThat(process.output()).startsWith("loaded ").contains(cache.toString()).hasLineCount(1);
    }
  }

  @Test
  void anIsaThatIsNone() throws Exception {
    assertThat(start("VERTEBRA_ISA=sse9 " + RUN)).contains("sse9",
        "generic, avx2, avx512, avx512_vnni, avx512_bf16 or amx");
  }

  @Test
  void aCpuWithoutVectorInstructionsIsWarnedOfOnce() throws Exception {
    assertThat(start("VERTEBRA_ISA=generic " + RUN)).contains("loaded generic").containsOnlyOnce("ten times slower")
        .contains("VERTEBRA_ISA=generic asks for it");
  }

  @Test
  void aFolderThatIsNamed() throws Exception {
    assertThat(start(RUN, "-Dvertebra.native=" + cache)).hasLineCount(1).startsWith("the native library " + LIBRARY)
        .contains(cache.resolve(LIBRARY) + " does not exist", "-Dvertebra.native");
    Files.writeString(cache.resolve(LIBRARY), "this is no library".repeat(100));
    assertThat(start(RUN, "-Dvertebra.native=" + cache)).contains("it is damaged, or no library");
  }

  @ParameterizedTest
  @ValueSource(strings = {"000", "077"})
  void anyUmask(String umask) throws Exception {
    assertThat(start("umask " + umask + "; " + RUN)).startsWith("loaded ").contains(home.toString());
    try (Stream<Path> files = Files.walk(home.resolve(".cache"))) {
      assertThat(files).allSatisfy(file -> assertThat(Files.getPosixFilePermissions(file))
          .isEqualTo(PosixFilePermissions.fromString("rwx------")));
    }
  }

  /** A process of the same class path and cache before it leaves a library that is damaged since. */
  @ParameterizedTest
  @ValueSource(strings = {"truncate -s 0", "truncate -s 100000", "shred -n 0 -z",
    "dd if=/bin/true bs=1 count=9 seek=1000000 conv=notrunc status=none of="})
  void aDamagedLibrary(String damage) throws Exception {
    start(RUN, inCache());
    run(damage + (damage.endsWith("=") ? "" : " ") + "$(echo " + cache + "/vertebra/*/*.so)");
    assertThat(start(RUN, inCache())).startsWith("loaded ").contains(cache.toString());
  }

  @Test
  void aCacheThatIsNotTheUsersOwn() throws Exception {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Files.createSymbolicLink(cache.resolve("vertebra"), elsewhere);
    assertThat(start(RUN, inCache())).startsWith("loaded ").doesNotContain(cache.toString());
    assertThat(elsewhere).isEmptyDirectory();
    Files.delete(cache.resolve("vertebra"));
    Path open = Files.createDirectory(cache.resolve("vertebra"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThat(start(RUN, inCache())).startsWith("loaded ").doesNotContain(cache.toString());
    assertThat(open).isEmptyDirectory();
  }

  @Test
  void aFileWhereTheCacheShouldBe() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "no folder");
    assertThat(start("XDG_CACHE_HOME=relative " + RUN, "-Dvertebra.cache=" + file, "-Duser.home=" + file,
        "-Djava.io.tmpdir=" + file)).hasLineCount(1).contains(file + "/vertebra: ",
            "XDG_CACHE_HOME is no absolute path: 'relative'", "the home folder " + file + " does not exist",
            "-Dvertebra.cache=FOLDER", "-Dvertebra.native=FOLDER");
  }

  @ParameterizedTest
  @ValueSource(strings = {"?", "", "relative"})
  void aHomeThatIsNone(String none) throws Exception {
    Path working = Files.createDirectory(folder.resolve("working"));
    assertThat(start("cd " + working + "; XDG_CACHE_HOME=" + none + " " + RUN, "-Duser.home=" + none))
        .startsWith("loaded ").contains(temporary.toString());
    assertThat(working).isEmptyDirectory();
  }

  @Test
  void aFolderThatNothingMayBeExecutedFrom() throws Exception {
    String noexec = "mount -t tmpfs -o noexec none ";
    assertThat(start(mounted(noexec + cache), inCache())).startsWith("loaded ").contains(home.toString());
    assertThat(start(mounted(noexec + cache + "; " + noexec + home), inCache())).startsWith("loaded ")
        .contains(temporary.toString());
    assertThat(start(mounted(noexec + cache + "; " + noexec + home + "; " + noexec + temporary), inCache()))
        .hasLineCount(1).contains(cache + "/vertebra: nothing there may be executed",
            home + "/.cache/vertebra: nothing there may be", temporary + "/vertebra-", "noexec",
            "-Dvertebra.cache=FOLDER", "-Dvertebra.native=FOLDER");
  }

  @Test
  void aFullDisk() throws Exception {
    String full = "mount -t tmpfs -o size=1m none ";
    assertThat(start(mounted(full + cache), inCache())).startsWith("loaded ").contains(home.toString());
    assertThat(start(mounted(full + cache + "; " + full + home + "; " + full + temporary), inCache())).hasLineCount(1)
        .contains("No space left on device", cache.toString(), home.toString(), temporary.toString());
  }

  @Test
  void aReadOnlySystem() throws Exception {
    assertThat(start(mounted("mount -t tmpfs none " + temporary + "; mount -o remount,bind,ro /"), inCache()))
        .startsWith("loaded ").contains(temporary.toString());
  }

  @Test
  void aUserWithoutNameAndHome() throws Exception {
    assumeUsers();
    assertThat(ChildProcess.start(STRANGER, path, "-Djava.io.tmpdir=" + temporary).output()).startsWith("loaded ")
        .contains(temporary + "/vertebra-54321/");
  }

  @Test
  void aLibraryThatAnotherUserPlanted() throws Exception {
    assumeUsers();
    String key = Files.readString(classes.resolve("own").resolve(NativeLibrary.RESOURCES + LIBRARY + ".key"));
    String digest = key.split(" ")[0];
    for (String planted : List.of("vertebra", "vertebra-54321")) {
      Path target = temporary.resolve(planted).resolve(digest);
      run("umask 022; exec setpriv --reuid=12345 --regid=12345 --clear-groups sh -ec 'mkdir -p " + target
          + "; cp /bin/true " + target.resolve(LIBRARY) + "; truncate -s " + key.split(" ")[1].strip() + " "
          + target.resolve(LIBRARY) + "; printf 0 > " + target.resolve(LIBRARY + ".crc32") + "'");
    }
    String output = ChildProcess.start(STRANGER, path, "-Djava.io.tmpdir=" + temporary).output();
    assertThat(output).startsWith("loaded ").contains(temporary + "/vertebra-").doesNotContain(temporary + "/vertebra/")
        .doesNotContain("vertebra-54321");
    try (Stream<Path> left = Files.list(temporary)) {
      assertThat(left.filter(file -> file.getFileName().toString().startsWith("vertebra"))).hasSize(2);
    }
  }

  @Test
  void fewerCpus() throws Exception {
    assumeTrue(isPossible("taskset -c 0 true"), "there is no taskset");
    assertThat(start("exec taskset -c 0 \"$@\"")).contains(" for 1\n");
    assertThat(start(RUN, "-XX:ActiveProcessorCount=1")).contains(" for 1\n");
  }

  @Test
  void aSmallContainer() throws Exception {
    String name = "vertebra-test-" + ProcessHandle.current().pid();
    String memory = "/sys/fs/cgroup/memory/" + name;
    String cpu = "/sys/fs/cgroup/cpu/" + name;
    assumeTrue(isPossible("mkdir " + memory + " " + cpu + " 2>/dev/null"), "cgroups (version 1) cannot be made here");
    try {
      assertThat(start("echo 400M > " + memory + "/memory.limit_in_bytes; echo $$ > " + memory
          + "/cgroup.procs; echo 100000 > " + cpu + "/cpu.cfs_quota_us; echo $$ > " + cpu + "/cgroup.procs; " + RUN))
          .startsWith("loaded ").contains(" for 1\n");
    } finally {
      run("rmdir " + memory + " " + cpu);
    }
  }

  @Test
  void anotherPlatform() {
    for (String os : List.of("Windows 11", "Mac OS X")) {
      assertThat(onPlatform(os, "amd64")).contains("Linux on x86-64", os, "reference backend");
    }
    assertThat(onPlatform("Linux", "aarch64")).contains("this is Linux on aarch64");
  }

  private static String onPlatform(String os, String arch) {
    String realOs = System.setProperty("os.name", os);
    String realArch = System.setProperty("os.arch", arch);
    try {
      return failure(new NativeLibrary("vertebra", NativeLibrary.RESOURCES + LIBRARY, StartTest.class));
    } finally {
      System.setProperty("os.name", realOs);
      System.setProperty("os.arch", realArch);
    }
  }

  /** What it says, twice alike. */
  private static String failure(NativeLibrary library) {
    String[] messages = new String[2];
    for (int i = 0; i < 2; i++) {
      try {
        messages[i] = "loaded from " + library.folder();
      } catch (VertebraException e) {
        messages[i] = e.getMessage();
      }
    }
    assertThat(messages[1]).isEqualTo(messages[0]);
    return messages[0];
  }

  @Test
  void aMissingJar() {
    assertThat(failure(new NativeLibrary("vertebra", NativeLibrary.RESOURCES + "libnone.so", StartTest.class)))
        .contains("libnone.so", "vertebra-<version>-linux-x86_64.jar", "-Dvertebra.native=FOLDER");
  }
}
