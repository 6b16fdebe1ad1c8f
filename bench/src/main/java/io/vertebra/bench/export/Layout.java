package io.vertebra.bench.export;

import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;
import java.util.Map;

/** How published models lay out what an operation reads, where it matters. */
enum Layout {
  MAPS, ROWS;

  private static final Map<Class<? extends Op>, Layout> LAYOUTS
      = Map.of(DepthwiseConv.class, MAPS, Convolution.class, MAPS, GlobalFilter.class, MAPS, WindowPool.class, MAPS,
          Bilinear.class, MAPS, LayerNorm.class, ROWS, WindowAttention.class, ROWS, Sum.class, ROWS);

  /** Of operations that read all their operands alike, so of all but products; null: either will do. */
  static Layout of(Call call) {
    return LAYOUTS.get(call.op().getClass());
  }
}
