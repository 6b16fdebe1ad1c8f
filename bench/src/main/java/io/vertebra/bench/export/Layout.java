package io.vertebra.bench.export;

import io.vertebra.program.op.Bilinear;
import io.vertebra.program.op.Call;
import io.vertebra.program.op.Convolution;
import io.vertebra.program.op.DepthwiseConv;
import io.vertebra.program.op.GlobalFilter;
import io.vertebra.program.op.LayerNorm;
import io.vertebra.program.op.Linear;
import io.vertebra.program.op.Op;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.WindowAttention;
import io.vertebra.program.op.WindowPool;

/** How published models lay out what an operation reads; they take either where it matters little. */
enum Layout {
  MAPS, ROWS, EITHER;

  /** Of any operation but a product that is a convolution. */
  static Layout of(Call call) {
    return call.accept(new Op.Selection<>() {
      @Override
      public Layout linear(Linear op, Call same) {
        return op.rows().norm() != null || op.rows().map() != null ? ROWS : EITHER;
      }

      @Override
      public Layout layerNorm(LayerNorm op, Call same) {
        return ROWS;
      }

      @Override
      public Layout windowAttention(WindowAttention op, Call same) {
        return ROWS;
      }

      @Override
      public Layout sum(Sum op, Call same) {
        return ROWS;
      }

      @Override
      public Layout depthwiseConv(DepthwiseConv op, Call same) {
        return MAPS;
      }

      @Override
      public Layout convolution(Convolution op, Call same) {
        return MAPS;
      }

      @Override
      public Layout globalFilter(GlobalFilter op, Call same) {
        return MAPS;
      }

      @Override
      public Layout windowPool(WindowPool op, Call same) {
        return MAPS;
      }

      @Override
      public Layout bilinear(Bilinear op, Call same) {
        return MAPS;
      }

      @Override
      public Layout otherwise(Call same) {
        return EITHER;
      }
    });
  }
}
