#!/bin/sh
# Checks and times Vertebra on this machine's GPU. Writes report.md, and prints it; exits with 1 if a check failed.
#   run.sh [--device cuda:N|cuda-emulated] [--goldens FOLDER] [--quick] [--no-pytorch] [--out FILE]
# --goldens: more golden files than those of small models that come along. --quick: a little of everything, which the
# emulator can do too. cuBLAS is looked for where README.md says; VERTEBRA_CUBLAS names its folder.
# By estimate the checks take a few minutes, those under compute-sanitizer ten, the times ten, and PyTorch's
# counterparts, which torch.compile compiles 48 times, half an hour; --no-pytorch leaves these out.
set -u
here=$(cd "$(dirname "$0")" && pwd)
device=cuda:0
goldens=
quick=
pytorch=1
report=report.md
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=$2; shift 2 ;;
    --goldens) goldens=$2; shift 2 ;;
    --out) report=$2; shift 2 ;;
    --quick) quick=1; pytorch=; shift ;;
    --no-pytorch) pytorch=; shift ;;
    *) echo "$1 is no option; there are --device, --goldens, --quick, --no-pytorch and --out" >&2; exit 2 ;;
  esac
done
java="$here/runtime/bin/java"
jar="$here/vertebra.jar"
if [ -z "${VERTEBRA_CUBLAS:-}" ]; then
  # Whichever cuBLAS this machine's PyTorch uses, if it brought one along and LD_LIBRARY_PATH does not lead to another.
  VERTEBRA_CUBLAS=$(python3 -c 'import glob, os, sys
folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
folders += [path + "/nvidia/*/lib" for path in sys.path]
found = [lib for folder in folders for lib in glob.glob(folder + "/libcublas.so.1[23]")]
print(os.path.dirname(found[0]) if found else "")' 2>/dev/null)
  if [ -n "$VERTEBRA_CUBLAS" ]; then export VERTEBRA_CUBLAS; else unset VERTEBRA_CUBLAS; fi
fi
failures="$report.failures"
: >"$report"
: >"$failures"

say() { printf '%s\n' "$@" | tee -a "$report"; }
# Runs a command, its output into the report; what it was, where it failed, into the list of failures.
check() {
  what=$1
  shift
  say ""
  say "## $what"
  say ""
  { "$@" 2>&1 || echo "$what" >>"$failures"; } | tee -a "$report"
}
conformance() { "$java" -cp "$jar:$here/checks" io.vertebra.cuda.ConformanceCheck --device "$device" "$@"; }
timing() { "$java" -cp "$jar:$here/checks" io.vertebra.cuda.TimingCheck --device "$device" "$@"; }
verify() {
  "$java" -jar "$jar" verify --device "$device" --precision "$1" "$2" >"$report.verify" 2>&1
  status=$?
  grep -vE '^  .*[^L]$' "$report.verify"
  rm -f "$report.verify"
  return $status
}

say "# Vertebra on $(uname -srm), $(date -u +%Y-%m-%dT%H:%MZ)"
command -v nvidia-smi >/dev/null && check "Machine" nvidia-smi \
    --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv
[ -z "$quick" ] && check "What Vertebra sees" "$java" -jar "$jar" check
check "A first golden file" verify fp16 "$here/golden/swin_mini_basic.safetensors"
if [ -s "$failures" ]; then
  say "" "Nothing else was tried."
  rm -f "$failures"
  exit 1
fi

if [ -n "$quick" ]; then
  check "Conformance" conformance --cases '(layer norm|global attention|linear GELU).*' --precisions fp16
  check "Golden files, fp16" verify fp16 "$here/golden/hornet_mini_gf.safetensors"
  check "Times" timing --models "$here/golden/swin_mini_basic.safetensors" --batches 1,2 --runs 3
else
  check "Conformance" conformance
  for precision in fp32 tf32 fp16 bf16; do
    check "Golden files of small models, $precision" verify $precision "$here/golden"
    [ -n "$goldens" ] && check "Golden files of $goldens, $precision" verify $precision "$goldens"
  done
  # 282 cases of 404: every kernel, but not every activation in it, nor what takes long.
  few='(?!(linear|affine|sum) (?!GELU)[A-Z]{3}|global (attention 785|filter .*, (26, 20|3, 64))).*'
  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
      check "compute-sanitizer $tool" compute-sanitizer --tool $tool --target-processes all --error-exitcode 9 \
          --print-limit 20 \
          "$java" -cp "$jar:$here/checks" io.vertebra.cuda.ConformanceCheck --device "$device" --precisions fp32,fp16 \
          --cases "$few"
    done
  else
    say "" "compute-sanitizer is not on the PATH: memcheck and racecheck were not run."
  fi
  check "Times" timing --precisions fp16,bf16,tf32,fp32
fi

if [ -n "$pytorch" ] && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  check "PyTorch beside it" python3 "$here/pytorch_peers.py"
else
  say ""
  say "No PyTorch with CUDA here (or --quick, or --no-pytorch): its times were not taken."
fi

say ""
if [ -s "$failures" ]; then
  say "FAILED:"
  tee -a "$report" <"$failures"
  rm -f "$failures"
  exit 1
fi
rm -f "$failures"
say "All checks passed."
