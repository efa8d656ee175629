/* SPDX-License-Identifier: MIT */
/*
 * For unit tests: a VM that is all as it was planned, on the host gpu8, and what its guest tells: two GPUs of two
 * nodes, two vCPUs on each, one cell in 2 MiB pages and one in normal ones. Tests then break one thing.
 */
#ifndef GPUVM_TESTS_VERIFIES_H
#define GPUVM_TESTS_VERIFIES_H

#include "tests/unit/hosts.h"
#include "tests/unit/processes.h"
#include "tests/unit/scratch.h"
#include "vmm/verify_internal.h"

#define VERIFIES_UUID "8d0c4fd1-2e43-4d1a-9a55-6f0e1b2c3d4e"

#define VERIFIES_HOSTDEV(bus, port)                                                                \
	"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' "     \
	"bus='" bus "' slot='0x00' function='0x0'/></source><address type='pci' domain='0x0000' "  \
	"bus='" port "' slot='0x00' function='0x0'/></hostdev>"

#define VERIFIES_EXPANDER(index, number, cell, slot)                                               \
	"<controller type='pci' index='" index                                                     \
	"' model='pcie-expander-bus'><target busNr='" number "'><node>" cell                       \
	"</node></target><address type='pci' domain='0x0000' bus='0x00' "                          \
	"slot='" slot "' function='0x0'/></controller>"

#define VERIFIES_PORT(index, bus)                                                                  \
	"<controller type='pci' index='" index "' model='pcie-root-port'><target chassis='4' "     \
	"hotplug='off'/><address type='pci' domain='0x0000' bus='" bus                             \
	"' slot='0x00' function='0x0'/></controller>"

#define VERIFIES_XML                                                                               \
	"<domain type='kvm' id='1'><name>train</name><uuid>" VERIFIES_UUID "</uuid><metadata>"     \
	"<g:vm xmlns:g='urn:gpuvm:vm:1'><g:owner uid='1000' name='alice'/>"                        \
	"<g:start pins='2,3,34,35'/><g:spec file='a.ini' directory='/'>[vm]</g:spec>"              \
	"<g:gpu address='0000:17:00.0'><g:function address='0000:17:00.0'/></g:gpu>"               \
	"<g:gpu address='0000:97:00.0'><g:function address='0000:97:00.0'/></g:gpu></g:vm>"        \
	"</metadata><memory unit='KiB'>2097152</memory><memoryBacking><hugepages>"                 \
	"<page size='2048' unit='KiB' nodeset='0'/></hugepages></memoryBacking>"                   \
	"<vcpu placement='static'>4</vcpu><cputune>"                                               \
	"<vcpupin vcpu='0' cpuset='2'/><vcpupin vcpu='1' cpuset='3'/>"                             \
	"<vcpupin vcpu='2' cpuset='34'/><vcpupin vcpu='3' cpuset='35'/>"                           \
	"<emulatorpin cpuset='0,32'/><iothreadpin iothread='1' cpuset='0'/></cputune>"             \
	"<numatune><memory mode='strict' nodeset='0-1'/>"                                          \
	"<memnode cellid='0' mode='strict' nodeset='0'/>"                                          \
	"<memnode cellid='1' mode='strict' nodeset='1'/></numatune><cpu><numa>"                    \
	"<cell id='0' cpus='0-1' memory='1048576' unit='KiB'/>"                                    \
	"<cell id='1' cpus='2-3' memory='1048576' unit='KiB'/></numa></cpu><devices>"              \
	"<controller type='pci' index='0' model='pcie-root'/>" VERIFIES_EXPANDER("3", "32", "0",   \
										 "0x10")           \
		VERIFIES_PORT("4", "0x03") VERIFIES_EXPANDER("5", "48", "1", "0x11")               \
			VERIFIES_PORT("6", "0x05") VERIFIES_HOSTDEV("0x17", "0x04")                \
				VERIFIES_HOSTDEV("0x97", "0x06") "</devices></domain>"

#define VERIFIES_BARS                                                                              \
	"bar 0x0000380000000000 0x0000380000ffffff 0x000000000014220c\n"                           \
	"bar 0x0000000000000000 0x0000000000000000 0x0000000000000000\n"                           \
	"bar 0x0000382000000000 0x0000383fffffffff 0x000000000014220c\n"                           \
	"bar 0x0000000000000000 0x0000000000000000 0x0000000000000000\n"                           \
	"bar 0x0000380002000000 0x0000380003ffffff 0x000000000014220c\n"                           \
	"bar 0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

