#!/usr/bin/env bash
# Runs every one of these targets of the Makefile, whichever of them fails, then says how each went.
# usage: every.sh TARGET ...   exit status: how many failed
set -uo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
summary=() failed=0
for target in "$@"; do
  echo "== $target"
  began=$SECONDS
  if "${MAKE:-make}" --no-print-directory "$target" 2>&1 | tee "$log"; then how=passed; else how=FAILED; failed=$((failed + 1)); fi
  took=$((SECONDS - began))
  # What pytest says at its end stands in the summary, too.
  told=$(grep -E '^=+ .*(passed|failed|error|no tests ran).* in .*=+$' "$log" | tail -n 1 | tr -d '=')
  summary+=("$(printf '%-10s %s %3d:%02d %s' "$target" "$how" $((took / 60)) $((took % 60)) "$told")")
done
printf '\n'
printf '%s\n' "${summary[@]}"
if [ "$failed" -eq 0 ]; then echo "all passed"; else echo "$failed of $# failed"; fi
exit "$failed"
