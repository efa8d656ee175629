# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# For scenarios that kill something while a VM starts: reaching a point, and what must hold afterwards.

hook_script=/etc/libvirt/hooks/qemu.d/99-lab-pause
hook_state=/run/lab/hook

# start_at STEP: gpuvm starts $spec and stops itself before that step of launch's table; its process is $pid.
start_at() {
	GPUVM_PAUSE_AT=$1 gpuvm-pausing start "$spec" >/run/start.out 2>&1 &
	pid=$!
	wait_for 120 "the start stands at $1" stopped "$pid"
	[ -d "/proc/$pid" ] || fail "no step $1: $(cat /run/start.out)"
}

# Or gone.
stopped() {
	[ ! -d "/proc/$1" ] || [ "$(awk '{ print $3 }' "/proc/$1/stat")" = T ]
}

# start_at_hook OPERATION SUB-OPERATION: gpuvm starts $spec, and libvirt waits in its hook at that point.
start_at_hook() {
	mkdir -p "$hook_state"
	rm -f "$hook_state"/*
	mkfifo "$hook_state/go"
	cat >$hook_script <<-END
		#!/bin/bash
		[ "\$2 \$3" = "$1 $2" ] && [ -p $hook_state/go ] && [ ! -e $hook_state/there ] || exit 0
		: >$hook_state/there
		read -r <$hook_state/go
		exit 0
	END
	chmod 0755 $hook_script
	gpuvm start "$spec" >/run/start.out 2>&1 &
	pid=$!
	wait_for 120 "libvirt stands at $1 $2" test -e "$hook_state/there"
}

# Lets the hook go on, if it still waits.
hook_goes_on() {
	rm -f $hook_script
	timeout 5 bash -c "echo >$hook_state/go" || :
}

# The start's exit code, in $status.
start_ends() {
	status=0
	wait "$pid" || status=$?
	cat /run/start.out
}

daemon_pid() {
	local unit main
	for unit in virtqemud.service libvirtd.service; do
		main=$(systemctl show --property MainPID --value "$unit")
		[ "${main:-0}" = 0 ] || {
			echo "$main"
			return
		}
	done
	fail "no daemon of libvirt runs"
}

kill_daemon() {
	kill -KILL "$(daemon_pid)"
}

daemon_answers() {
	systemctl reset-failed 'libvirtd*' 'virtqemud*' 2>/dev/null || :
	wait_for 90 "the daemon answers" virsh uri
}

qemu_pid() {
	cat "/run/libvirt/qemu/$1.pid"
}

# hostdevs_of VM: the addresses of the functions it is defined with.
hostdevs_of() {
	virsh dumpxml "$1" | xmllint --xpath '//devices/hostdev/source/address' - 2>/dev/null |
		sed -n 's/.*domain="0x\(....\)" bus="0x\(..\)" slot="0x\(..\)" function="0x\(.\)".*/\1:\2:\3.\4/p'
}

# Every function as after boot, but those of VMs that run: on vfio-pci.
expected_drivers() {
	local vm taken=''
	for vm in $(virsh list --name); do
		taken+=" $(hostdevs_of "$vm" | xargs)"
	done
	awk -v taken="$taken" '
		BEGIN { n = split(taken, list, " "); for (i = 1; i <= n; i++) given[list[i]] = 1 }
		{ print $1, ($1 in given) ? "vfio-pci" : $2 }' "$lab_state/drivers"
}

drivers_are_right() {
	diff <(expected_drivers) <(drivers)
}

# expect_whole: no claim without a living owner, no gate shut, every function where it belongs.
expect_whole() {
	local file
	for file in /run/gpuvm/*; do
		flock --nonblock --shared "$file" true || fail "$file is locked: $(fuser -v "$file" 2>&1)"
	done
	wait_for 60 "functions are on their drivers, or given to what runs" drivers_are_right
}

expect_same "the gate" "root:libvirt 660" "$(stat -c '%U:%G %a' /run/gpuvm/gate)"

# expect_next_start VM: it starts, or runs already; then it is stopped, and its functions are back.
expect_next_start() {
	expect_exit 0 gpuvm start "$spec"
	expect_same "it runs" running "$(virsh domstate "$1" | head -n 1)"
	expect_exit 0 gpuvm stop --force --timeout 1 "$1"
	expect_whole
}
