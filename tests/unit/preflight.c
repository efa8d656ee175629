// SPDX-License-Identifier: MIT
#include "vmm/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "tests/unit/processes.h"
#include "tests/unit/testhv.h"

#define QEMU_ID   64055
#define IMAGE     "image.qcow2"
#define FILE_SPEC "configs/vm.ini"
#define GPU       "0000:17:00.0"
#define SOUND     "0000:17:00.1"

/* The hook is active: the daemon starts in the year 2100, long after the hook was installed. */
#define HOOKED                                                                                     \
	"sys/\nproc/stat\tbtime 4102444800\n"                                                      \
	"usr/bin/gpuvm\t\netc/libvirt/hooks/qemu.d/50-gpuvm\t\n" PROCESSES_DAEMON(                 \
		"812", "libvirtd", "0", "500")

/* The account that QEMU runs as, on whatever machine the test runs; GPUVM_TEST_NO_QEMU: none. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd account = { .pw_name = (char *)"libvirt-qemu",
					 .pw_uid = QEMU_ID,
					 .pw_gid = QEMU_ID };

	return strcmp(name, account.pw_name) == 0 && getenv("GPUVM_TEST_NO_QEMU") == NULL ? &account
											  : NULL;
}

static void the_host_must_have_kvm_and_vfio(void **state)
{
	static const struct {
		bool live, has_kvm, has_vfio_pci;
		const char *word; /* NULL: it has all */
	} cases[] = {
		{ true, true, true, NULL },
		{ false, true, true, NULL },
		{ true, false, true, "/dev/kvm does not exist" },
		{ false, false, true, "neither kvm_intel nor kvm_amd is loaded" },
		{ true, false, false, "sudo modprobe kvm_intel" },
		{ true, true, false, "no vfio-pci driver" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct host host = { .live = cases[i].live,
					   .has_kvm = cases[i].has_kvm,
					   .has_vfio_pci = cases[i].has_vfio_pci };
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(preflight_host(&host, &fail), cases[i].word == NULL ? 0 : -1);
		if (cases[i].word != NULL)
			assert_fails(&fail, FAIL_HOST, cases[i].word);
	}
}

/* Each makes what an image's path may lead to, in @directory; false: not possible here. */
static bool make_file(const char *directory, const char *path)
{
	free(scratch_write(directory, IMAGE, ""));
	return access(path, F_OK) == 0;
}

static bool make_nothing(const char *directory, const char *path)
{
	(void)directory;
	return access(path, F_OK) != 0;
}

static bool make_folder(const char *directory, const char *path)
{
	(void)directory;
	return mkdir(path, 0755) == 0;
}

static bool make_fifo(const char *directory, const char *path)
{
	(void)directory;
	return mkfifo(path, 0644) == 0;
}

static bool make_block(const char *directory, const char *path)
{
	(void)directory;
	return mknod(path, S_IFBLK | 0600, makedev(7, 0)) == 0;
}

static bool make_character(const char *directory, const char *path)
{
	(void)directory;
	return symlink("/dev/null", path) == 0;
}

static bool make_dangling(const char *directory, const char *path)
{
	(void)directory;
	return symlink("nowhere", path) == 0;
}

static bool make_link(const char *directory, const char *path)
{
	free(scratch_write(directory, "other.qcow2", ""));
	return symlink("other.qcow2", path) == 0;
}

static bool make_closed(const char *directory, const char *path)
{
	return make_file(directory, path) && chmod(directory, 0700) == 0;
}

static bool make_qemus(const char *directory, const char *path)
{
	return make_closed(directory, path) && chown(directory, QEMU_ID, (gid_t)-1) == 0;
}

static bool make_qemus_without_x(const char *directory, const char *path)
{
	return make_qemus(directory, path) && chmod(directory, 0677) == 0;
}

