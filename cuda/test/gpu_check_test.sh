#!/bin/sh
# gpu-check/run.sh tells of whatever fails. A script stands for Java; it fails where its arguments contain $FAILING.
set -eu
bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT
mkdir -p "$bundle/runtime/bin"
cp "$(dirname "$0")/../gpu-check/run.sh" "$bundle/"
cat >"$bundle/runtime/bin/java" <<'END'
#!/bin/sh
case "$*" in *"$FAILING"*) echo "  logits  0.3  FAIL"; exit 1 ;; esac
echo "  logits  0.0001  ok"
END
chmod +x "$bundle/runtime/bin/java"

# expect STATUS FAILING LINE: the script's exit status, and what it prints.
expect() {
  status=0
  printed=$(FAILING=$2 sh "$bundle/run.sh" --quick --out "$bundle/report.md") || status=$?
  if [ $status -ne "$1" ] || ! echo "$printed" | grep -qx "$3" || [ "$printed" != "$(cat "$bundle/report.md")" ]; then
    echo "'$2' fails, and run.sh ends with $status; wanted: $1, and '$3' in"
    echo "$printed"
    exit 1
  fi
}

expect 0 nothing "All checks passed."
expect 1 swin_mini_basic.safetensors "Nothing else was tried."
expect 1 hornet_mini_gf.safetensors "Golden files, fp16"
expect 1 ConformanceCheck "Conformance"
expect 1 TimingCheck "Times"
