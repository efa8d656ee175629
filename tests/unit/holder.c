// SPDX-License-Identifier: MIT
#include "topo/holder.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "tests/unit/processes.h"
#include "topo/console.h"
#include "topo/holder_internal.h"

#define GPU   "0000:17:00.0"
#define SOUND "0000:17:00.1"
#define PCI   "sys/bus/pci/devices/"
#define UUID  "11111111-2222-3333-4444-555555555555"

#define PROCESS(name) PROCESSES_WITH_FILES("812", name, PROCESSES_USER)
#define SLEEP         PROCESSES_SLEEP

/* Numbers that no real host gives, should a reader look past the root. */
#define HOST                                                                                       \
	PCI GPU "/drm/card77/dev\t226:77\n" PCI GPU "/drm/renderD177/dev\t226:177\n" PCI GPU       \
		"/drm/card77-DP-1/status\tdisconnected\n" PCI GPU                                  \
		"/graphics/fb7/dev\t29:7\n" PCI GPU "/vfio-dev/vfio77/dev\t511:77\n" PCI GPU       \
		"/accel/accel77/dev\t261:77\n" PCI SOUND                                           \
		"/sound/card77/controlC77/dev\t116:77\n" PCI SOUND "/sound/card77/id\tHDMI\n"

/* A group of two: a GPU with its sound. */
struct sample {
	struct device gpu_device, sound_device;
	struct gpu_member members[2];
	struct gpu gpu;
};

static void sample_init(struct sample *sample, const char *driver, bool is_boot_vga)
{
	*sample = (struct sample){
		.gpu_device = { .address = GPU,
				.driver = (char *)driver,
				.iommu_group = 177,
				.is_boot_vga = is_boot_vga },
		.sound_device = { .address = SOUND, .function = 1, .iommu_group = 177 },
	};
	sample->members[0] = (struct gpu_member){ &sample->gpu_device, GPU_MEMBER_FUNCTION };
	sample->members[1] = (struct gpu_member){ &sample->sound_device, GPU_MEMBER_FUNCTION };
	sample->gpu = (struct gpu){ .device = &sample->gpu_device,
				    .members = sample->members,
				    .member_count = 2 };
}

struct held {
	const char *about;
	const char *lines;     /* of the host, behind HOST */
	const char *driver;    /* of the GPU */
	const char *opened[3]; /* by process 812 */
	bool is_boot_vga;
	const char *address; /* NULL: nobody holds it */
	enum holder_kind kind;
	const char *who, *what, *remedy;
};

