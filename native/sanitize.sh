#!/bin/sh
# Builds the native tests with AddressSanitizer and UndefinedBehaviorSanitizer, then with ThreadSanitizer, or with those
# that are named, and runs them at every level this machine has.
#      native/sanitize.sh [address,undefined|thread]
set -e
cd "$(dirname "$0")"
for sanitizers in ${*:-address,undefined thread}; do
  build=target/$sanitizers
  cmake -S . -B "$build" -DVERTEBRA_TESTS=ON -DVERTEBRA_SANITIZE="$sanitizers"
  cmake --build "$build" --parallel "$(nproc)"
  ctest --test-dir "$build" --output-on-failure
done