#define VERIFIES_FUNCTION(address, ids, node, path, driver)                                        \
	"pci " address "\n" ids "node " node "\nsleep active\npath ../../../devices/" path         \
	"\ndriver " driver "\n"
#define VERIFIES_PORT_IDS "vendor 0x1b36\ndevice 0x000c\nclass 0x060400\n"
#define VERIFIES_H100_IDS "vendor 0x10de\ndevice 0x2330\nclass 0x030200\n"

#define VERIFIES_INSIDE                                                                            \
	"gpuvm-verify 1\n" VERIFIES_FUNCTION("0000:20:00.0", VERIFIES_PORT_IDS, "0",               \
					     "pci0000:20/0000:20:00.0",                            \
					     "../../../bus/pci/drivers/pcieport")                  \
		VERIFIES_FUNCTION("0000:21:00.0", VERIFIES_H100_IDS, "0",                          \
				  "pci0000:20/0000:20:00.0/0000:21:00.0",                          \
				  "../../../../bus/pci/drivers/nvidia")                            \
			VERIFIES_BARS VERIFIES_FUNCTION("0000:30:00.0", VERIFIES_PORT_IDS, "1",    \
							"pci0000:30/0000:30:00.0",                 \
							"../../../bus/pci/drivers/pcieport")       \
				VERIFIES_FUNCTION("0000:31:00.0", VERIFIES_H100_IDS, "1",          \
						  "pci0000:30/0000:30:00.0/0000:31:00.0",          \
						  "../../../../bus/pci/drivers/nvidia")            \
					VERIFIES_BARS "end\n"

#define VERIFIES_DRIVERS                                                                           \
	"gpuvm-drivers 1\ntool nvidia-smi 0 2\nsaid ==NVSMI LOG==\nmessages\n"                     \
	"line [    3.1] NVRM: loading NVIDIA UNIX Open Kernel Module\nend\n"

#define VERIFIES_MAP(node, pages, kib)                                                             \
	" file=/memfd:pc.ram\\040(deleted) dirty=" pages " N" node "=" pages                       \
	" kernelpagesize_kB=" kib "\n"
#define VERIFIES_MAPS                                                                              \
	"560000000000 default heap anon=3000 dirty=3000 N0=1000 N1=2000 kernelpagesize_kB=4\n"     \
	"561000000000 default file=/usr/bin/qemu-system-x86_64 mapped=9000 N1=9000 "               \
	"kernelpagesize_kB=4\n"                                                                    \
	"7f0000000000 bind:0" VERIFIES_MAP("0", "512", "2048") "7f1000000000 bind:1" VERIFIES_MAP( \
		"1", "262144",                                                                     \
		"4") "7f2000000000 default stack anon=3 dirty=3 N1=3 kernelpagesize_kB=4\n"        \
		     "7f3000000000 default anon=4096 dirty=4096 N0=4096 kernelpagesize_kB=4\n"

/* @name of the function @address gets @text. */
static inline void verifies_set(const char *directory, const char *address, const char *name,
				const char *text)
{
	CLEANUP(text)
	char *path = text_format("%s/sys/bus/pci/devices/%s/%s", directory, address, name);

	scratch_fill(path, text);
}

static inline void verifies_thread(const char *directory, const char *tid, const char *name,
				   const char *cpus)
{
	CLEANUP(text) char *task = text_format("%s/proc/4711/task/%s", directory, tid);
	CLEANUP(text) char *comm = text_format("%s\n", name);
	CLEANUP(text)
	char *status = text_format("Name:\t%s\nCpus_allowed:\tff\nCpus_allowed_list:\t%s\nMems:\n",
				   name, cpus);

	scratch_make_directories(task);
	free(scratch_write(task, "comm", comm));
	free(scratch_write(task, "status", status));
}

static inline void verifies_cmdline(const char *directory, const char *uuid)
{
	CLEANUP(text) char *path = text_format("%s/proc/4711/cmdline", directory);
	CLEANUP(file) FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fprintf(file, "/usr/bin/qemu%c-name%cguest=train%c-uuid%c%s%c", 0, 0, 0, 0,
			    uuid, 0) > 0);
}

