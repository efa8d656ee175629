// SPDX-License-Identifier: MIT
#include "topo/host_files.h"

#include <glob.h>
#include <limits.h>
#include <regex.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo/host_filter.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define CPUS      "sys/devices/system/cpu/cpu[0-9]*/"
#define NODES     "sys/devices/system/node/node[0-9]*/"
#define FUNCTIONS "sys/bus/pci/devices/*"
#define HUGEPAGES "hugepages/hugepages-*/{nr,free}_hugepages"

/* The part of "config" that anybody may read: the header, PCI Local Bus 3.0, 6.1. */
#define HEADER_BYTES 64

enum how {
	TEXT,
	HEADER,
	LINK,
	PRESENT,
};

static const struct row {
	const char *pattern; /* glob(7) with braces */
	enum how how;
	char *(*filter)(const struct root *root, const char *text);
	const char *as; /* the path in the snapshot; NULL: its own */
} rows[] = {
	{ .how = TEXT, .pattern = "sys/devices/system/cpu/{online,possible,present,isolated}" },
	{ .how = TEXT, .pattern = CPUS "{online,cpu_capacity}" },
	{ .how = TEXT, .pattern = CPUS "topology/{core,package,die,cluster}_cpus" },
	{ .how = TEXT, .pattern = CPUS "topology/{core,thread}_siblings" },
	{ .how = TEXT, .pattern = CPUS "topology/{core,die,cluster,physical_package}_id" },
	{ .how = TEXT, .pattern = CPUS "cache/index[0-9]*/{level,type,size,id,shared_cpu_map}" },
	{ .how = TEXT, .pattern = "sys/devices/cpu_{core,atom,lowpower}/cpus" },
	{ .how = TEXT, .pattern = "sys/fs/cgroup/{,machine.slice/}cpuset.cpus.effective" },
	{ .how = TEXT, .pattern = "sys/fs/cgroup/cpuset/machine.slice/cpuset.effective_cpus" },
	{ .how = TEXT, .pattern = "proc/cpuinfo", .filter = host_filter_cpuinfo },
	{ .how = TEXT, .pattern = "proc/meminfo", .filter = host_filter_meminfo },
	{ .how = TEXT, .pattern = "sys/kernel/mm/" HUGEPAGES },
	{ .how = TEXT, .pattern = "sys/devices/system/node/{online,possible}" },
	{ .how = TEXT, .pattern = NODES "{cpulist,cpumap,distance}" },
	{ .how = TEXT, .pattern = NODES "meminfo", .filter = host_filter_meminfo },
	{ .how = TEXT, .pattern = NODES HUGEPAGES },
	{ .how = LINK, .pattern = NODES "access[01]/initiators/node[0-9]*" },
	{ .how = LINK, .pattern = FUNCTIONS },
	{ .how = TEXT, .pattern = FUNCTIONS "/{,subsystem_}{vendor,device}" },
	{ .how = TEXT, .pattern = FUNCTIONS "/{class,numa_node,local_cpus,resource,boot_vga}" },
	{ .how = TEXT, .pattern = FUNCTIONS "/{driver_override,reset_method}" },
	{ .how = TEXT, .pattern = FUNCTIONS "/{current,max}_link_{speed,width}" },
	{ .how = HEADER, .pattern = FUNCTIONS "/config" },
	{ .how = LINK, .pattern = FUNCTIONS "/{driver,iommu_group,physfn}" },
	{ .how = LINK, .pattern = "sys/{class/net,block}/*" },
	{ .how = PRESENT, .pattern = "sys/{class/net,block}/*/" },
	{ .how = TEXT, .pattern = "sys/block/*/dm/name" },
	{ .how = TEXT, .pattern = "sys/block/*/*/partition" },
	{ .how = LINK, .pattern = "sys/class/block/*" },
	{ .how = LINK, .pattern = "sys/block/*/{,*/}holders/*" },
	{ .how = TEXT, .pattern = "proc/mounts", .filter = host_filter_mounts },
	{ .how = TEXT, .pattern = "proc/swaps", .filter = host_filter_swaps },
	{ .how = PRESENT, .pattern = "sys/fs/btrfs/*/devices/*" },
	{ .how = PRESENT, .pattern = "sys/module/zfs/" },
	{ .how = TEXT, .pattern = "sys/class/net/*/operstate" },
	{ .how = LINK, .pattern = "sys/class/net/*/{master,upper_*}" },
	/* The kernel's /proc/net leads into the folder of the process that asks. */
	{ .how = TEXT,
	  .pattern = "proc/net/route",
	  .filter = host_filter_route,
	  .as = "proc/net/route" },
	{ .how = TEXT,
	  .pattern = "proc/net/if_inet6",
	  .filter = host_filter_inet6,
	  .as = "proc/net/if_inet6" },
	{ .how = TEXT, .pattern = FUNCTIONS "/sriov_numvfs" },
	{ .how = PRESENT, .pattern = FUNCTIONS "/{infiniband,usb[0-9]*}/" },
	{ .how = PRESENT, .pattern = FUNCTIONS "/usb[0-9]*/[0-9]*-[0-9]*/" },
	{ .how = TEXT, .pattern = FUNCTIONS "/usb[0-9]*/[0-9]*-[0-9]*/product" },
	{ .how = TEXT, .pattern = "proc/iomem", .filter = host_filter_iomem },
	{ .how = PRESENT, .pattern = "sys/module/{vfio_pci,kvm_intel,kvm_amd}/" },
	{ .how = PRESENT, .pattern = "sys/bus/pci/drivers/vfio-pci/" },
	{ .how = PRESENT, .pattern = "sys/firmware/acpi/tables/{DMAR,IVRS}" },
	{ .how = PRESENT, .pattern = "sys/kernel/iommu_groups/{,*/}" },
	{ .how = TEXT, .pattern = "sys/kernel/iommu_groups/*/reserved_regions" },
	{ .how = PRESENT, .pattern = FUNCTIONS "/reset" },
	{ .how = TEXT, .pattern = "proc/sys/kernel/osrelease" },
	{ .how = TEXT,
	  .pattern = "lib/modules/*/modules.{dep,builtin}",
	  .filter = host_filter_vfio },
	{ .how = TEXT, .pattern = "usr/share/misc/pci.ids", .filter = host_filter_pci_ids },
	{ .how = TEXT,
	  .pattern = "usr/share/hwdata/pci.ids",
	  .filter = host_filter_pci_ids,
	  .as = "usr/share/misc/pci.ids" },
	{ .how = TEXT, .pattern = "{usr/share,etc}/qemu/firmware/*" },
	{ .how = TEXT, .pattern = "etc/gpuvm/host.ini" },
	{ .how = TEXT, .pattern = "var/lib/dpkg/status", .filter = host_filter_packages },
	{ .how = TEXT, .pattern = "proc/cmdline", .filter = host_filter_cmdline },
	{ .how = TEXT, .pattern = "proc/interrupts", .filter = host_filter_interrupts },
	{ .how = TEXT, .pattern = "proc/sys/vm/overcommit_memory" },
	{ .how = TEXT, .pattern = "proc/[0-9]*/status", .filter = host_filter_status },
	{ .how = TEXT, .pattern = "boot/config-*", .filter = host_filter_config },
	{ .how = LINK, .pattern = "sys/class/iommu/*" },
	{ .how = TEXT, .pattern = "sys/class/iommu/*/intel-iommu/{cap,ecap}" },
	{ .how = TEXT,
	  .pattern = "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts" },
	{ .how = TEXT, .pattern = FUNCTIONS "/{power_state,d3cold_allowed,resource[0-5]_resize}" },
	{ .how = TEXT, .pattern = "etc/modprobe.d/*.conf", .filter = host_filter_modprobe },
	{ .how = TEXT,
	  .pattern = "etc/{default,sysconfig}/libvirt-guests",
	  .filter = host_filter_guests },
	{ .how = TEXT, .pattern = "etc/group", .filter = host_filter_group },
	{ .how = PRESENT, .pattern = "etc/apparmor.d/libvirt/TEMPLATE.qemu" },
	{ .how = TEXT, .pattern = "sys/module/apparmor/parameters/enabled" },
	{ .how = TEXT, .pattern = "sys/fs/selinux/enforce" },
	{ .how = PRESENT, .pattern = "etc/libvirt/hooks/qemu.d/50-gpuvm" },
	{ .how = PRESENT, .pattern = "run/{gpuvm/,nvidia-persistenced/socket}" },
	{ .how = PRESENT, .pattern = "var/lib/gpuvm/{held,drained,quarantined}/" },
	{ .how = TEXT,
	  .pattern = "proc/driver/nvidia/gpus/*/information",
	  .filter = host_filter_nvidia },
	{ .how = PRESENT, .pattern = "proc/driver/nvidia/capabilities/gpu*/mig/gi*/" },
	{ .how = TEXT,
	  .pattern = "usr/share/nvidia/nvswitch/fabricmanager.cfg",
	  .filter = host_filter_fabric },
};

