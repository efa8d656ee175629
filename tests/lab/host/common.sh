# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Where the lab keeps things, and how it speaks.

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lab_cache=${GPUVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gpuvm}/lab
# The running lab: its process, what it shares with the server, its logs.
lab_run=$lab_cache/run

# Whose words they are; others' tests use this file too.
speaker=${speaker:-lab}

say() {
	printf '%s\n' "$speaker: $*" >&2
}

die() {
	say "$@"
	exit 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# step TEXT CMD...: runs CMD, and says how long it took. Its output is shown only when it fails.
step() {
	local text=$1 log start=$SECONDS rc=0
	shift
	log=$(mktemp)
	printf '%s: %s ... ' "$speaker" "$text" >&2
	"$@" >"$log" 2>&1 || rc=$?
	if [ "$rc" -eq 0 ]; then
		printf '%d s\n' $((SECONDS - start)) >&2
	else
		printf 'failed\n' >&2
		tail -n 40 "$log" >&2
	fi
	rm -f "$log"
	return "$rc"
}

# One machine at a time, and nobody's is taken away while a test run uses it.
lab_claim() {
	mkdir -p "$lab_cache"
	exec {lab_claimed}>"$lab_cache/claim"
	flock --nonblock "$lab_claimed" || die "another run uses the lab at this moment"
}
