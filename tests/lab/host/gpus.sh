# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# GPUs that are processes (tests/lab/gpu-server), one for each function, started before the outer QEMU. Their folder
# $lab_run/gpus holds gpu-server, and for each NAME its sockets NAME and NAME.control, NAME.log and NAME.pid. What a
# scenario asks of them goes through share/gpus: NUMBER.ask, NUMBER.answer.

# gpus_add NAME BUS FUNCTION OPTION...: for profiles; a function of a card on a port, as gpu-server's options say. With
# multifunction=true before it, the first of a card of several.
gpus_add() {
	local name=$1 bus=$2 function=$3
	shift 3
	machine+=(-device "{\"driver\":\"vfio-user-pci\",\"id\":\"$name\",\"bus\":\"$bus\",\"addr\":\"0.$function\",\
\"multifunction\":${multifunction:-false},\"socket\":{\"type\":\"unix\",\"path\":\"gpus/$name\"}}")
	gpus+=("$name $*")
}

# gpus_possible PROFILE: whether the outer QEMU can have such GPUs.
gpus_possible() {
	[[ $( (machine_qemu -device vfio-user-pci,help) 2>&1 || :) != 'vfio-user-pci options:'* ]] || return 0
	say "profile $1 needs a QEMU with vfio-user-pci, 10.1 or newer; what the lab has says:" \
		"$( (machine_qemu --version) 2>&1 | head -n 1)"
	return 1
}

gpus_compile() {
	"${CC:-cc}" -std=c17 -O2 -D_GNU_SOURCE -I "$lab_dir/../.." -o "$lab_run/gpus/gpu-server" "$lab_dir"/gpu-server/*.c
}

# gpus_ask NAME WORD...: on its control socket. By a short path: those of sockets are.
gpus_ask() {
	local name=$1
	shift
	[ -e "$lab_run/gpus/$name.control" ] || {
		echo "error: no GPU $name"
		return 1
	}
	(cd "$lab_run" && gpus/gpu-server --ask "gpus/$name.control" "$@")
}

gpus_start_one() {
	local name=$1
	shift
	(
		cd "$lab_run"
		exec {lab_claimed}>&-
		setsid gpus/gpu-server --socket "gpus/$name" --control "gpus/$name.control" "$@" \
			</dev/null >"gpus/$name.log" 2>&1 &
		echo $! >"gpus/$name.pid"
	)
	for _ in {1..50}; do
		! gpus_ask "$name" status >/dev/null 2>&1 || [ ! -S "$lab_run/gpus/$name" ] || return 0
		sleep 0.1
	done
	say "the GPU $name did not start: $(cat "$lab_run/gpus/$name.log")"
	return 1
}

gpus_start() {
	local gpu words
	[ ${#gpus[@]} -gt 0 ] || return 0
	mkdir -p "$lab_run/gpus" "$lab_run/share/gpus"
	gpus_compile || return
	for gpu in "${gpus[@]}"; do
		read -ra words <<<"$gpu"
		gpus_start_one "${words[@]}" || return
	done
}

# Answers what scenarios ask; called again and again while a command runs.
gpus_answer() {
	local ask words status
	for ask in "$lab_run"/share/gpus/*.ask; do
		[ -e "$ask" ] || continue
		read -ra words <"$ask" || :
		rm -f "$ask"
		status=1
		if [[ "${words[0]:-}" =~ ^[a-z0-9]+$ ]]; then
			status=0
			gpus_ask "${words[@]}" >"${ask%.ask}.part" 2>&1 || status=$?
		else
			echo "error: which GPU?" >"${ask%.ask}.part"
		fi
		echo "$status" >>"${ask%.ask}.part"
		mv "${ask%.ask}.part" "${ask%.ask}.answer"
	done
}

gpus_stop() {
	local file name pid
	for file in "$lab_run"/gpus/*.pid; do
		[ -e "$file" ] || continue
		name=$(basename "$file" .pid)
		pid=$(cat "$file")
		# The number may belong to somebody else by now.
		! tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "gpus/$name.control" || kill "$pid" 2>/dev/null || :
		rm -f "$file"
	done
}