static const struct {
	const char *pattern, *blank;
} secrets[] = {
	{ "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "UUID" },
	{ "enx[0-9a-f]{12}", "enxMAC" },
	{ "([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", "MAC" },
};
#define SECRETS (sizeof secrets / sizeof *secrets)

/* One reading. */
struct reading {
	const struct root *root;
	char *top; /* the root's real path, "" for the live host */
	struct host_files *files;
	regex_t secrets[SECRETS];
};

static char *scrub(const struct reading *reading, const char *text)
{
	char *clean = mem_strdup(text);

	for (size_t i = 0; i < SECRETS; i++) {
		CLEANUP(text) char *before = clean;
		const char *rest = before;
		regmatch_t match;

		clean = NULL;
		while (regexec(&reading->secrets[i], rest, 1, &match, 0) == 0) {
			text_add(&clean, "%.*s%s", (int)match.rm_so, rest, secrets[i].blank);
			rest += match.rm_eo;
		}
		text_add(&clean, "%s", rest);
	}
	return clean;
}

/* Takes @bytes. */
static void add(struct reading *reading, enum host_file_kind kind, const char *path, char *bytes,
		size_t length)
{
	*MEM_APPEND(reading->files->files, reading->files->count) = (struct host_file){
		.kind = kind, .path = scrub(reading, path), .bytes = bytes, .length = length
	};
}

/*
 * Where @path is when every link on the way is followed, below the root: "sys/devices/...". NULL if it leads
 * out of a root, whose files are then not this host's.
 */
static char *real_below(const struct reading *reading, const char *path)
{
	CLEANUP(text) char *real = realpath(path, NULL);
	size_t length = strlen(reading->top);

	if (real == NULL || strncmp(real, reading->top, length) != 0 || real[length] != '/')
		return NULL;
	return mem_strdup(real + length + 1);
}

/* @folder/@name with links on the way to it followed, but itself none. */
static char *place_of(const struct reading *reading, const char *path)
{
	CLEANUP(text) char *folder = mem_strdup(path);
	CLEANUP(text) char *real = NULL;
	char *slash = strrchr(folder, '/');

	*slash = '\0';
	real = real_below(reading, folder);
	return real == NULL ? NULL : text_format("%s/%s", real, slash + 1);
}

static void add_text(struct reading *reading, const struct row *row, const char *path)
{
	CLEANUP(text) char *inside = real_below(reading, path);
	CLEANUP(text) char *place = place_of(reading, path);
	CLEANUP(text) char *bytes = NULL;
	char *clean;
	size_t length = 0;

	if (inside != NULL && place != NULL)
		bytes = root_bytes(reading->root, &length, "/%s", inside);
	if (bytes == NULL)
		return;
	if (row->how == HEADER) {
		add(reading, HOST_FILE, place, STEAL(bytes),
		    length < HEADER_BYTES ? length : HEADER_BYTES);
		return;
	}
	if (row->filter != NULL) {
		char *kept = row->filter(reading->root, bytes);

		free(bytes);
		bytes = kept;
	}
	if (bytes == NULL)
		return;
	clean = scrub(reading, bytes);
	add(reading, HOST_FILE, row->as == NULL ? place : row->as, clean, strlen(clean));
}

static bool is_virtual(const char *target)
{
	return strstr(target, "/virtual/net/") != NULL ||
	       strstr(target, "/virtual/block/loop") != NULL ||
	       strstr(target, "/virtual/block/ram") != NULL;
}

/* Whether @path is what an interface is a port or part of. */
static bool is_above(const char *path)
{
	const char *name = strrchr(path, '/');

	return name != NULL && (text_equal(name, "/master") || text_starts(name, "/upper_"));
}

static void add_link(struct reading *reading, const char *path)
{
	CLEANUP(text) char *inside = real_below(reading, path);
	CLEANUP(text) char *place = place_of(reading, path);
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof target - 1);

	if (place == NULL || length <= 0)
		return;
	target[length] = '\0';
	/* Made hosts have links to drivers that are no folders. Those of sysfs are relative. */
	if (*target != '/' && (!is_virtual(target) || is_above(path)) &&
	    (inside != NULL || access(path, F_OK) != 0))
		add(reading, HOST_LINK, place, scrub(reading, target), 0);
}

