# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What a scenario has at hand inside the server. Sourced before the scenario runs.

export LC_ALL=C.UTF-8 LIBVIRT_DEFAULT_URI=qemu:///system
lab_images=/var/lib/libvirt/images
# Outlasts a reboot.
lab_state=/var/lib/lab

fail() {
	printf 'FAIL: %s\n' "$*" >&2
	exit 1
}

# as USER CMD...: with a login shell's environment.
as() {
	local user=$1
	shift
	runuser --login "$user" --command "${*@Q}"
}

# ssh_key USER: he has one.
ssh_key() {
	as "$1" sh -c '[ -e .ssh/id_ed25519 ] || { mkdir -p -m 0700 .ssh && ssh-keygen -q -t ed25519 -N "" -f .ssh/id_ed25519; }'
}

# expect_exit CODE CMD...: runs CMD, shows and keeps its output in $output, demands the exit code.
expect_exit() {
	local - want=$1 got=0
	set +x
	shift
	output=$("$@" 2>&1) || got=$?
	printf '%s\n' "\$ $*" "$output"
	[ "$got" -eq "$want" ] || fail "exit code $got, not $want: $*"
}

# expect_json CODE CMD...: as expect_exit, but $output is what CMD printed on standard output alone.
expect_json() {
	local - want=$1 got=0
	set +x
	shift
	output=$("$@") || got=$?
	printf '%s\n' "\$ $*" "$output"
	[ "$got" -eq "$want" ] || fail "exit code $got, not $want: $*"
}

# expect_line REGEX TEXT: one of its lines matches.
expect_line() {
	local -
	set +x
	grep -Eq -e "$1" <<<"$2" || fail "no line matches '$1' in: $2"
}

# expect_match REGEX TEXT: the text does, across its lines.
expect_match() {
	local -
	set +x
	[[ $2 =~ $1 ]] || fail "no match for '$1' in: $2"
}

# expect_same WHAT WANT GOT
expect_same() {
	[ "$2" = "$3" ] || fail "$1: '$3', not '$2'"
}

# wait_for SECONDS WHAT CMD...: until CMD succeeds.
wait_for() {
	local - limit=$1 what=$2 start=$SECONDS
	set +x
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - start)) -lt "$limit" ] || fail "not within $limit seconds: $what"
		sleep 0.5
	done
}

# fresh_disk NAME: a copy of the guest's disk as $disk, stamped with a new $nonce.
fresh_disk() {
	local - bytes
	set +x
	disk=$lab_images/$1.raw
	nonce=${LAB_NONCE:-$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')}
	if [ ! -e "$lab_state/guest.raw" ]; then
		mkdir -p "$lab_state"
		cp --sparse=always /lab/guest.raw "$lab_state/guest.raw.part"
		mv "$lab_state/guest.raw.part" "$lab_state/guest.raw"
	fi
	cp --sparse=always "$lab_state/guest.raw" "$disk"
	bytes=$(stat -c %s "$disk")
	printf '%s\n' "$nonce" | dd of="$disk" bs=1M seek=$((bytes / 1048576 - 1)) conv=notrunc status=none
	chmod 0644 "$disk"
}

# The file that keeps what a guest writes on its serial console.
guest_log() {
	local xml
	xml=$(virsh dumpxml "$1") || fail "no domain $1"
	xmllint --xpath 'string((//serial/log/@file | //console/log/@file | //serial[@type="file"]/source/@path)[1])' - <<<"$xml"
}

# guest_report VM [SECONDS [NTH]]: waits for the report of the guest's NTH boot in its log (the first
# if not given) and prints the last one there is, an object a line.
guest_report() {
	local - vm=$1 limit=${2:-300} nth=${3:-1} log start=$SECONDS looked=0
	set +x
	log=$(guest_log "$vm")
	[ -n "$log" ] || fail "$vm keeps no log of its serial console"
	# Looking costs the guest time: the emulated CPUs are few.
	until [ "$(grep -c '^GPUVM-REPORT-END' "$log" 2>/dev/null || :)" -ge "$nth" ] 2>/dev/null; do
		sleep 3
		[ $((++looked % 4)) -ne 0 ] || [ "$(virsh domstate "$vm" 2>&1 | head -n 1)" != "shut off" ] ||
			fail "$vm ended before it reported"
		[ $((SECONDS - start)) -lt "$limit" ] || fail "no report of $vm within $limit seconds in $log"
	done
	tr -d '\r' <"$log" | awk '
		/^GPUVM-REPORT-BEGIN/ { report = ""; inside = 1; next }
		/^GPUVM-REPORT-END/ { inside = 0; next }
		inside && /^\{/ { report = report $0 "\n" }
		END { printf "%s", report }'
}

# guest_get REPORT FILTER: jq over the report's objects, as an array.
guest_get() {
	jq -r --slurp "$2" <<<"$1"
}

# guest_pci REPORT VENDOR:DEVICE [FILTER]: the PCI functions with these ids, one a line; or FILTER of each.
guest_pci() {
	jq -c -r --arg id "$2" \
		"select(.kind == \"pci\" and (.vendor[2:] + \":\" + .device[2:]) == \$id) | ${3:-.}" <<<"$1"
}

driver_of() {
	basename "$(readlink "/sys/bus/pci/devices/$1/driver" || echo none)"
}

node_of() {
	cat "/sys/bus/pci/devices/$1/numa_node"
}

# gpu_server NAME WORD...: what the GPU's process outside answers (tests/lab/gpu-server/control.h); as exit code too.
gpu_server() {
	local - file=/lab/gpus/$BASHPID-$RANDOM answer
	set +x
	printf '%s\n' "$*" >"$file.part"
	mv "$file.part" "$file.ask"
	wait_for 60 "the GPU's process answers" test -e "$file.answer"
	answer=$(cat "$file.answer")
	rm -f "$file.answer"
	head -n -1 <<<"$answer"
	return "$(tail -n 1 <<<"$answer")"
}

# gpu_server_get NAME KEY: of its status.
gpu_server_get() {
	gpu_server "$1" status | sed -n "s/^$2 //p"
}

# The daemon looks for hooks when it starts. Whichever unit it is; VMs go on.
restart_daemon() {
	local unit
	for unit in libvirtd.service virtqemud.service; do
		! systemctl --quiet is-active "$unit" || systemctl restart "$unit"
	done
	wait_for 60 "the daemon answers" virsh uri
}

# hook on|off: whether libvirt runs gpuvm's hook.
hook() {
	local script=/etc/libvirt/hooks/qemu.d/50-gpuvm
	case $1 in
	on)
		chmod 0755 "$script"
		sh /lab/after-install
		wait_for 60 "the daemon answers" virsh uri
		;;
	off)
		chmod 0644 "$script"
		restart_daemon
		;;
	esac
}