static bool make_of_qemus_group(const char *directory, const char *path)
{
	return make_file(directory, path) && chown(directory, (uid_t)-1, QEMU_ID) == 0 &&
	       chmod(directory, 0710) == 0;
}

static bool make_of_another_group(const char *directory, const char *path)
{
	return make_file(directory, path) && chmod(directory, 0710) == 0;
}

/* setfacl -m u:64055:x as the kernel stores it: linux/posix_acl_xattr.h. */
static bool make_with_acl(const char *directory, const char *path)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, permissions;
			uint32_t id;
		} entries[5];
	} acl = { 2,
		  { { 0x01, 7, UINT32_MAX },
		    { 0x02, 1, QEMU_ID },
		    { 0x04, 0, UINT32_MAX },
		    { 0x10, 1, UINT32_MAX },
		    { 0x20, 0, UINT32_MAX } } };

	return make_file(directory, path) && chmod(directory, 0700) == 0 &&
	       setxattr(directory, "system.posix_acl_access", &acl, sizeof acl, 0) == 0;
}

struct image {
	const char *about;
	bool (*make)(const char *directory, const char *path);
	enum fail_kind kind; /* FAIL_NONE: it is one */
	const char *word;
	bool is_block;
};

static const struct image images[] = {
	{ "a file", make_file, FAIL_NONE, NULL, false },
	{ "a link to a file", make_link, FAIL_NONE, NULL, false },
	{ "a block device", make_block, FAIL_NONE, NULL, true },
	{ "nothing", make_nothing, FAIL_SPEC, "there is no such disk image", false },
	{ "a link to nothing", make_dangling, FAIL_SPEC, "No such file", false },
	{ "a folder", make_folder, FAIL_SPEC, "neither a file nor a block device", false },
	{ "a FIFO", make_fifo, FAIL_SPEC, "neither a file nor a block device", false },
	{ "a character device", make_character, FAIL_SPEC, "neither a file", false },
	{ "in a folder of the caller alone", make_closed, FAIL_HOST,
	  "(libvirt-qemu) may not enter ", false },
	{ "in a folder of the caller alone", make_closed, FAIL_HOST, "sudo mv", false },
	{ "in QEMU's own folder", make_qemus, FAIL_NONE, NULL, false },
	{ "in QEMU's folder that all but QEMU may enter", make_qemus_without_x, FAIL_HOST,
	  "may not enter", false },
	{ "in a folder of QEMU's group", make_of_qemus_group, FAIL_NONE, NULL, false },
	{ "in a folder of another group", make_of_another_group, FAIL_HOST, "may not enter",
	  false },
	{ "in a folder opened to QEMU by an ACL", make_with_acl, FAIL_NONE, NULL, false },
};

static void images_must_be_reachable(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(images); i++) {
		CLEANUP(scratch) char *directory = scratch_new();
		CLEANUP(scratch) char *open = scratch_new();
		CLEANUP(text) char *sound = scratch_write(open, IMAGE, "");
		CLEANUP(text) char *path = text_format("%s/" IMAGE, directory);
		struct spec_disk disks[2] = {
			{ (char *)"[disk]", 3, sound, SPEC_DISK_AUTO },
			{ (char *)"[disk:data]", 7, path, SPEC_DISK_AUTO },
		};
		const struct spec spec = { .file = (char *)FILE_SPEC,
					   .disks = disks,
					   .disk_count = 2 };
		bool is_block[2] = { true, true };
		CLEANUP(fail) struct fail fail = { 0 };

		if (!images[i].make(directory, path)) {
			print_message("  skipped: %s: %s\n", images[i].about, strerror(errno));
			continue;
		}
		print_message("  %s\n", images[i].about);
		assert_int_equal(preflight_images(&spec, is_block, &fail),
				 images[i].kind == FAIL_NONE ? 0 : -1);
		assert_false(is_block[0]);
		if (images[i].kind == FAIL_NONE) {
			assert_int_equal(is_block[1], images[i].is_block);
			continue;
		}
		assert_fails(&fail, images[i].kind, images[i].word);
		assert_true(text_starts(fail.items[0].what, "[disk:data] image = /tmp/"));
		assert_string_equal(fail.items[0].file, FILE_SPEC);
		assert_int_equal(fail.items[0].line, 7);
	}
}