static void add_present(struct reading *reading, const char *path)
{
	CLEANUP(text) char *place = NULL;
	CLEANUP(text) char *trimmed = mem_strdup(path);
	size_t length = strlen(trimmed);
	bool is_folder = trimmed[length - 1] == '/';

	if (is_folder)
		trimmed[length - 1] = '\0';
	place = real_below(reading, trimmed);
	if (place == NULL || is_virtual(trimmed) || is_virtual(place))
		return;
	if (is_folder)
		add(reading, HOST_FOLDER, place, NULL, 0);
	else
		add(reading, HOST_FILE, place, mem_strdup(""), 0);
}

/* @dir as a pattern that matches nothing else. */
static char *escape(const char *dir)
{
	char *pattern = mem_strdup("");

	for (; *dir != '\0'; dir++)
		text_add(&pattern, "%s%c", strchr("*?[]{},\\", *dir) == NULL ? "" : "\\", *dir);
	return pattern;
}

static void add_row(struct reading *reading, const struct row *row)
{
	CLEANUP(text) char *pattern = escape(reading->root->dir);
	glob_t found = { 0 };

	text_add(&pattern, "/%s", row->pattern);
	if (glob(pattern, GLOB_BRACE | GLOB_NOSORT, NULL, &found) != 0)
		found.gl_pathc = 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		switch (row->how) {
		case TEXT:
		case HEADER:
			add_text(reading, row, found.gl_pathv[i]);
			break;
		case LINK:
			add_link(reading, found.gl_pathv[i]);
			break;
		case PRESENT:
			add_present(reading, found.gl_pathv[i]);
			break;
		}
	}
	globfree(&found);
}