static inline void verifies_process(const char *directory)
{
	CLEANUP(text) char *process = text_format("%s/proc/4711", directory);
	CLEANUP(text) char *files = text_format("%s/fd", process);
	CLEANUP(text) char *run = text_format("%s/run/libvirt/qemu", directory);

	scratch_make_directories(files);
	scratch_make_directories(run);
	free(scratch_write(process, "stat",
			   PROCESSES_STAT("4711", "qemu-system-x86", PROCESSES_USER, "5000")));
	free(scratch_write(process, "numa_maps", VERIFIES_MAPS));
	free(scratch_write(run, "train.pid", "4711\n"));
	verifies_cmdline(directory, VERIFIES_UUID);
	verifies_thread(directory, "4711", "qemu-system-x86", "0,32");
	verifies_thread(directory, "4712", "IO iothread1", "0");
	verifies_thread(directory, "4713", "CPU 0/KVM", "2");
	verifies_thread(directory, "4714", "CPU 1/KVM", "3");
	verifies_thread(directory, "4715", "CPU 2/KVM", "34");
	verifies_thread(directory, "4716", "CPU 3/KVM", "35");
	processes_open(directory, "4711", "20", "/dev/vfio/20");
	processes_open(directory, "4711", "28", "/dev/vfio/28");
}

static inline struct root *verifies_open(const char *name)
{
	static const char *const gpus[] = { "0000:17:00.0", "0000:97:00.0" };
	CLEANUP(text)
	char *file = text_format("%s/tests/hosts/gpu8.host", getenv("GPUVM_SOURCE"));
	struct root *root = hosts_unpack(file, name);

	for (size_t i = 0; i < COUNT(gpus); i++) {
		hosts_bind(root->dir, gpus[i], "vfio-pci");
		verifies_set(root->dir, gpus[i], "power_state", "D0\n");
		verifies_set(root->dir, gpus[i], "aer_dev_fatal", "DLP 0\nTOTAL_ERR_FATAL 0\n");
		verifies_set(root->dir, gpus[i], "aer_dev_nonfatal", "TOTAL_ERR_NONFATAL 0\n");
		verifies_set(root->dir, gpus[i], "aer_dev_correctable", "TOTAL_ERR_COR 0\n");
	}
	verifies_process(root->dir);
	return root;
}

/* Of the domain @xml on the host @root; its guest has not told anything yet. */
static inline struct verify_evidence *verifies_read(const struct root *root, const char *xml)
{
	struct fail fail = { 0 };
	struct host *host = NULL;
	struct guest *guest = NULL;
	struct verify_evidence *evidence;

	assert_works(host_read(root, &host, &fail), &fail);
	assert_works(guest_parse(xml, &guest, &fail), &fail);
	evidence = verify_evidence_read(root, host, guest, xml);
	assert_works(guest_parse(xml, &evidence->definition, &fail), &fail);
	return evidence;
}

static inline void verifies_tell(struct verify_evidence *evidence, const char *inside,
				 const char *drivers)
{
	const char *problem = NULL;

	evidence->inside = verify_guest_parse(inside, strlen(inside), &problem);
	if (evidence->inside == NULL)
		fail_msg("%s", problem);
	evidence->drivers = verify_drivers_parse(drivers, strlen(drivers), &problem);
	if (evidence->drivers == NULL)
		fail_msg("%s", problem);
}

/* @text with the first @from replaced by @to. The caller frees. */
static inline char *verifies_edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	if (at == NULL)
		fail_msg("\"%s\" is not in the text", from == NULL ? "" : from);
	return text_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static inline void verifies_print(const struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		fprintf(stderr, "%-14s %-26s %-11s %s | %s | %s\n", findings->rows[i].check,
			findings->rows[i].subject == NULL ? "" : findings->rows[i].subject,
			verify_state_name(findings->rows[i].state), findings->rows[i].found,
			findings->rows[i].expected, findings->rows[i].hint);
}

/* The rows in @state are those of @check alone, and one of them has @word in it. */
static inline void verifies_assert(const struct findings *findings, enum finding_state state,
				   const char *check, const char *word)
{
	bool has_word = false;

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *row = &findings->rows[i];
		CLEANUP(text)
		char *text = text_format("%s %s %s %s", row->subject == NULL ? "" : row->subject,
					 row->found, row->expected == NULL ? "" : row->expected,
					 row->hint == NULL ? "" : row->hint);

		assert_non_null(row->check);
		assert_non_null(row->found);
		if (row->state != state)
			continue;
		if (!text_equal(row->check, check)) {
			verifies_print(findings);
			fail_msg("%s is %s too", row->check, verify_state_name(state));
		}
		has_word = has_word || strstr(text, word) != NULL;
	}
	if (!has_word) {
		verifies_print(findings);
		fail_msg("no row of %s is %s with \"%s\"", check, verify_state_name(state), word);
	}
}

#endif
