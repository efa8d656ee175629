# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Which scenarios passed, and with what: beside the stage, as $GPUVM_STAGE.passed/NAME, so that a new build folder knows
# of none. A record says what a scenario ran with: gpuvm as it is installed, the lab but for the other scenarios and the
# compiler of its GPUs as one hash, and the images by name and age. Without a stage there are no records.

passed_dir=${GPUVM_STAGE:+${GPUVM_STAGE%/}.passed}

# passed_contents DIR PATH...: contents, modes and links, but no times.
passed_contents() {
	tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory "$@"
}

# passed_files NAME: the hash of the files that NAME would run with now.
passed_files() {
	{
		passed_contents "${GPUVM_STAGE:?}" . &&
			passed_contents "$lab_dir" --exclude=./scenarios . &&
			passed_contents "$lab_dir/scenarios" "$1" &&
			passed_contents "$lab_dir/../../configs" after-install &&
			"${CC:-cc}" --version
	} | sha256sum
}

# passed_images PROFILE: fails if one is missing.
passed_images() (
	machine_profile "$1"
	images_named "$has_cloud_image" "$kernel_from" "$qemu_from"
	stat --format '%n %Y' "$server" "$guest" ${cloud:+"$cloud"} ${qemu:+"$qemu"} 2>/dev/null
)

# passed_before NAME PROFILE: whether NAME passed with what it would run with now.
passed_before() {
	local now
	[ -n "$passed_dir" ] && [ -f "$passed_dir/$1" ] && now=$(passed_files "$1" && passed_images "$2") &&
		[ "$(cat "$passed_dir/$1")" = "$now" ]
}

passed_when() {
	date --reference "$passed_dir/$1" '+%F %R'
}

# passed_record NAME PROFILE FILES: that NAME passed, if its files are still FILES, as they were before its server had them.
passed_record() {
	[ -n "$passed_dir" ] && [ "$(passed_files "$1")" = "$3" ] || return 0
	mkdir -p "$passed_dir" && { printf '%s\n' "$3" && passed_images "$2"; } >"$passed_dir/$1" ||
		say "$1 passed, but will run again: no record of it in $passed_dir"
}

passed_forget() {
	[ -z "$passed_dir" ] || rm -f "$passed_dir/$1"
}