static void release(struct host_file *file)
{
	free(file->path);
	free(file->bytes);
}

/* What has content before what is only there; it stays. */
static int by_path(const void *a, const void *b)
{
	const struct host_file *left = a;
	const struct host_file *right = b;
	int order = strcmp(left->path, right->path);

	return order != 0 ? order : (int)left->kind - (int)right->kind;
}

static void sort(struct host_files *files)
{
	size_t kept = 0;

	if (files->count > 1)
		qsort(files->files, files->count, sizeof *files->files, by_path);
	for (size_t i = 0; i < files->count; i++) {
		if (kept > 0 && text_equal(files->files[kept - 1].path, files->files[i].path))
			release(&files->files[i]);
		else
			files->files[kept++] = files->files[i];
	}
	files->count = kept;
}

struct host_files *host_files_read(const struct root *root)
{
	CLEANUP(text) char *top = realpath(root->live ? "/" : root->dir, NULL);
	struct reading reading = { .root = root, .files = mem_alloc(1, sizeof *reading.files) };

	if (top == NULL)
		return reading.files;
	reading.top = text_equal(top, "/") ? "" : top;
	for (size_t i = 0; i < SECRETS; i++)
		if (regcomp(&reading.secrets[i], secrets[i].pattern, REG_EXTENDED) != 0)
			abort();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		add_row(&reading, &rows[i]);
	for (size_t i = 0; i < SECRETS; i++)
		regfree(&reading.secrets[i]);
	sort(reading.files);
	return reading.files;
}

void host_files_free(struct host_files *files)
{
	if (files == NULL)
		return;
	for (size_t i = 0; i < files->count; i++)
		release(&files->files[i]);
	free(files->files);
	free(files);
}
