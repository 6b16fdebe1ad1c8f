package io.vertebra.bench.export;

import io.vertebra.tensor.Shape;

/**
 * A tensor's value in a graph: as rows, {@code [batch, positions, channels]}, as maps, {@code [batch, channels, (time,)
 * height, width]}, or both. What it was not made as is made when first asked for, and once. Only tensors of four or
 * more axes have maps; rows of others have the tensor's own axes.
 */
final class GraphValue {
  private final GraphWriter graph;
  private final Shape shape;
  private String rows;
  private String maps;

  private GraphValue(GraphWriter graph, Shape shape) {
    this.graph = graph;
    this.shape = shape;
  }

  static GraphValue rows(GraphWriter graph, Shape shape, String name) {
    GraphValue value = new GraphValue(graph, shape);
    value.rows = name;
    return value;
  }

  static GraphValue maps(GraphWriter graph, Shape shape, String name) {
    GraphValue value = new GraphValue(graph, shape);
    value.maps = name;
    return value;
  }

  static GraphValue of(GraphWriter graph, Shape shape, boolean maps, String name) {
    return maps ? maps(graph, shape, name) : rows(graph, shape, name);
  }

  boolean hasRows() {
    return rows != null;
  }

  boolean hasMaps() {
    return maps != null;
  }

  boolean has(boolean asMaps) {
    return asMaps ? hasMaps() : hasRows();
  }

  String in(boolean asMaps) {
    return asMaps ? maps() : rows();
  }

  String rows() {
    if (rows == null && shape.rows() == shape.dim(0)) {
      // Of a single position both orders are the same.
      rows = graph.reshape(maps, flat(shape));
    } else if (rows == null) {
      int[] axes = new int[shape.rank()];
      for (int i = 1; i < axes.length; i++) {
        axes[i] = i + 1 < axes.length ? i + 1 : 1;
      }
      rows = graph.reshape(graph.permute(maps, axes), flat(shape));
    }
    return rows;
  }

  String maps() {
    if (maps == null) {
      int[] axes = new int[shape.rank()];
      for (int i = 1; i < axes.length; i++) {
        axes[i] = i == 1 ? axes.length - 1 : i - 1;
      }
      maps = graph.permute(graph.reshape(rows, shape.toArray()), axes);
    }
    return maps;
  }

  /** Axes of a tensor's rows. */
  static int[] flat(Shape shape) {
    return shape.rank() >= 4 ? new int[] {shape.dim(0), shape.rows() / shape.dim(0), shape.channels()}
        : shape.toArray();
  }
}
