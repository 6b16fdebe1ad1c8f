/** Small trained models and the digits they classify. */
module io.vertebra.demo {
  requires transitive io.vertebra;

  exports io.vertebra.demo;
}