static void without_qemus_account_nothing_is_closed(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/" IMAGE, directory);
	struct spec_disk disk = { (char *)"[disk]", 3, path, SPEC_DISK_AUTO };
	const struct spec spec = { .disks = &disk, .disk_count = 1 };
	struct fail fail = { 0 };
	bool is_block = false;

	(void)state;
	assert_true(make_closed(directory, path));
	setenv("GPUVM_TEST_NO_QEMU", "yes", 1);
	assert_int_equal(preflight_images(&spec, &is_block, &fail), 0);
	unsetenv("GPUVM_TEST_NO_QEMU");
}

/* What the caller may not see may be there: the folder that keeps him out may keep QEMU out too. */
static int unseen_image_is_judged_by_its_folder(const void *directory)
{
	CLEANUP(text) char *path = text_format("%s/" IMAGE, (const char *)directory);
	struct spec_disk disk = { (char *)"[disk]", 3, path, SPEC_DISK_AUTO };
	const struct spec spec = { .disks = &disk, .disk_count = 1 };
	CLEANUP(fail) struct fail fail = { 0 };
	bool is_block = true;

	if (preflight_images(&spec, &is_block, &fail) == 0)
		return is_block;
	return fail.kind == FAIL_HOST ? 10 : 20;
}

static void images_out_of_sight_are_believed(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(text) char *path = text_format("%s/" IMAGE, directory);

	(void)state;
	if (!scratch_is_root())
		skip();
	assert_true(make_qemus(directory, path));
	assert_int_equal(
		scratch_as(SCRATCH_NOBODY, unseen_image_is_judged_by_its_folder, directory), 0);
	assert_int_equal(chown(directory, 0, 0), 0);
	assert_int_equal(
		scratch_as(SCRATCH_NOBODY, unseen_image_is_judged_by_its_folder, directory), 10);
}

static void stop_network(const char *name)
{
	virConnectPtr connection = virConnectOpen(TESTHV);
	virNetworkPtr network = virNetworkLookupByName(connection, name);

	assert_int_equal(virNetworkDestroy(network), 0);
	virNetworkFree(network);
	virConnectClose(connection);
}

static void the_network_must_be_there(void **state)
{
	static const struct {
		const char *about;
		enum spec_network network;
		const char *source;
		bool stopped;
		const char *word; /* NULL: it is there */
	} cases[] = {
		{ "none", SPEC_NETWORK_NONE, NULL, false, NULL },
		{ "libvirt's", SPEC_NETWORK_LIBVIRT, "default", false, NULL },
		{ "stopped", SPEC_NETWORK_LIBVIRT, "default", true,
		  "net-start default && virsh -c qemu:///system net-autostart default" },
		{ "stopped", SPEC_NETWORK_LIBVIRT, "default", true, "is not active" },
		{ "unknown", SPEC_NETWORK_LIBVIRT, "nosuch", false, "is not defined" },
		{ "unknown", SPEC_NETWORK_LIBVIRT, "nosuch", false, "source = none" },
		{ "a bridge", SPEC_NETWORK_BRIDGE, "br0", false, NULL },
		{ "no bridge", SPEC_NETWORK_BRIDGE, "br1", false, "there is no such bridge" },
		{ "a card, no bridge", SPEC_NETWORK_BRIDGE, "eth0", false,
		  "/sys/class/net/eth0/bridge does not exist" },
		{ "libvirt's name of a bridge", SPEC_NETWORK_LIBVIRT, "br0", false,
		  "is not defined" },
	};
	CLEANUP(root)
	struct root *root = hosts_write("net",
					"sys/class/net/br0/bridge/\nsys/class/net/eth0/device/\n");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		const struct spec spec = { .file = (char *)FILE_SPEC,
					   .network = cases[i].network,
					   .network_source = (char *)cases[i].source,
					   .network_line = 12 };
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", cases[i].about);
		if (cases[i].stopped)
			stop_network(cases[i].source);
		assert_int_equal(preflight_network(&spec, root, hv, &fail),
				 cases[i].word == NULL ? 0 : -1);
		if (cases[i].word == NULL)
			continue;
		assert_fails(&fail, FAIL_HOST, cases[i].word);
		assert_string_equal(fail.items[0].file, FILE_SPEC);
		assert_int_equal(fail.items[0].line, 12);
	}
}

