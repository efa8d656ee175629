# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The images, built once and kept under the hash of what they are made from:
#   server-HASH/   root (the unpacked system: the outer QEMU runs from it), disk, kernel, initrd
#   guest-HASH/    disk
#   both end in -backports if the kernel is a newer one, for the profiles that say so
#   qemu-HASH/     root: a newer outer QEMU; only for the profiles that say so
#   cloud-HASH/    images: a file system with a cloud image on it; only for the profiles that say so

images_hash() {
	(cd "$lab_dir/image" && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum) |
		sha256sum | cut -c1-12
}

# The mirror that this machine itself uses for Debian.
images_mirror() {
	local mirror
	mirror=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Label: Debian' 2>/dev/null | sort -u | head -n 1)
	[ -n "$mirror" ] || die "no Debian mirror among this machine's apt sources (apt-get update, then try again)"
	printf '%s\n' "$mirror"
}

# images_keep DIR CMD...: makes DIR by calling CMD with an empty folder beside it, unless DIR is there.
images_keep() {
	local dir=$1 part=$1.part
	shift
	[ -d "$dir" ] && return
	as_root rm -rf "$part"
	mkdir -p "$part"
	"$@" "$part" || return
	mv "$part" "$dir"
}

images_server_build() {
	local kernel=$1 dir=$2 mirror
	mirror=$(images_mirror)
	say "building the server's image (once; a few minutes)"
	step "system" as_root "$lab_dir/image/server" root "$mirror" "$dir" "$kernel" || return
	step "disk" as_root "$lab_dir/image/server" disk "$dir"
}

images_guest_build() {
	step "the guest's image" "$lab_dir/image/guest/build" "$server/root" "$1"
}

images_qemu_build() {
	local mirror
	mirror=$(images_mirror)
	step "a newer QEMU (once; a few minutes)" as_root "$lab_dir/image/qemu" "$mirror" "$1"
}

images_cloud_build() {
	local mirror
	mirror=$(images_mirror)
	step "the cloud image (once; a few minutes)" as_root "$lab_dir/image/cloud/build" "$mirror" "$1"
}

# images_named CLOUD [KERNEL [QEMU]]: sets server and guest to the folders of the images, with the kernel of trixie or
# of backports; cloud if CLOUD is "yes", and qemu if QEMU is "backports": else it is empty, and the server's is used.
images_named() {
	local suffix=''
	[ "${2:-trixie}" = trixie ] || suffix=-$2
	server=$lab_cache/server-$(images_hash packages server root)$suffix
	# The guest's kernel is the server's, so its hash covers both.
	guest=$lab_cache/guest-$(images_hash packages server root guest unified)$suffix
	cloud=''
	[ "$1" = no ] || cloud=$lab_cache/cloud-$(images_hash cloud unified)
	qemu=''
	[ "${3:-trixie}" = trixie ] || qemu=$lab_cache/qemu-$(images_hash qemu)
}

# images_ready CLOUD [KERNEL [QEMU]]: as images_named, and builds those that are missing.
images_ready() {
	images_named "$@"
	mkdir -p "$lab_cache"
	exec {images_lock}>"$lab_cache/lock"
	flock "$images_lock"
	images_keep "$server" images_server_build "${2:-trixie}" || return
	images_keep "$guest" images_guest_build || return
	[ -z "$cloud" ] || images_keep "$cloud" images_cloud_build || return
	[ -z "$qemu" ] || images_keep "$qemu" images_qemu_build || return
	exec {images_lock}>&-
}
