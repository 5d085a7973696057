#!/usr/bin/env bash
# fuzz.sh [TIME] runs every fuzz target of the module for TIME, by default 3s. The targets of
# a package share one test program.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-3s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log

fuzz() { # fuzz DIR TARGET
	(cd "$1" && "$work/test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$time" -test.fuzzminimizetime 100x \
		-test.fuzzcachedir "$(go env GOCACHE)/fuzz/$(go list .)" -test.timeout 0) </dev/null 2>&1 | tee "$log"
}

git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u | while read -r dir; do
	go test -c -fuzz . -o "$work/test" "./$dir"
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go | while read -r target; do
		echo "fuzz $dir $target"
		fuzz "$dir" "$target" && continue
		# The testing package sometimes ends a target with this error when its time is up.
		# Without a failing input it is no failure.
		grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || exit 1
		fuzz "$dir" "$target"
	done
done
