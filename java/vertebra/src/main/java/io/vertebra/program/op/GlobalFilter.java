package io.vertebra.program.op;

import io.vertebra.tensor.Require;
import io.vertebra.tensor.Shape;
import java.util.List;

/**
 * The global filter of HorNet (arXiv 2207.14284; Rao et al., "Global Filter Networks", arXiv 2107.00645): each channel
 * of a map {@code [batch, height, width, channels]} is multiplied by a complex filter in the frequency domain,
 * {@code irfft2(rfft2(x) * filter)}, which is a circular convolution with a kernel as large as the map.
 *
 * @param filter {@code [height, width / 2 + 1, channels, 2]} (real, imaginary), with columns 0 and, for an even width,
 *   width / 2 Hermitian in the row frequency
 * @param firstChannel of the operand's channels that are filtered; the others are not read
 */
public record GlobalFilter(Weights filter, int firstChannel) implements Op {
  public GlobalFilter {
    Require.nonNull(filter, "filter");
    Require.nonNegative(firstChannel, "firstChannel");
  }

  @Override
  public Shape result(Shape in) {
    Fit.require(in.rank() == 4, "map", in);
    Fit.require(filter.shape().rank() == 4, "filter " + filter.shape(), in);
    int channels = filter.shape().dim(2);
    Fit.require(filter.shape().equals(Shape.of(in.dim(1), in.dim(2) / 2 + 1, channels, 2)), "filter " + filter.shape(),
        in);
    Fit.require(Fit.hasChannels(in, firstChannel, channels), "channels", in);
    return in.withChannels(channels);
  }

  @Override
  public List<Weights> values() {
    return List.of(filter);
  }

  /**
   * A fast Fourier transform of n real points takes 5/2 n log2(n); there are two, and a complex product for every
   * frequency between them.
   */
  @Override
  public long flops(Shape in, Shape out) {
    double points = (double) out.dim(1) * out.dim(2);
    double frequencies = filter.shape().elements() / 2.0 / out.channels();
    double channel = 5 * points * Math.log(points) / Math.log(2) + 6 * frequencies;
    return Math.round(channel * out.channels() * out.dim(0));
  }

  @Override
  public long elementsRead(Shape in, Shape out) {
    return (long) in.rows() * out.channels();
  }

  @Override
  public <R> R accept(Visitor<R> visitor, Call call) {
    return visitor.globalFilter(this, call);
  }
}
