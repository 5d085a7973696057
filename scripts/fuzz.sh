#!/usr/bin/env bash
# fuzz.sh [TIME] runs every fuzz target of the module for TIME, by default 3s.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-3s}

fuzz() { # fuzz DIR TARGET
	go test "./$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 100x </dev/null 2>&1 | tee "$log"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u | while read -r dir; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go | while read -r target; do
		echo "fuzz $dir $target"
		fuzz "$dir" "$target" && continue
		# The go command sometimes ends a target with this error when its time is up. Without
		# a failing input it is no failure.
		grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || exit 1
		fuzz "$dir" "$target"
	done
done
