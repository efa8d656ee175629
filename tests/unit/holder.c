// SPDX-License-Identifier: MIT
#include "topo/holder.h"

#include <string.h>

#include "tests/unit/holders.h"
#include "topo/console.h"

#define GPU   HOLDERS_GPU
#define SOUND HOLDERS_SOUND
#define PCI   HOLDERS_PCI
#define UUID  "11111111-2222-3333-4444-555555555555"

#define PROCESS(name) PROCESSES_WITH_FILES("812", name, PROCESSES_USER)
#define SLEEP         PROCESSES_SLEEP

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
		CLEANUP(text) char *lines = text_format(HOLDERS_HOST "%s", held->lines);
		CLEANUP(root) struct root *root = hosts_write("host", lines);
		CLEANUP(holder_list) struct holder_list *list = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		struct holders_sample sample;
		const struct gpu *gpu = &sample.gpu;
		const struct holder *holder;

		print_message("  %s\n", held->about);
		holders_sample_init(&sample, held->driver, held->is_boot_vga);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_holder_is_seen_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
