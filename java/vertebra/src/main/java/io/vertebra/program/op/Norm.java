package io.vertebra.program.op;

/** LayerNorm over channels: biased variance, scale and shift. Both weights have shape {@code [channels]}. */
public record Norm(Weights gamma, Weights beta, float eps) {}
