/** Golden files, outputs of the published implementations, and what compares models with them. */
module io.vertebra.golden {
  requires transitive io.vertebra;

  exports io.vertebra.golden;
}
