package io.vertebra.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Text in columns as wide as their widest cell. */
final class Table {
  private static final String GAP = "  ";

  private final List<Boolean> rightAligned = new ArrayList<>();
  private final List<List<String>> rows = new ArrayList<>(List.of(new ArrayList<>()));

  /** Adds a left-aligned column. */
  Table left(String heading) {
    return column(heading, false);
  }

  /** Adds a right-aligned column, for numbers. */
  Table right(String heading) {
    return column(heading, true);
  }

  private Table column(String heading, boolean right) {
    rightAligned.add(right);
    rows.get(0).add(heading);
    return this;
  }

  void row(String... cells) {
    rows.add(List.of(cells));
  }

  void print(PrintWriter out) {
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int column = 0; column < row.size(); column++) {
        String padding = " ".repeat(width(column) - row.get(column).length());
        line.append(column == 0 ? "" : GAP)
            .append(rightAligned.get(column) ? padding + row.get(column) : row.get(column) + padding);
      }
      out.println(line.toString().stripTrailing());
    }
  }

  private int width(int column) {
    return rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(0);
  }
}