struct member {
	const char *about, *driver;
	enum gpu_member_role role;
	bool is_refused;
};

/* The GPUs of @placement, with their holders read for them alone. */
static int preflight_with(const struct root *root, const struct host *host,
			  const struct placement *placement, struct fail *fail)
{
	const struct gpu *gpu = placement->gpus[0].gpu;
	CLEANUP(holder_list) struct holder_list *holders = holder_list_read(root, &gpu, 1);
	size_t not_checked = 77;
	int result = preflight_gpus(root, host, placement, holders, &not_checked, fail);

	assert_int_equal(not_checked, 0);
	return result;
}

/* One GPU on vfio-pci and, in its group, one function as the case has it. */
static int preflight_member(const struct root *root, const struct member *member, struct fail *fail)
{
	struct device devices[2] = {
		{ .address = GPU,
		  .driver = (char *)"vfio-pci",
		  .iommu_group = 177,
		  .reset_methods = (char *)"flr" },
		{ .address = SOUND, .driver = (char *)member->driver, .iommu_group = 177 },
	};
	struct device_list list = { .devices = devices, .count = 2 };
	const struct host host = { .devices = &list };
	struct gpu_member members[2] = { { &devices[0], GPU_MEMBER_FUNCTION },
					 { &devices[1], member->role } };
	const struct gpu gpu = { .device = &devices[0], .members = members, .member_count = 2 };
	struct place_gpu placed = { .gpu = &gpu, .clique = -1 };
	const struct placement placement = { .gpus = &placed, .gpu_count = 1 };

	return preflight_with(root, &host, &placement, fail);
}

struct driver_case {
	const struct root *root;
	const struct member *member;
	bool hook;
};

/* 0 as promised: only root may have a driver detached, unless the hook looks in his place. */
static int drivers_are_judged(const void *data)
{
	const struct driver_case *judged = data;
	bool is_refused = geteuid() != 0 && judged->member->is_refused && !judged->hook;
	CLEANUP(fail) struct fail fail = { 0 };

	if (preflight_member(judged->root, judged->member, &fail) == 0)
		return is_refused;
	return !(is_refused && fail.kind == FAIL_HOST &&
		 text_starts(fail.items[0].what, SOUND " is on the host's driver ") &&
		 strstr(fail.items[0].cause, "50-gpuvm does not exist") != NULL &&
		 strstr(fail.items[0].hint, "sudo install -D -m 0755 ") != NULL &&
		 strstr(fail.items[0].hint,
			"driverctl --noprobe set-override " SOUND " vfio-pci") != NULL);
}

