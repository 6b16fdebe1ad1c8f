package io.vertebra.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertebra.backend.WeightStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SlabsTest {
  @BeforeAll
  static void load() {
    NativeRuntime.require();
  }

  private static void fill(WeightStore.Block block, byte value) {
    byte[] bytes = new byte[(int) block.bytes()];
    Arrays.fill(bytes, value);
    NativeMemory.buffer(block).put(bytes);
  }

  @Test
  void partsAreAlignedAndTheirOwn() {
    Slabs slabs = new Slabs();
    Random random = new Random(1);
    List<WeightStore.Block> parts = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      WeightStore.Block part = slabs.allocate(i % 50 == 0 ? 3 << 20 : 1 + random.nextInt(100_000));
      fill(part, (byte) i);
      parts.add(part);
    }
    for (int i = 0; i < parts.size(); i++) {
      WeightStore.Block part = parts.get(i);
      assertThat(part.address() % 64).isZero();
      byte[] bytes = new byte[(int) part.bytes()];
      NativeMemory.buffer(part).get(bytes);
      assertThat(bytes).containsOnly((byte) i);
    }
    parts.forEach(WeightStore.Block::close);
  }

  @Test
  void aSlabIsFreedWithTheLastOfItsParts() {
    long before = NativeMemory.allocated();
    Slabs slabs = new Slabs();
    WeightStore.Block first = slabs.allocate(1000);
    WeightStore.Block second = slabs.allocate(1000);
    long slab = NativeMemory.allocated() - before;
    assertThat(slab).isGreaterThanOrEqualTo(2000);
    first.close();
    first.close();
    assertThat(NativeMemory.allocated() - before).isEqualTo(slab);
    second.close();
    assertThat(NativeMemory.allocated()).isEqualTo(before);
    WeightStore.Block third = slabs.allocate(1000);
    fill(third, (byte) 1);
    third.close();
    assertThat(NativeMemory.allocated()).isEqualTo(before);
  }

  @Test
  void whatIsLargerThanASlabHasOneOfItsOwn() {
    long before = NativeMemory.allocated();
    WeightStore.Block large = new Slabs().allocate(40L << 20);
    assertThat(NativeMemory.allocated() - before).isEqualTo(40L << 20);
    large.close();
    assertThat(NativeMemory.allocated()).isEqualTo(before);
  }
}
