# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The emulated server as a process. Its folder $lab_run holds:
#   pid, profile      what runs
#   share/            the folder both sides see: install, stage/, after-install, inside/, scenarios/,
#                     guest.raw, commands/, up, pulse
#   gpus/             GPUs that are processes (host/gpus.sh)
#   console, emulator the server's serial console, and what the outer QEMU itself says

# In seconds; a machine with slow cores and other work must make it.
machine_boot_limit=420
# An emulator that dies or stalls at boot is tried again this often. Seen: three stalls in a row.
machine_retries=5
# A server that is up and has written no pulse for so many seconds does not come back.
machine_silence_limit=120

machine_pid() {
	local pid
	pid=$(cat "$lab_run/pid" 2>/dev/null) || return
	# The number may belong to somebody else by now.
	tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q 'id=lab-disk' || return
	printf '%s\n' "$pid"
}

machine_runs() {
	machine_pid >/dev/null
}

# Now and then the emulator loses a CPU's timer; the kernel notices after 21 s, says so every 63 s, and never recovers.
# Once may be a machine that was too busy for 20 seconds, or twice in all the time that a server runs.
machine_stalled() {
	local times enough=2
	[ ! -e "$lab_run/share/up" ] || enough=3
	times=$(grep -c 'Possible timer handling issue on cpu' "$lab_run/console" 2>/dev/null || :)
	[ "${times:-0}" -ge "$enough" ]
}

# And now and then all of it stands still, or one CPU does, and the kernel does not notice.
machine_silent() {
	local beat
	beat=$(stat -c %Y "$lab_run/share/pulse" 2>/dev/null || stat -c %Y "$lab_run/share/up" 2>/dev/null) || return
	[ $(($(date +%s) - beat)) -gt "$machine_silence_limit" ]
}

# Why the machine is gone, in one line.
machine_obituary() {
	if grep -qE 'bql_locked|qemu_mutex_iothread_locked|[Aa]ssertion' "$lab_run/emulator"; then
		printf 'the emulator crashed: %s\n' "$(grep -m 1 -E 'bql_locked|iothread_locked|[Aa]ssertion' "$lab_run/emulator")"
	elif machine_panicked; then
		printf 'the server panicked: %s\n' "$(grep -m 1 'Kernel panic' "$lab_run/console" | tr -d '\r')"
	elif machine_stalled; then
		printf 'the emulator lost a timer: %s\n' "$(grep -m 1 'Possible timer handling' "$lab_run/console" | tr -d '\r\t')"
	elif machine_runs; then
		printf 'the emulator stands still, or one of its CPUs: no pulse for %d seconds\n' "$machine_silence_limit"
	else
		printf 'the emulator ended: %s\n' "$(grep -v ': warning: ' "$lab_run/emulator" | tail -n 1)"
	fi
}

machine_panicked() {
	grep -q 'Kernel panic' "$lab_run/console"
}

# What the server's kernel said before it panicked: whether that is the emulator's fault only its trace can tell.
machine_trace() {
	{ grep -m 1 -B 60 'Kernel panic' "$lab_run/console" || :; } | tr -d '\r'
}

# Becomes the QEMU of the server's root, or of the newer one's, with the root's own libraries: Debian 12's QEMU aborts
# with this kernel, and no mounts are needed this way. A session of its own, so that Ctrl-C reaches only the caller.
machine_qemu() {
	local root=${qemu:-$server}/root lib
	lib=$root/usr/lib/x86_64-linux-gnu
	exec env QEMU_MODULE_DIR="$lib/qemu" setsid "$root/lib64/ld-linux-x86-64.so.2" \
		--library-path "$lib:$lib/pulseaudio" "$root/usr/bin/qemu-system-x86_64" \
		-L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -L "$root/usr/lib/ipxe/qemu" "$@"
}

# Puts a DESTDIR tree into the share, or an empty one.
machine_stage() {
	rm -rf "$lab_run/share/stage"
	mkdir -p "$lab_run/share/stage"
	[ -z "${1:-}" ] && return
	[ -d "$1" ] || die "GPUVM_STAGE: no folder $1"
	cp -a --no-preserve=ownership "$1/." "$lab_run/share/stage/"
}

# The scenarios and their library, as they are now.
machine_scenarios() {
	rm -rf "$lab_run/share/inside" "$lab_run/share/scenarios"
	cp -r "$lab_dir/inside" "$lab_dir/scenarios" "$lab_dir/../../configs/after-install" "$lab_run/share/"
}

