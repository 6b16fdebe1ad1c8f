#!/bin/sh
# Builds the native tests with sanitizers, address, undefined and thread or those that are named, and runs them at every
# level this machine has.
#      native/sanitize.sh [SANITIZER...]
set -e
cd "$(dirname "$0")"
for sanitizer in ${*:-address undefined thread}; do
  build=target/$sanitizer
  cmake -S . -B "$build" -DVERTEBRA_TESTS=ON -DVERTEBRA_SANITIZE="$sanitizer"
  cmake --build "$build" --parallel "$(nproc)"
  echo "== $sanitizer =="
  ctest --test-dir "$build" --output-on-failure
done