network_up() {
	virsh net-info default 2>/dev/null | grep -q '^Active: *yes' || virsh net-start default
}

drivers() {
	local device
	for device in /sys/bus/pci/devices/*; do
		printf '%s %s\n' "${device##*/}" "$(driver_of "${device##*/}")"
	done
}

# Once, before the first scenario: what cleanup goes back to.
remember_host() {
	[ -e "$lab_state/drivers" ] && return
	mkdir -p "$lab_state"
	drivers >"$lab_state/drivers"
}

restore_driver() {
	local device=/sys/bus/pci/devices/$1
	printf '\n' >"$device/driver_override"
	# driverctl teaches vfio-pci the ids of the card too.
	printf '%s %s' "$(cat "$device/vendor")" "$(cat "$device/device")" \
		>/sys/bus/pci/drivers/vfio-pci/remove_id 2>/dev/null || :
	[ ! -e "$device/driver" ] || printf '%s' "$1" >"$device/driver/unbind"
	[ "$2" = none ] || printf '%s' "$1" >/sys/bus/pci/drivers_probe
	expect_same "driver of $1" "$2" "$(driver_of "$1")"
}

# Between scenarios: no domain, no disk, every function on the driver it had after boot.
cleanup() {
	local domain address driver
	while read -r domain; do
		[ -n "$domain" ] || continue
		virsh destroy "$domain" >/dev/null 2>&1 || :
		virsh undefine --nvram --managed-save --snapshots-metadata "$domain" >/dev/null 2>&1 || :
	done < <(virsh list --all --uuid)
	[ -z "$(virsh list --all --name | xargs)" ] || fail "domains are left: $(virsh list --all --name | xargs)"
	rm -f "$lab_images"/*.raw "$lab_images"/*.qcow2 /var/log/libvirt/qemu/*.log
	rm -f /etc/driverctl.d/* /run/gpuvm/0* /var/lib/gpuvm/*/0* /etc/libvirt/hooks/qemu.d/99-lab-pause
	[ ! -e /etc/libvirt/hooks/qemu.d/50-gpuvm ] || [ -x /etc/libvirt/hooks/qemu.d/50-gpuvm ] || hook on
	while read -r address driver; do
		[ "$(driver_of "$address")" = "$driver" ] || restore_driver "$address" "$driver"
	done <"$lab_state/drivers"
}

# write_spec NAME [LINE...]: /run/NAME.ini with a fresh disk as $spec. Lines are added behind a common
# beginning; "gpu:...", "numa:..." and so on are "key = value" of that section.
write_spec() {
	local - name=$1 line section
	set +x
	shift
	fresh_disk "$name"
	spec=/run/$name.ini
	{
		printf '[vm]\nname = %s\n' "$name"
		for section in vm gpu gpu:second numa network; do
			case $section in
			vm) ;;
			*)
				[ "$section" = gpu ] || [[ " $*" == *" $section|"* ]] || continue
				printf '[%s]\n' "$section"
				;;
			esac
			for line; do
				[ "${line%%|*}" != "$section" ] || printf '%s\n' "${line#*|}"
			done
		done
		[[ " $*" == *" network|"* ]] || printf '[network]\nsource = none\n'
		printf '[disk]\nimage = %s\n' "$disk"
	} >"$spec"
	chmod 0644 "$spec"
}

# Common first lines of a spec: small enough for several in the server.
small=('vm|vcpus = 2' 'vm|memory = 512 MiB')

# vcpu_affinities VM: the affinity list of each vCPU thread, one a line, from the kernel.
vcpu_affinities() {
	local pid task
	pid=$(cat "/run/libvirt/qemu/$1.pid")
	for task in "/proc/$pid/task/"*; do
		if grep -q '^CPU [0-9]*/KVM' "$task/comm"; then
			awk '/^Cpus_allowed_list:/ { print $2 }' "$task/status"
		fi
	done
}

# guest_memory_kib_on VM NODE: memory of its QEMU on that node, hugepages included, from the kernel.
guest_memory_kib_on() {
	awk -v node="N$2=" '
		{
			page = 4
			for (i = 1; i <= NF; i++)
				if ($i ~ /^kernelpagesize_kB=/) page = substr($i, 19)
			for (i = 1; i <= NF; i++)
				if (index($i, node) == 1) sum += substr($i, length(node) + 1) * page
		}
		END { print sum + 0 }' "/proc/$(cat "/run/libvirt/qemu/$1.pid")/numa_maps"
}