static void only_root_may_detach_a_driver(void **state)
{
	static const struct member members[] = {
		{ "on its driver", "nvidia", GPU_MEMBER_FUNCTION, true },
		{ "on vfio-pci", "vfio-pci", GPU_MEMBER_FUNCTION, false },
		{ "on none", NULL, GPU_MEMBER_FUNCTION, false },
		{ "held", "nvme", GPU_MEMBER_HELD, true },
		{ "another GPU of the group", "nvidia", GPU_MEMBER_GPU, true },
		{ "its function", "snd_hda_intel", GPU_MEMBER_GPU_FUNCTION, true },
		{ "a bridge stays", "pcieport", GPU_MEMBER_BRIDGE, false },
	};
	CLEANUP(root) struct root *without = hosts_write("without", "sys/\n");
	CLEANUP(root) struct root *with = hosts_write("with", HOOKED);
	CLEANUP(text)
	char *command = text_format("chmod 0755 '%s" GPUVM_HOOK "' '%s/usr/bin/gpuvm'", with->dir,
				    with->dir);

	(void)state;
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < 2 * COUNT(members); i++) {
		const struct driver_case judged = { i % 2 == 0 ? without : with, &members[i / 2],
						    i % 2 == 1 };

		print_message("  %s%s\n", members[i / 2].about, judged.hook ? ", hook" : "");
		assert_int_equal(scratch_as(0, drivers_are_judged, &judged), 0);
		if (scratch_is_root())
			assert_int_equal(scratch_as(SCRATCH_NOBODY, drivers_are_judged, &judged),
					 0);
	}
}

static void a_gpu_in_use_or_unsafe_is_refused(void **state)
{
	static const struct {
		const char *lines, *opened;
		enum fail_kind kind;
		const char *word;
	} cases[] = {
		{ "sys/\n", "/dev/null", FAIL_NONE, NULL },
		{ "sys/\n", "/dev/vfio/177", FAIL_BUSY, GPU " is in use by process 812 (sleep)" },
		{ "proc/interrupts\t 24: 0 PCI-MSI 1-edge x\n", "/dev/null", FAIL_HOST,
		  "does not remap interrupts" },
	};
	static const struct member member = { "sound", NULL, GPU_MEMBER_FUNCTION, false };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text)
		char *lines = text_format("sys/bus/\n" PROCESSES_SLEEP "%s", cases[i].lines);
		CLEANUP(root) struct root *root = hosts_write("held", lines);
		CLEANUP(fail) struct fail fail = { 0 };

		processes_open(root->dir, "812", "3", cases[i].opened);
		assert_int_equal(preflight_member(root, &member, &fail),
				 cases[i].kind == FAIL_NONE ? 0 : -1);
		if (cases[i].kind != FAIL_NONE)
			assert_fails(&fail, cases[i].kind, cases[i].word);
	}
}

/* On a GPU that the spec gives away the console is no holder, unless its driver can hang. */
static void the_console_goes_if_the_spec_says_so(void **state)
{
	static const struct {
		const char *driver;
		bool allow;
		const char *word; /* NULL: it goes */
	} cases[] = {
		{ "bochs-drm", true, NULL },
		{ "bochs-drm", false, "keep it from the console" },
		{ "nvidia", true, "keep it from the console" },
	};
	CLEANUP(root)
	struct root *root = hosts_write("console",
					"sys/bus/pci/devices/" GPU "/graphics/fb0/dev\t29:0\n");

	(void)state;
	if (!scratch_is_root())
		skip();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct device device = { .address = GPU,
					 .driver = (char *)cases[i].driver,
					 .iommu_group = 177,
					 .is_boot_vga = true,
					 .reset_methods = (char *)"flr" };
		struct device_list list = { .devices = &device, .count = 1 };
		const struct host host = { .devices = &list };
		struct gpu_member member = { &device, GPU_MEMBER_FUNCTION };
		const struct gpu gpu = { .device = &device, .members = &member, .member_count = 1 };
		struct place_gpu placed = { .gpu = &gpu,
					    .clique = -1,
					    .allow_boot_vga = cases[i].allow };
		const struct placement placement = { .gpus = &placed, .gpu_count = 1 };
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(preflight_with(root, &host, &placement, &fail),
				 cases[i].word == NULL ? 0 : -1);
		if (cases[i].word != NULL)
			assert_fails(&fail, FAIL_HOST, cases[i].word);
	}
}

