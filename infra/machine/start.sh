#!/bin/bash
# The life of a machine that trains one session of a run, and then removes itself. It is rendered by
# jobs/backends/vm.py. There is no secret in it: whoever may look at the machine may read it.
#
# Three things end the machine, each where the one before it fails: the end of this script, whatever it ends by; a
# process that sees this script killed; and the longest life. A machine that shuts down is removed by its cloud.
set -u -o pipefail
umask 077

RUN_URL=@RUN_URL@
NUMBER=@NUMBER@
NAME=@NAME@
IMAGE=@IMAGE@
GPU=@GPU@
LOG_URL=@LOG_URL@
REGION=@REGION@
HANDED=@HANDED@
BUDGET_S=@BUDGET_S@
LIFE_MIN=@LIFE_MIN@
DRIVER_S=@DRIVER_S@
PULL_S=@PULL_S@
STOP_S=@STOP_S@
LONGEST_LOG=262144
ENDING_S=120 # of its life, for its log and its removal

work=$(mktemp -d)
printf '\n%.0s' {1..1000} >"$work/why" # room that it has, should the disk be full when something fails

finish() { # say why, where whoever asks can read it, and be gone
  trap '' TERM INT HUP
  local why
  why=$(cat "$work/why" 2>/dev/null)
  echo "facegan-why: ${why:-the start of its machine was broken off}" | tee -a "$work/log"
  tail -c "$LONGEST_LOG" "$work/log" >"$work/last"
  for pause in 2 5 0; do
    keep "$work/last" && { remove; break; } # else it is kept, and its console is read
    sleep "$pause"
  done
  shutdown -h now
}

say() { echo "facegan-start: $*"; }

fail() { # why
  echo "$*" 1<>"$work/why"
  exit 1
}

try() { # SECONDS WHAT COMMAND…: the last line that it says is why it failed
  local limit=$1 what=$2 said code
  shift 2
  said=$(timeout -k 10 "$limit" "$@" 2>&1)
  code=$?
  [ "$code" -eq 0 ] && return
  [ "$code" -eq 124 ] || [ "$code" -eq 137 ] && fail "$what: not done after $limit seconds"
  fail "$what: $(echo "$said" | tail -n 1)"
}

@CLOUD@

driver() { # the GPUs and their driver, for the ledger
  [ "$GPU" = none ] && return
  local began=$SECONDS
  until names=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>&1); do
    [ $((SECONDS - began)) -ge "$DRIVER_S" ] &&
      fail "no driver of the GPU answers on its machine: $(echo "$names" | tail -n 1)"
    sleep 2
  done
  version=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -n 1)
  say "GPUs: $(echo "$names" | paste -s -d ,)"
  found="{\"gpus\": [$(echo "$names" | sed 's/[^A-Za-z0-9 ._-]//g; s/.*/"&"/' | paste -s -d ,)], \"driver\": \"$version\"}"
}

hand_over() { # what the session is handed, into its own volume, for it alone. It ends before its machine does
  local left=$((LIFE_MIN * 60 - ENDING_S - SECONDS))
  [ "$left" -gt "$BUDGET_S" ] && left=$BUDGET_S
  [ "$left" -gt 0 ] || fail "its machine's life was over before its session could begin"
  echo "$HANDED" | sed "s|@INSTANCE@|$instance|; s|@ACCOUNT@|$account|; s|\"@FOUND@\"|$found|; s|\"@BUDGET@\"|$left|" \
    >"$work/handed.json"
  tar -C "$work" --owner=10001 --group=10001 --mode=0400 -cf - handed.json | docker cp - "$NAME:/scratch" ||
    fail "the session's container takes nothing"
}

main() {
  say "session $NUMBER of $RUN_URL"
  found='{}'
  identify
  say "machine $instance"
  driver
  log_in
  say "image $IMAGE"
  try "$PULL_S" "its image cannot be pulled" docker pull --quiet "$IMAGE"
  local gpus=()
  [ "$GPU" = none ] || gpus=(--gpus all)
  try 120 "its container cannot be made" docker create --name "$NAME" "${gpus[@]}" --read-only --user 10001:10001 \
    --cap-drop ALL --security-opt no-new-privileges --pids-limit 1024 --stop-signal SIGTERM --stop-timeout "$STOP_S" \
    --log-opt max-size=10m --log-opt max-file=3 --volume "$NAME:/scratch" --env AWS_EC2_METADATA_SERVICE_ENDPOINT \
    "$IMAGE" run "$RUN_URL" --session "$NUMBER" --handed /scratch/handed.json
  hand_over
  docker start --attach "$NAME"
  local code=$? state error
  state=$(docker inspect --format '{{.State.OOMKilled}} {{.State.Running}}' "$NAME" 2>/dev/null)
  error=$(docker inspect --format '{{.State.Error}}' "$NAME" 2>/dev/null | tail -n 1)
  case "$state/$code" in
  true\ */*) fail "its container was killed for want of memory" ;;
  *\ true/*) fail "the engine of its machine does not answer any more" ;;
  */0 | */75) fail "the session has ended with exit code $code" ;;
  */137) fail "its container was killed" ;;
  *) [ -z "$error" ] || fail "its container could not be started: $error"
    fail "its container ended with exit code $code, without a report" ;;
  esac
}

shutdown -h "+$LIFE_MIN"
trap finish EXIT
trap 'exit 143' TERM INT HUP
setsid bash -c "while kill -0 $$; do sleep 5; done; remove; shutdown -h now" >/dev/null 2>&1 &
main 2>&1 | tee "$work/log"
