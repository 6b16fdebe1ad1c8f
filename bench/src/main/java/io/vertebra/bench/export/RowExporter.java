package io.vertebra.bench.export;

import io.vertebra.program.op.Epilogue;
import io.vertebra.program.op.Norm;
import io.vertebra.program.op.RowMap;
import io.vertebra.program.op.Sum;
import io.vertebra.program.op.Weights;
import io.vertebra.reference.ReferenceBackend.ReferenceWeights;
import io.vertebra.tensor.Shape;
import io.vertebra.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Row maps as roll, reshape, permute, slice and concatenation where that is what they do, and as a gather otherwise.
 */
final class RowExporter {
  private final GraphWriter graph;

  RowExporter(GraphWriter graph) {
    this.graph = graph;
  }

  static float[] floats(Weights weights) {
    if (weights instanceof ReferenceWeights reference) {
      return reference.values();
    }
    throw new IllegalArgumentException("only recordings over the reference backend's weights can be exported");
  }

  String vector(Weights weights) {
    return graph.constant(floats(weights), Math.toIntExact(weights.shape().elements()));
  }

  String norm(String in, Norm norm, int width) {
    return graph.layerNorm(in, vector(norm.gamma()), vector(norm.beta()), norm.eps(), width);
  }

  /**
   * The rows of a tensor in another order.
   *
   * @param tokens of a window of the attention that follows, or 0
   */
  String reordered(String in, RowMap map, Shape shape, int tokens) {
    TokenOrder order = shape.rank() == 4 && tokens > 0 ? TokenOrder.of(map, shape, tokens) : null;
    if (order != null) {
      return partition(in, order, shape);
    }
    int images = shape.rank() > 2 && map.size() % shape.dim(0) == 0 ? shape.dim(0) : 1;
    int positions = shape.rows() / images;
    List<RowPiece> pieces = RowPiece.of(map, images, positions);
    if (pieces != null && pieces.size() == 1 && pieces.get(0).source() >= 0) {
      String byImage = graph.reshape(in, images, positions, shape.channels());
      return graph.reshape(slice(byImage, pieces.get(0), 0, map.size() / images, positions), map.size(),
          shape.channels());
    }
    return gather(in, map, shape.rows(), shape.channels());
  }

  /** Rows put together from several of a tensor's. */
  String merged(String in, RowMap map, Shape shape, int width) {
    if (shape.rank() == 4 && width == 4 * shape.channels() && TokenOrder.merges(map, shape)) {
      String quads = graph.reshape(in, shape.dim(0), shape.dim(1) / 2, 2, shape.dim(2) / 2, 2, shape.channels());
      return graph.reshape(graph.permute(quads, 0, 1, 3, 4, 2, 5), shape.dim(0), shape.rows() / shape.dim(0) / 4,
          width);
    }
    int segment = width / map.groups();
    return gather(in, map, Math.toIntExact(shape.elements() / segment), segment);
  }

  private String gather(String in, RowMap map, int sourceRows, int segment) {
    int[] rows = map.toArray();
    boolean padded = Arrays.stream(rows).anyMatch(row -> row < 0);
    Arrays.setAll(rows, i -> rows[i] < 0 ? sourceRows : rows[i]);
    String gathered = graph.gather(graph.reshape(in, sourceRows, segment), rows, padded, segment);
    return graph.reshape(gathered, map.size(), map.groups() * segment);
  }

  private String partition(String in, TokenOrder order, Shape map) {
    int batch = map.dim(0);
    int down = map.dim(1) / order.rows();
    int across = map.dim(2) / order.columns();
    String rolled = graph.reshape(in, map.toArray());
    if (order.shiftRows() != 0 || order.shiftColumns() != 0) {
      rolled = graph.roll(rolled, order.shiftRows(), order.shiftColumns());
    }
    String cut = graph.reshape(rolled, batch, down, order.rows(), across, order.columns(), map.channels());
    return graph.reshape(graph.permute(cut, 0, 1, 3, 2, 4, 5), map.rows(), map.channels());
  }

  /**
   * Rows sent to their places in {@code out}.
   *
   * @param tokens of a window of the attention before, or 0
   */
  String scatter(String in, RowMap map, Shape out, int tokens) {
    TokenOrder order = out.rank() == 4 && tokens > 0 ? TokenOrder.of(map, out, tokens) : null;
    if (order == null) {
      int[] inverse = new int[out.rows()];
      for (int i = 0; i < map.size(); i++) {
        if (map.row(i) >= 0) {
          inverse[map.row(i)] = i;
        }
      }
      String gathered = graph.gather(graph.reshape(in, map.size(), out.channels()), inverse, false, out.channels());
      return graph.reshape(gathered, GraphValue.flat(out));
    }
    int batch = out.dim(0);
    int down = out.dim(1) / order.rows();
    int across = out.dim(2) / order.columns();
    String cut = graph.reshape(in, batch, down, across, order.rows(), order.columns(), out.channels());
    String whole = graph.reshape(graph.permute(cut, 0, 1, 3, 2, 4, 5), out.toArray());
    String unrolled = order.shiftRows() == 0 && order.shiftColumns() == 0 ? whole
        : graph.roll(whole, out.dim(1) - order.shiftRows(), out.dim(2) - order.shiftColumns());
    return graph.reshape(unrolled, GraphValue.flat(out));
  }