struct unseen {
	const struct root *root;
	bool hook;
};

/* 0 as promised. As nobody: a function on no driver, and processes that he may not look at. */
static int unseen_are_counted(const void *data)
{
	const struct unseen *unseen = data;
	struct device device = { .address = GPU,
				 .iommu_group = 177,
				 .reset_methods = (char *)"flr" };
	struct device_list list = { .devices = &device, .count = 1 };
	const struct host host = { .devices = &list };
	const struct gpu gpu = { .device = &device };
	struct place_gpu placed = { .gpu = &gpu, .clique = -1 };
	const struct placement placement = { .gpus = &placed, .gpu_count = 1 };
	struct holder_list holders = { .not_checked = 3 };
	size_t not_checked = 77;
	CLEANUP(fail) struct fail fail = { 0 };

	if (preflight_gpus(unseen->root, &host, &placement, &holders, &not_checked, &fail) < 0)
		return 1;
	return not_checked == (unseen->hook ? 0 : 3) ? 0 : 2;
}

static void what_nobody_checks_is_counted(void **state)
{
	CLEANUP(root) struct root *without = hosts_write("unhooked", "sys/\n");
	CLEANUP(root) struct root *with = hosts_write("hooked", HOOKED);
	CLEANUP(text)
	char *command = text_format("chmod 0755 '%s" GPUVM_HOOK "' '%s/usr/bin/gpuvm'", with->dir,
				    with->dir);

	(void)state;
	assert_int_equal(system(command), 0);
	assert_int_equal(scratch_as(scratch_is_root() ? SCRATCH_NOBODY : 0, unseen_are_counted,
				    &(struct unseen){ without, false }),
			 0);
	assert_int_equal(scratch_as(scratch_is_root() ? SCRATCH_NOBODY : 0, unseen_are_counted,
				    &(struct unseen){ with, true }),
			 0);
}

/* Holders are read once for all GPUs that might be chosen: those of others do not matter. */
static void other_gpus_holders_are_ignored(void **state)
{
	struct device device = { .address = GPU, .reset_methods = (char *)"flr" };
	struct device_list list = { .devices = &device, .count = 1 };
	const struct host host = { .devices = &list };
	const struct gpu gpu = { .device = &device };
	struct place_gpu placed = { .gpu = &gpu, .clique = -1 };
	const struct placement placement = { .gpus = &placed, .gpu_count = 1 };
	struct holder holder = { .address = "0000:18:00.0",
				 .who = (char *)"process 812 (sleep)",
				 .what = (char *)"has it open",
				 .remedy = (char *)"sudo kill 812" };
	struct holder_list holders = { .holders = &holder, .count = 1 };
	CLEANUP(root) struct root *root = hosts_write("others", "sys/\n");
	CLEANUP(fail) struct fail fail = { 0 };
	size_t not_checked;

	(void)state;
	assert_int_equal(preflight_gpus(root, &host, &placement, &holders, &not_checked, &fail), 0);
	strcpy(holder.address, GPU);
	assert_int_equal(preflight_gpus(root, &host, &placement, &holders, &not_checked, &fail),
			 -1);
	assert_fails(&fail, FAIL_BUSY, "sudo kill 812");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_must_have_kvm_and_vfio),
		cmocka_unit_test(images_must_be_reachable),
		cmocka_unit_test(without_qemus_account_nothing_is_closed),
		cmocka_unit_test(images_out_of_sight_are_believed),
		cmocka_unit_test(the_network_must_be_there),
		cmocka_unit_test(only_root_may_detach_a_driver),
		cmocka_unit_test(a_gpu_in_use_or_unsafe_is_refused),
		cmocka_unit_test(the_console_goes_if_the_spec_says_so),
		cmocka_unit_test(what_nobody_checks_is_counted),
		cmocka_unit_test(other_gpus_holders_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
