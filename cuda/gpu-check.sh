#!/bin/sh
# Makes a bundle that checks and times Vertebra on a machine with an NVIDIA GPU and nothing else: no JDK, no toolkit.
#   mvn -DskipTests package && cuda/gpu-check.sh [ARCHIVE]
# by default java/vertebra-cuda/target/vertebra-gpu-check.tar.gz
# There: tar xzf vertebra-gpu-check.tar.gz && vertebra-gpu-check/run.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
archive=${1:-$root/java/vertebra-cuda/target/vertebra-gpu-check.tar.gz}
jlink=${JAVA_HOME:+$JAVA_HOME/bin/}jlink
jar=$root/java/vertebra-cli/target/vertebra.jar
checks=$root/java/vertebra-cuda/target/test-classes
cases=$root/java/vertebra/target/test-classes

for needed in "$jar" "$checks/io/vertebra/cuda/TimingCheck.class" "$cases/io/vertebra/conformance"; do
  [ -e "$needed" ] || { echo "$needed is missing; build it with: mvn -DskipTests package" >&2; exit 1; }
done
"$jlink" --version >/dev/null || { echo "jlink is missing: install a JDK, and set JAVA_HOME" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/vertebra-gpu-check
mkdir -p "$bundle/checks/io/vertebra/cuda" "$bundle/checks/io/vertebra/conformance"
"$jlink" --add-modules java.base,java.logging,java.management,jdk.unsupported --strip-debug --no-header-files \
    --no-man-pages --compress=2 --output "$bundle/runtime"
cp "$jar" "$bundle/"
for name in CudaCases ConformanceCheck TimingCheck CheckOptions; do
  cp "$checks/io/vertebra/cuda/$name"*.class "$bundle/checks/io/vertebra/cuda/"
done
cp "$cases/io/vertebra/conformance/ConformanceCases"*.class "$bundle/checks/io/vertebra/conformance/"
cp -r "$root/java/vertebra-golden/src/test/resources/golden/mini" "$bundle/golden"
cp "$root/cuda/gpu-check/run.sh" "$root/cuda/gpu-check/pytorch_peers.py" "$bundle/"
tar -C "$work" -czf "$archive" vertebra-gpu-check
echo "$archive: $(($(stat -c %s "$archive") / 1048576)) MiB"
