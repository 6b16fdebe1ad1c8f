package io.vertebra.bench.peer;

/** An engine that can also run on images handed over beforehand, and leave the results where they are. */
interface PeerEngine extends Engine {
  /** What is timed of single operations. */
  void compute();
}
