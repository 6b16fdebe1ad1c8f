package io.vertebra.backbone;

import java.util.Optional;

/**
 * A published model by its published name.
 *
 * @param top1 accuracy in per cent on the validation set of ImageNet-1k, of a video model on that of the data set it is
 *   named after, as its authors publish it; empty if they do not
 */
public record Variant(String name, Architecture architecture, Optional<Double> top1) {}
