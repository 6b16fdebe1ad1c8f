package io.vertebra;

/**
 * One class of a prediction.
 *
 * @param index position among the model's classes
 * @param label its name, or the index in digits where names are not known
 * @param probability of the softmax over all classes
 */
public record Classification(int index, String label, float probability) {}