  /** What an epilogue adds, shaped {@code out}. */
  GraphValue residual(Epilogue epilogue, GraphValue value, Shape out) {
    RowMap map = epilogue.residualRows();
    if (map == null) {
      return value;
    }
    Shape shape = epilogue.residual().shape();
    int size = MapPatterns.repeats(map, shape, out);
    if (size > 0) {
      return GraphValue.maps(graph, out, graph.repeat(value.maps(), size, out.dim(1), out.dim(2)));
    }
    String gathered = gather(value.rows(), map, shape.rows(), out.channels());
    return GraphValue.rows(graph, out, graph.reshape(gathered, GraphValue.flat(out)));
  }

  /** A term of a sum whose rows go to a few runs of positions in every image. */
  private record Mapped(Sum.Term term, List<RowPiece> pieces) {
    RowPiece at(int position) {
      return pieces.stream().filter(piece -> piece.from() <= position && position < piece.to()).findFirst()
          .orElseThrow();
    }
  }

  /** The sum of terms, before its activation. */
  String sum(Sum op, Shape out, Map<Tensor, GraphValue> values) {
    List<String> whole = new ArrayList<>();
    List<Mapped> mapped = new ArrayList<>();
    int images = out.rank() > 2 ? out.dim(0) : 1;
    for (Sum.Term term : op.terms()) {
      Shape source = term.tensor() != null ? term.tensor().shape() : term.weights().shape();
      int sourceRows = Math.toIntExact(source.elements() / out.channels());
      int each = term.weights() != null ? 0 : sourceRows % images == 0 ? sourceRows / images : -1;
      List<RowPiece> pieces = term.map() == null || each < 0 ? null : RowPiece.of(term.map(), images, each);
      if (pieces != null) {
        mapped.add(new Mapped(term, pieces));
      } else {
        String all = term.tensor() != null ? values.get(term.tensor()).rows()
            : graph.constant(floats(term.weights()), source.toArray());
        String rows = term.map() == null ? all : gather(all, term.map(), sourceRows, out.channels());
        whole.add(graph.reshape(rows, images, out.rows() / images, out.channels()));
      }
    }
    if (!mapped.isEmpty()) {
      whole.add(joined(mapped, images, out, values));
    }
    String sum = whole.get(0);
    for (String term : whole.subList(1, whole.size())) {
      sum = graph.add(sum, term);
    }
    return graph.reshape(sum, GraphValue.flat(out));
  }

  /** Mapped terms run by run, {@code [images or 1, positions, channels]}. */
  private String joined(List<Mapped> terms, int images, Shape out, Map<Tensor, GraphValue> values) {
    TreeSet<Integer> ends = terms.stream().flatMap(mapped -> mapped.pieces.stream().map(RowPiece::to))
        .collect(Collectors.toCollection(TreeSet::new));
    boolean shared = terms.stream().allMatch(mapped -> mapped.term.weights() != null);
    List<String> runs = new ArrayList<>();
    int from = 0;
    for (int to : ends) {
      float[] constant = new float[(to - from) * out.channels()];
      String run = null;
      boolean weights = false;
      for (Mapped mapped : terms) {
        RowPiece piece = mapped.at(from);
        if (piece.source() < 0) {
          continue;
        }
        int start = piece.source() + from - piece.from();
        if (mapped.term.weights() != null) {
          weights = true;
          float[] source = floats(mapped.term.weights());
          for (int i = 0; i < constant.length; i++) {
            constant[i] += source[start * out.channels() + i];
          }
        } else {
          int positions = Math.toIntExact(mapped.term.tensor().shape().elements() / out.channels() / images);
          String all = graph.reshape(values.get(mapped.term.tensor()).rows(), images, positions, out.channels());
          String slice = slice(all, piece, from, to, positions);
          run = run == null ? slice : graph.add(run, slice);
        }
      }
      if (run == null) {
        int copies = shared ? 1 : images;
        float[] repeated = new float[copies * constant.length];
        for (int i = 0; i < repeated.length; i++) {
          repeated[i] = constant[i % constant.length];
        }
        run = graph.constant(repeated, copies, to - from, out.channels());
      } else if (weights) {
        run = graph.add(run, graph.constant(constant, 1, to - from, out.channels()));
      }
      runs.add(run);
      from = to;
    }
    return runs.size() == 1 ? runs.get(0) : graph.concatenate(1, runs.toArray(String[]::new));
  }

  /** What a piece takes for positions {@code [from, to)}, of a source {@code [images, positions, channels]}. */
  private String slice(String source, RowPiece piece, int from, int to, int positions) {
    int start = piece.source() + from - piece.from();
    return start == 0 && to - from == positions ? source : graph.slice(source, 1, start, start + to - from);
  }

  /** The matrix {@code [bins, positions]} of an adaptive average pooling. */
  String bins(Shape in, Shape out) {
    int height = in.dim(1);
    int width = in.dim(2);
    float[] matrix = new float[out.dim(1) * out.dim(2) * height * width];
    for (int i = 0; i < matrix.length; i++) {
      int bin = i / (height * width);
      double row = share(i / width % height, bin / out.dim(2), out.dim(1), height);
      matrix[i] = (float) (row * share(i % width, bin % out.dim(2), out.dim(2), width));
    }
    return graph.constant(matrix, out.dim(1) * out.dim(2), height * width);
  }

  private static double share(int position, int bin, int bins, int positions) {
    int from = bin * positions / bins;
    int to = ((bin + 1) * positions + bins - 1) / bins;
    return position >= from && position < to ? 1.0 / (to - from) : 0;
  }
}