static const struct held cases[] = {
	{ .about = "nobody", .lines = "" },
	{ "its group",
	  SLEEP,
	  NULL,
	  { "/dev/vfio/177" },
	  false,
	  GPU,
	  HOLDER_VFIO,
	  "process 812 (sleep)",
	  "has /dev/vfio/177 open",
	  "end it: sudo kill 812" },
	{ "its group, by QEMU",
	  PROCESS("qemu-system-x86"),
	  NULL,
	  { "/dev/vfio/177" },
	  false,
	  GPU,
	  HOLDER_VFIO,
	  "process 812 (qemu-system-x86)",
	  "has /dev/vfio/177 open",
	  "shut that VM down; its command line: ps -ww 812" },
	{ "its VFIO device",
	  SLEEP,
	  NULL,
	  { "/dev/vfio/devices/vfio77" },
	  false,
	  GPU,
	  HOLDER_VFIO,
	  "process 812 (sleep)",
	  "has /dev/vfio/devices/vfio77 open",
	  "end it: sudo kill 812" },
	{ .about = "another group",
	  .lines = SLEEP,
	  .opened = { "/dev/vfio/17", "/dev/vfio/vfio" } },
	{ "its nodes",
	  SLEEP,
	  "nouveau",
	  { "/dev/dri/renderD177", "/dev/null", "/dev/dri/card77" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/dri/card77, /dev/dri/renderD177 open",
	  "end it: sudo kill 812" },
	{ "its node in a chroot",
	  SLEEP,
	  "nouveau",
	  { "/srv/sid/dev/dri/card77" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/dri/card77 open",
	  "end it: " },
	{ "its node, which was unlinked",
	  SLEEP,
	  "nouveau",
	  { "/dev/dri/card77 (deleted)" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/dri/card77 open",
	  "end it: " },
	{ "its framebuffer's node",
	  SLEEP,
	  "nouveau",
	  { "/dev/fb7" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/fb7 open",
	  "end it: sudo kill 812" },
	{ "its accelerator node",
	  SLEEP,
	  "habanalabs",
	  { "/dev/accel/accel77" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/accel/accel77 open",
	  "end it: " },
	{ "its sound",
	  PROCESS("wireplumber"),
	  "nouveau",
	  { "/dev/snd/controlC77" },
	  false,
	  SOUND,
	  HOLDER_PROCESS,
	  "process 812 (wireplumber)",
	  "has /dev/snd/controlC77 open",
	  "keep the desktop's sound off it: sudo driverctl set-override " SOUND " vfio-pci" },
	{ "a session",
	  PROCESS("systemd-logind"),
	  "amdgpu",
	  { "/dev/dri/card77" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (systemd-logind)",
	  "has /dev/dri/card77 open",
	  "end the graphical session: sudo systemctl isolate multi-user.target" },
	{ .about = "other nodes",
	  .lines = SLEEP,
	  .driver = "amdgpu",
	  .opened = { "/dev/dri/card7", "/dev/dri/card777", "/home/card77" } },
	{ .about = "what a driver's GPUs share",
	  .lines = SLEEP,
	  .driver = "amdgpu",
	  .opened = { "/dev/kfd", "/dev/nvidiactl", "/dev/nvidia7" } },
	{ "mapped",
	  SLEEP "proc/812/maps\t7f00-7f01 r--p 0 08:01 1 /lib/dev/x.so\\n7f01-7f02 rw-s 0 "
		"00:06 415 /dev/dri/renderD177\n",
	  "nouveau",
	  { NULL },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/dri/renderD177 mapped",
	  "end it: sudo kill 812" },
	{ "open and mapped",
	  SLEEP "proc/812/maps\t7f01-7f02 rw-s 0 00:06 415 /dev/dri/renderD177\\n7f02-7f03 rw-s 0 "
		"00:06 415 /dev/dri/card77 (deleted)\n",
	  "nouveau",
	  { "/dev/dri/card77" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/dri/card77 open and /dev/dri/renderD177 mapped",
	  "end it: sudo kill 812" },
	{ "NVIDIA's, by number",
	  SLEEP "proc/driver/nvidia/gpus/" GPU "/information\tModel: \\t X\\nDevice Minor: \\t 7\n",
	  "nvidia",
	  { "/dev/nvidia7" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/nvidia7 open",
	  "end it: sudo kill 812" },
	{ .about = "NVIDIA's other one",
	  .lines = SLEEP "proc/driver/nvidia/gpus/" GPU "/information\tDevice Minor: \\t 7\n",
	  .driver = "nvidia",
	  .opened = { "/dev/nvidia6", "/dev/nvidia77" } },
	{ "NVIDIA's, which one is not known",
	  SLEEP,
	  "nvidia",
	  { "/dev/nvidia3" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (sleep)",
	  "has /dev/nvidia open",
	  "end it: sudo kill 812" },
	{ .about = "NVIDIA's shared ones",
	  .lines = SLEEP,
	  .driver = "nvidia",
	  .opened = { "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-modeset" } },
	{ "its persistence daemon",
	  PROCESS("nvidia-persiste"),
	  "nvidia",
	  { "/dev/nvidia0" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (nvidia-persiste)",
	  "has /dev/nvidia open",
	  "sudo systemctl stop nvidia-persistenced" },
	{ .about = "a kernel thread",
	  .lines = PROCESSES_WITH_FILES("812", "kworker/u:0", PROCESSES_KERNEL),
	  .driver = "nouveau",
	  .opened = { "/dev/dri/card77" } },
	{ "a name of its own choice",
	  PROCESS("a) S (b \x1b[1m"),
	  "nouveau",
	  { "/dev/dri/card77" },
	  false,
	  GPU,
	  HOLDER_PROCESS,
	  "process 812 (a) S (b \\x1b[1m)",
	  "has /dev/dri/card77 open",
	  "end it: sudo kill 812" },
	{ "virtual functions",
	  PCI GPU "/sriov_numvfs\t4\n",
	  "nvidia",
	  { NULL },
	  false,
	  GPU,
	  HOLDER_VIRTUAL_FUNCTIONS,
	  "its 4 virtual functions",
	  "are enabled",
	  "echo 0 | sudo tee /sys/bus/pci/devices/" GPU "/sriov_numvfs" },
	{ .about = "no virtual functions", .lines = PCI GPU "/sriov_numvfs\t0\n" },
	{ "a mediated device",
	  PCI GPU "/" UUID "/mdev_type/name\tx\n",
	  "nvidia",
	  { NULL },
	  false,
	  GPU,
	  HOLDER_MEDIATED_DEVICE,
	  "mediated device " UUID,
	  "is made of it",
	  "echo 1 | sudo tee /sys/bus/mdev/devices/" UUID "/remove" },
	{ .about = "types of mediated devices", .lines = PCI GPU "/" UUID "/name\tx\n" },
	{ .about = "a framebuffer of the kernel's console", .lines = "", .driver = "bochs-drm" },
	{ "a framebuffer on the boot VGA",
	  "",
	  "amdgpu",
	  { NULL },
	  true,
	  GPU,
	  HOLDER_CONSOLE,
	  "the host's console",
	  "is on it (fb7)",
	  "sudo driverctl set-override " GPU " vfio-pci" },
	{ "a framebuffer on the boot VGA, by a driver that can hang",
	  "",
	  "nouveau",
	  { NULL },
	  true,
	  GPU,
	  HOLDER_CONSOLE,
	  "the host's console",
	  "is on it (fb7)",
	  "sudo driverctl set-override " GPU " vfio-pci" },
	{ "the firmware's framebuffer",
	  "proc/iomem\t00000000-00000000 : PCI Bus 0000:17\\n  00000000-00000000 : " GPU
	  "\\n    00000000-00000000 : BOOTFB\\n      00000000-00000000 : simpledrm\n",
	  NULL,
	  { NULL },
	  false,
	  GPU,
	  HOLDER_CONSOLE,
	  "the host's console",
	  "is on the firmware's framebuffer on it (BOOTFB)",
	  "initcall_blacklist=sysfb_init" },
	{ .about = "a framebuffer beside it",
	  .lines = "proc/iomem\t00-00 : PCI Bus 0000:17\\n  00-00 : " GPU
		   "\\n    00-00 : nouveau\\n  00-00 : 0000:18:00.0\\n    00-00 : efifb\n" },
};

static void each_holder_is_seen_and_named(void **state)
{
	static const char *const descriptors[] = { "0", "1", "20" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct held *held = &cases[i];
		CLEANUP(text) char *lines = text_format(HOST "%s", held->lines);
		CLEANUP(root) struct root *root = hosts_write("host", lines);
		CLEANUP(holder_list) struct holder_list *list = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		struct sample sample;
		const struct gpu *gpu = &sample.gpu;
		const struct holder *holder;

		print_message("  %s\n", held->about);
		sample_init(&sample, held->driver, held->is_boot_vga);
		console_read(root,
			     &(struct device_list){ .devices = &sample.gpu_device, .count = 1 });
		for (size_t j = 0; j < COUNT(descriptors) && held->opened[j] != NULL; j++)
			processes_open(root->dir, "812", descriptors[j], held->opened[j]);
		list = holder_list_read(root, &gpu, 1);
		free(sample.gpu_device.firmware_framebuffer);
		sample.gpu_device.firmware_framebuffer = NULL;
		assert_int_equal(list->not_checked, 0);
		assert_int_equal(list->count, held->address != NULL);
		if (held->address == NULL)
			continue;
		holder = &list->holders[0];
		assert_ptr_equal(holder_of(list, gpu), holder);
		assert_string_equal(holder->address, held->address);
		assert_int_equal(holder->kind, held->kind);
		assert_string_equal(holder->who, held->who);
		assert_string_equal(holder->what, held->what);
		assert_non_null(strstr(holder->remedy, held->remedy));
		assert_int_equal(holder->pid, text_starts(held->who, "process 812") ? 812 : 0);
		assert_int_equal(holder->program != NULL, holder->pid != 0);
		assert_int_equal(holder->may_hang, held->kind == HOLDER_CONSOLE &&
							   text_equal(held->driver, "nouveau"));
		assert_int_equal(holder_refuse(holder, &fail), -1);
		assert_fails(&fail, held->kind == HOLDER_CONSOLE ? FAIL_HOST : FAIL_BUSY, NULL);
	}
}

/* A disk of the group that nothing has mounted may be open all the same. */
static void a_raw_disk_is_seen(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"disk", SLEEP "sys/block/sdx -> ../bus/pci/devices/" GPU "/sdx\n" PCI GPU
			      "/sdx/sdx1/partition\t1\n"
			      "sys/class/block/sdx -> ../../bus/pci/devices/" GPU "/sdx\n");
	struct device device = {
		.address = GPU, .class_id = 0x0106, .driver = (char *)"ahci", .iommu_group = 177
	};
	const struct gpu gpu = { .device = &device };
	const struct gpu *gpus = &gpu;
	CLEANUP(holder_list) struct holder_list *list = NULL;

	(void)state;
	processes_open(root->dir, "812", "0", "/dev/sdx1");
	list = holder_list_read(root, &gpus, 1);
	assert_int_equal(list->count, 1);
	assert_string_equal(list->holders[0].what, "has /dev/sdx1 open");
}

static void all_processes_are_asked_once(void **state)
{
	CLEANUP(root)
	struct root *root = hosts_write(
		"many", HOST SLEEP PROCESSES_WITH_FILES("9", "first", PROCESSES_USER)
				PROCESSES_WITH_FILES("1000", "last", PROCESSES_USER));
	CLEANUP(holder_list) struct holder_list *list = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct sample sample;
	const struct gpu *gpus[2] = { &sample.gpu, &sample.gpu };

	(void)state;
	sample_init(&sample, "nouveau", false);
	processes_open(root->dir, "9", "0", "/dev/dri/card77");
	processes_open(root->dir, "9", "1", "/dev/snd/controlC77");
	processes_open(root->dir, "9", "2", "/dev/dri/card77");
	processes_open(root->dir, "1000", "0", "/dev/vfio/177");
	list = holder_list_read(root, gpus, 2);
	assert_int_equal(list->count, 3);
	assert_int_equal(list->holders[0].pid, 9);
	assert_string_equal(list->holders[0].address, GPU);
	assert_int_equal(list->holders[1].pid, 9);
	assert_string_equal(list->holders[1].address, SOUND);
	assert_int_equal(list->holders[2].pid, 1000);
	assert_int_equal(holder_refuse(&list->holders[0], &fail), -1);
	assert_fails(&fail, FAIL_BUSY, GPU " is in use by process 9 (first)");
	assert_string_equal(fail.items[0].cause, "process 9 (first) has /dev/dri/card77 open");
	assert_string_equal(fail.items[0].hint, "end it: sudo kill 9");
}

#define OTHERS "nvidia-persiste"

/* Run as a user who may not see the files of process 812: 0 as promised. */
static int others_are_not_checked(const void *data)
{
	const struct root *root = data;
	struct sample sample;
	const struct gpu *gpu = &sample.gpu;
	CLEANUP(holder_list) struct holder_list *without = NULL;
	CLEANUP(holder_list) struct holder_list *with = NULL;
	bool has_socket = root_exists(root, "/run/nvidia-persistenced/socket");

	sample_init(&sample, "nouveau", false);
	without = holder_list_read(root, &gpu, 1);
	sample_init(&sample, "nvidia", false);
	with = holder_list_read(root, &gpu, 1);
	if (without->not_checked != 1 || with->not_checked != 1 || without->count != 0)
		return 1;
	if (!has_socket)
		return with->count == 0 ? 0 : 2;
	return with->count == 1 && with->holders[0].kind == HOLDER_PERSISTENCED &&
			       with->holders[0].pid == 812 &&
			       strcmp(with->holders[0].address, GPU) == 0 &&
			       strcmp(with->holders[0].remedy,
				      "sudo systemctl stop nvidia-persistenced") == 0
		       ? 0
		       : 3;
}

static void what_the_caller_may_not_see_is_counted(void **state)
{
	static const char *const sockets[] = { "", "run/nvidia-persistenced/socket\t\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(sockets); i++) {
		CLEANUP(text)
		char *lines = text_format("%s%s", HOST PROCESS(OTHERS), sockets[i]);
		CLEANUP(root) struct root *root = hosts_write("closed", lines);
		CLEANUP(text) char *folder = text_format("%s/proc/812/fd", root->dir);

		processes_open(root->dir, "812", "0", "/dev/dri/card77");
		assert_int_equal(chmod(folder, 0), 0);
		assert_int_equal(scratch_as(scratch_is_root() ? SCRATCH_NOBODY : 0,
					    others_are_not_checked, root),
				 0);
		assert_int_equal(chmod(folder, 0755), 0);
	}
}

/* On the live host a number says what a path may not. */
static void nodes_are_told_by_number(void **state)
{
	const struct holder_node node = { .path = (char *)"/dev/dri/card77",
					  .has_number = true,
					  .number = makedev(226, 77) };
	const struct holder_node any = { .path = (char *)"/dev/nvidia", .is_any_nvidia = true };
	const dev_t same = makedev(226, 77);
	const dev_t other = makedev(226, 7);
	const dev_t nvidia = makedev(195, 3);
	const dev_t control = makedev(195, 255);

	(void)state;
	assert_true(holder_node_is(&node, "/dev/renamed", &same));
	assert_false(holder_node_is(&node, "/dev/dri/card77", &other));
	assert_true(holder_node_is(&node, "/dev/dri/card77", NULL));
	assert_false(holder_node_is(&node, "/dev/renamed", NULL));
	assert_true(holder_node_is(&any, "/dev/renamed", &nvidia));
	assert_false(holder_node_is(&any, "/dev/nvidia3", &control));
	assert_false(holder_node_is(&any, "/dev/nvidia3", &same));
	assert_true(holder_node_is(&any, "/dev/nvidia3", NULL));
	assert_false(holder_node_is(&any, "/dev/nvidiactl", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_holder_is_seen_and_named),
		cmocka_unit_test(a_raw_disk_is_seen),
		cmocka_unit_test(all_processes_are_asked_once),
		cmocka_unit_test(what_the_caller_may_not_see_is_counted),
		cmocka_unit_test(nodes_are_told_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