machine_share() {
	local share=$lab_run/share
	rm -rf "$lab_run"
	mkdir -p "$share/commands"
	machine_scenarios
	cp --sparse=always "$guest/disk" "$share/guest.raw"
	machine_stage "${GPUVM_STAGE:-}"
	{
		printf 'bash /lab/inside/install\n'
		printf '%s\n' "${prepare:-}"
	} >"$share/install"
}

machine_start() {
	local once=-no-reboot
	local append="root=LABEL=lab-root rw console=ttyS0 loglevel=4 panic=-1 systemd.show_status=no"
	# A busy machine makes the kernel think that its timer interrupt does not work, and panic.
	append+=" no_timer_check"
	# OVMF's fast timer in the guest kills the outer QEMU about every second boot without this.
	append+=" kvm.min_timer_period_us=100000"
	append+=" ${kernel[*]}"
	[ "$may_reboot" = no ] || once=''
	(
		cd "$lab_run"
		exec {lab_claimed}>&-
		machine_qemu -name gpuvm-lab -nodefaults -no-user-config ${once:+"$once"} \
			-accel tcg,thread=multi -machine q35,kernel-irqchip=split -cpu EPYC,+svm \
			-nic none -vga none -display none -monitor unix:monitor,server=on,wait=off \
			-serial file:console \
			-kernel "$server/kernel" -initrd "$server/initrd" -append "$append" \
			"${machine[@]}" \
			-drive "id=lab-disk,if=none,format=raw,snapshot=on,file=$server/disk" \
			-device virtio-blk-pci,drive=lab-disk,bus=pcie.0,addr=0x10 \
			-fsdev local,id=share,path=share,security_model=none \
			-device virtio-9p-pci,fsdev=share,mount_tag=lab,bus=pcie.0,addr=0x11 \
			-device virtio-rng-pci,bus=pcie.0,addr=0x12 \
			</dev/null >emulator 2>&1 &
		echo $! >pid
	)
}

machine_wait() {
	local start=$SECONDS
	printf 'lab: server up (%s) ' "$1" >&2
	until [ -e "$lab_run/share/up" ]; do
		if [ $((SECONDS - start)) -gt "$machine_boot_limit" ]; then
			printf '\n' >&2
			say "not up after $machine_boot_limit seconds; the last of its console:"
			tail -n 20 "$lab_run/console" >&2
			return 1
		fi
		if machine_stalled || ! kill -0 "$(cat "$lab_run/pid")" 2>/dev/null; then
			printf '\n' >&2
			say "$(machine_obituary)"
			return 1
		fi
		sleep 1
		[ $(((SECONDS - start) % 5)) -ne 0 ] || printf . >&2
	done
	printf ' %d s\n' $((SECONDS - start)) >&2
}

# machine_profile PROFILE: sets what a profile says, or leaves unsaid.
machine_profile() {
	prepare='' machine=() kernel=() gpus=() may_reboot=no has_cloud_image=no
	needs_vfio_user=no kernel_from=trixie qemu_from=trixie
	[ -f "$lab_dir/profiles/$1" ] || die "no profile $1 (there are: $(ls -C "$lab_dir/profiles"))"
	# shellcheck source=/dev/null
	. "$lab_dir/profiles/$1"
}

# machine_up PROFILE: a fresh machine, whatever ran before.
machine_up() {
	local profile=$1 try prepare machine kernel gpus may_reboot has_cloud_image needs_vfio_user kernel_from qemu_from
	machine_profile "$profile"
	images_ready "$has_cloud_image" "$kernel_from" "$qemu_from" || {
		say "profile $profile: its images could not be built"
		return 1
	}
	[ "$needs_vfio_user" = no ] || gpus_possible "$profile" || return
	[ "$has_cloud_image" = no ] || machine+=(
		-drive "id=lab-images,if=none,format=raw,readonly=on,file=$cloud/images"
		-device virtio-blk-pci,drive=lab-images,bus=pcie.0,addr=0x13)
	for ((try = 0; try <= machine_retries; try++)); do
		machine_down
		machine_share
		echo "$profile" >"$lab_run/profile"
		gpus_start || {
			gpus_stop
			return 1
		}
		machine_start
		machine_wait "$profile" && return
	done
	return 1
}

# machine_reboot PROFILE: as its admin would, by a command in it; waits until it is up again.
machine_reboot() {
	rm -f "$lab_run/share/up"
	echo 'systemctl reboot' | command_run root 60 >/dev/null 2>&1 || :
	machine_wait "$1"
}

machine_down() {
	machine_end
	gpus_stop
}

machine_end() {
	local pid
	pid=$(machine_pid) || return 0
	kill "$pid" 2>/dev/null || :
	for _ in {1..50}; do
		[ -d "/proc/$pid" ] || return 0
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || :
}
