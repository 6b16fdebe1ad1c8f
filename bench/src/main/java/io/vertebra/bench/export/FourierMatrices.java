package io.vertebra.bench.export;

/**
 * The two-dimensional real Fourier transform of maps and its inverse as matrices, for what turns rows of positions into
 * rows of frequencies {@code [height, width / 2 + 1]}, all real parts and then all imaginary ones.
 */
record FourierMatrices(int height, int width) {

  /** {@code [height * width, 2 * frequencies]}. @param swapped imaginary parts first */
  float[] forward(boolean swapped) {
    int frequencies = frequencies();
    float[] matrix = new float[height * width * 2 * frequencies];
    for (int i = 0; i < matrix.length; i++) {
      boolean real = i / frequencies % 2 == 0 != swapped;
      double angle = angle(i / (2 * frequencies), i % frequencies);
      matrix[i] = (float) (real ? Math.cos(angle) : -Math.sin(angle));
    }
    return matrix;
  }

  /** {@code [2 * frequencies, height * width]}. */
  float[] inverse() {
    int frequencies = frequencies();
    int area = height * width;
    float[] matrix = new float[2 * frequencies * area];
    for (int i = 0; i < matrix.length; i++) {
      int frequency = i / area % frequencies;
      double angle = angle(i % area, frequency);
      int column = frequency % (width / 2 + 1);
      // The other columns stand for their mirror images too.
      int times = column == 0 || 2 * column == width ? 1 : 2;
      matrix[i] = (float) (times * (i / area < frequencies ? Math.cos(angle) : -Math.sin(angle)) / area);
    }
    return matrix;
  }

  private int frequencies() {
    return height * (width / 2 + 1);
  }

  private double angle(int position, int frequency) {
    int columns = width / 2 + 1;
    long row = (long) (position / width) * (frequency / columns) % height;
    long column = (long) (position % width) * (frequency % columns) % width;
    return 2 * Math.PI * ((double) row / height + (double) column / width);
  }
}
