# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Running commands in the running lab through the shared folder.

# What command_run returns when the machine died under the command.
command_lost=125

# command_run USER TIMEOUT < script: streams its output, returns its exit code (124: timeout).
command_run() {
	local user=$1 limit=$2 name dir deadline=$((SECONDS + $2 + 60)) done=no shown=0 turns=0 size status
	name=$$-$RANDOM-$SECONDS
	dir=$lab_run/share/commands/$name
	mkdir -p "$dir"
	cat >"$dir/script"
	printf '%s\n' "$user" >"$dir/user"
	printf '%s\n' "$limit" >"$dir/timeout"
	: >"$dir/output"
	: >"$dir/ready"
	while :; do
		# Looked at before the output, so that what was written last is not missed.
		[ ! -e "$dir/status" ] || done=yes
		size=$(stat -c %s "$dir/output")
		if [ "$size" -gt "$shown" ]; then
			tail -c "+$((shown + 1))" "$dir/output" | head -c $((size - shown))
			shown=$size
		fi
		[ "$done" = no ] || break
		gpus_answer
		machine_runs || return "$command_lost"
		if [ $((++turns % 50)) -eq 0 ] && { machine_stalled || machine_silent; }; then
			return "$command_lost"
		fi
		if [ "$SECONDS" -gt "$deadline" ]; then
			say "the server does not answer any more"
			return 124
		fi
		sleep 0.2
	done
	status=$(cat "$dir/status")
	rm -rf "$dir"
	return "$status"
}
