// SPDX-License-Identifier: MIT
/* What is taken: pure cases of guests, and libvirt's own test driver (test:///FILE) as the hypervisor. */
#include "vmm/usage.h"

#include "tests/unit/scratch.h"
#include "vmm/base/size.h"
#include "vmm/usage_memory.h"

#define HEAD  "<domain type='test'><name>a</name>"
#define EIGHT "<memory unit='KiB'>8388608</memory>"

enum {
	NODES = 3,
	CPUS = 8
};

/* Nodes 0 and 2 with memory, node 4 without. */
struct example {
	struct machine_node nodes[NODES];
	struct machine_cpu cpus[CPUS];
	struct machine machine;
	char folder[64];
};

static int set_up(void **state)
{
	struct example *example = *state = mem_alloc(1, sizeof *example);

	for (unsigned i = 0; i < NODES; i++) {
		example->nodes[i].os_index = 2 * i;
		example->nodes[i].memory_total_bytes = i < 2 ? 64 * SIZE_GIB : 0;
	}
	for (unsigned i = 0; i < CPUS; i++)
		example->cpus[i].os_index = i;
	example->machine = (struct machine){ .nodes = example->nodes,
					     .node_count = NODES,
					     .cpus = example->cpus,
					     .cpu_count = CPUS };
	strcpy(example->folder, "/tmp/gpuvm-usage-XXXXXX");
	assert_non_null(mkdtemp(example->folder));
	return 0;
}

static int tear_down(void **state)
{
	struct example *example = *state;
	CLEANUP(text) char *command = text_format("rm -r %s", example->folder);

	assert_int_equal(system(command), 0);
	free(example);
	return 0;
}

static char *shown(const struct place_taken_memory *memory, size_t count)
{
	char *text = mem_strdup("");

	for (size_t i = 0; i < count; i++)
		text_add(&text, "%snode %u %llu KiB pages: %llu MiB", i == 0 ? "" : ", ",
			 memory[i].node, (unsigned long long)(memory[i].page_bytes / SIZE_KIB),
			 (unsigned long long)(memory[i].bytes / SIZE_MIB));
	return text;
}

static const struct {
	const char *about;
	const char *xml; /* after the name */
	bool is_starting;
	uint64_t resident_mib;
	const char *taken;
} cases[] = {
	{ "all nodes with memory", EIGHT, false, 2048,
	  "node 0 0 KiB pages: 3072 MiB, node 2 0 KiB pages: 3072 MiB" },
	{ "bound", EIGHT "<numatune><memory mode='strict' nodeset='2'/></numatune>", false, 2048,
	  "node 2 0 KiB pages: 6144 MiB" },
	{ "bound to two, one without memory",
	  EIGHT "<numatune><memory mode='interleave' nodeset='0,4'/></numatune>", false, 0,
	  "node 0 0 KiB pages: 8192 MiB" },
	{ "bound to a node that is gone",
	  EIGHT "<numatune><memory mode='strict' nodeset='7'/></numatune>", false, 0, "" },
	{ "resident", EIGHT, false, 8192, "" },
	{ "more than resident", EIGHT, false, 9000, "" },
	{ "allocated at once",
	  EIGHT "<memoryBacking><allocation mode='immediate'/></memoryBacking>", false, 0, "" },
	{ "allocated on demand",
	  EIGHT "<memoryBacking><allocation mode='ondemand'/></memoryBacking>", false, 8191,
	  "node 0 0 KiB pages: 0 MiB, node 2 0 KiB pages: 0 MiB" },
	{ "locked", EIGHT "<memoryBacking><locked/></memoryBacking>", false, 0, "" },
	{ "pinned for VFIO",
	  EIGHT
	  "<devices><hostdev type='pci'><source><address bus='1'/></source></hostdev></devices>",
	  false, 0, "" },
	{ "huge pages are there before it runs",
	  EIGHT "<memoryBacking><hugepages/></memoryBacking>", false, 100, "" },
	{ "starting, whatever is resident", EIGHT, true, 2048,
	  "node 0 0 KiB pages: 4096 MiB, node 2 0 KiB pages: 4096 MiB" },
	{ "starting, the kernel's huge pages", EIGHT "<memoryBacking><hugepages/></memoryBacking>",
	  true, 0, "node 0 2048 KiB pages: 4096 MiB, node 2 2048 KiB pages: 4096 MiB" },
	{ "starting, pinned, 1 GiB pages that do not come out even",
	  "<memory unit='KiB'>7340032</memory><memoryBacking><hugepages><page size='1048576' "
	  "unit='KiB'/></hugepages><allocation mode='immediate'/></memoryBacking>",
	  true, 0, "node 0 1048576 KiB pages: 4096 MiB, node 2 1048576 KiB pages: 4096 MiB" },
	{ "cells with nodes of their own",
	  EIGHT "<numatune><memory mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' "
		"nodeset='2'/></numatune><cpu><numa><cell id='0' memory='2097152' unit='KiB'/>"
		"<cell id='1' memory='6291456' unit='KiB'/></numa></cpu>",
	  false, 4096, "node 0 0 KiB pages: 1024 MiB, node 2 0 KiB pages: 3072 MiB" },
	{ "one cell of huge pages: the other alone can grow",
	  EIGHT
	  "<memoryBacking><hugepages><page size='2048' unit='KiB' nodeset='1'/></hugepages>"
	  "</memoryBacking><numatune><memnode cellid='0' mode='strict' nodeset='2'/></numatune>"
	  "<cpu><numa><cell id='0' memory='2' unit='GiB'/><cell id='1' memory='6' unit='GiB'/>"
	  "</numa></cpu>",
	  false, 512, "node 2 0 KiB pages: 1536 MiB" },
	{ "a page size for each cell, and one for the rest",
	  EIGHT
	  "<memoryBacking><hugepages><page size='1048576' unit='KiB' nodeset='0'/>"
	  "<page size='2048' unit='KiB'/><page size='4' unit='KiB' nodeset='2'/></hugepages>"
	  "</memoryBacking><numatune><memory mode='strict' nodeset='0'/></numatune>"
	  "<cpu><numa><cell id='0' memory='2' unit='GiB'/><cell id='1' memory='3' unit='GiB'/>"
	  "<cell id='2' memory='1' unit='GiB'/></numa></cpu>",
	  true, 0,
	  "node 0 1048576 KiB pages: 2048 MiB, node 0 2048 KiB pages: 3072 MiB, "
	  "node 0 0 KiB pages: 1024 MiB, node 0 1048576 KiB pages: 2048 MiB" },
	{ "cells larger than the whole",
	  EIGHT "<cpu><numa><cell id='0' memory='9' unit='GiB'/></numa></cpu>", true, 0,
	  "node 0 0 KiB pages: 4096 MiB, node 2 0 KiB pages: 4096 MiB" },
	{ "malformed nodes and sizes count as not written",
	  EIGHT
	  "<numatune><memory mode='strict' nodeset='0-99999'/><memnode cellid='0' "
	  "nodeset='x'/></numatune><cpu><numa><cell id='x' memory='-1' unit='KiB'/><cell id='1' "
	  "memory='1' unit='furlong'/></numa></cpu>",
	  true, 0, "node 0 0 KiB pages: 4096 MiB, node 2 0 KiB pages: 4096 MiB" },
};

static void promised_memory_is_taken(void **state)
{
	const struct example *example = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(text) char *xml = text_format(HEAD "%s</domain>", cases[i].xml);
		CLEANUP(guest) struct guest *guest = NULL;
		CLEANUP(fail) struct fail fail = { 0 };
		struct place_taken_memory *memory = NULL;
		CLEANUP(text) char *got = NULL;
		size_t count = 0;

		assert_int_equal(guest_parse(xml, &guest, &fail), 0);
		usage_memory_add(guest, cases[i].is_starting, cases[i].resident_mib * SIZE_MIB,
				 &example->machine, "holder", &memory, &count);
		got = shown(memory, count);
		if (strcmp(got, cases[i].taken) != 0)
			fail_msg("%s: %s", cases[i].about, got);
		for (size_t j = 0; j < count; j++)
			assert_string_equal(memory[j].holder, "holder");
		free(memory);
	}
}

/* libvirt's test driver says that half of <currentMemory> is resident. */
#define UUID "8d0c4fd1-2e43-4d1a-9a55-6f0e1b2c3d4e"
static const char node[] =
	"<node>"
	"<domain type='test'><name>grows</name><uuid>" UUID "</uuid>" EIGHT
	"<currentMemory unit='KiB'>4194304</currentMemory><vcpu cpuset='4-5'>2</vcpu>"
	"<cputune><emulatorpin cpuset='0-1'/></cputune>"
	"<numatune><memory mode='strict' nodeset='2'/></numatune>"
	"<os><type>hvm</type></os><devices><memballoon model='virtio'/></devices></domain>"
	"<domain type='test'><name>whole</name>" EIGHT
	"<memoryBacking><allocation mode='immediate'/></memoryBacking><vcpu>2</vcpu>"
	"<os><type>hvm</type></os></domain>"
	"<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>"
	"<name>off</name>" EIGHT "<vcpu cpuset='6'>1</vcpu><os><type>hvm</type></os>"
	"<test:runstate>5</test:runstate></domain>"
	"</node>";

static struct hv *open_test_driver(const struct example *example)
{
	CLEANUP(text) char *path = text_format("%s/node.xml", example->folder);
	CLEANUP(text) char *uri = text_format("test://%s", path);
	CLEANUP(file) FILE *file = fopen(path, "w");
	CLEANUP(fail) struct fail fail = { 0 };
	struct hv *hv = NULL;

	assert_non_null(file);
	assert_int_not_equal(fputs(node, file), EOF);
	assert_int_equal(fflush(file), 0);
	assert_works(hv_open(uri, HV_READ, &hv, &fail), &fail);
	return hv;
}

static struct usage *read_usage(const struct example *example, struct hv *hv, const char *except)
{
	const struct root live = { .dir = (char *)"/nonexistent", .live = true };
	struct usage *usage = NULL;
	CLEANUP(fail) struct fail fail = { 0 };

	assert_works(
		usage_read(hv, &live, example->folder, &example->machine, except, &usage, &fail),
		&fail);
	return usage;
}

static void active_domains_count_by_libvirts_numbers(void **state)
{
	const struct example *example = *state;
	CLEANUP(hv) struct hv *hv = open_test_driver(example);
	CLEANUP(usage) struct usage *usage = read_usage(example, hv, NULL);
	CLEANUP(usage) struct usage *other = read_usage(example, hv, "grows");
	CLEANUP(text) char *memory = shown(usage->memory, usage->memory_count);
	CLEANUP(text) char *cpus = NULL;

	assert_int_equal(usage->vm_count, 3);
	assert_string_equal(memory, "node 2 0 KiB pages: 6144 MiB");
	assert_string_equal(usage->memory[0].holder, "VM \"grows\" (not gpuvm's)");
	assert_int_equal(usage->cpus_count, 1);
	cpus = machine_cpus_format(usage->cpus[0].cpus);
	assert_string_equal(cpus, "4-5"); /* QEMU's own threads take none */
	assert_int_equal(other->memory_count, 0);
	assert_int_equal(other->cpus_count, 0);
}

static struct lease_claim *claim(const struct example *example, const char *uuid)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	char gpus[1][DEVICE_ADDRESS_BYTES] = { "0000:01:00.0" };
	struct lease_memory memory = { .node = 2, .bytes = 8 * SIZE_GIB };
	struct lease_record record = { .name = (char *)"grows",
				       .uuid = (char *)uuid,
				       .user = (char *)"alice",
				       .pid = getpid(),
				       .gpus = gpus,
				       .gpu_count = 1,
				       .cpus = hwloc_bitmap_alloc(),
				       .memory = &memory,
				       .memory_count = 1 };
	struct lease_claim *claim = NULL;

	assert_works(lease_open(example->folder, 1000, &gate, &fail), &fail);
	assert_works(lease_take(gate, &record, &claim, &fail), &fail);
	hwloc_bitmap_free(record.cpus);
	return claim;
}

/* The start has libvirt's domain already, and its memory is not to be counted for both. */
static void a_start_under_way_counts_once(void **state)
{
	const struct example *example = *state;
	CLEANUP(hv) struct hv *hv = open_test_driver(example);
	CLEANUP(lease_claim) struct lease_claim *own = claim(example, UUID);
	CLEANUP(usage) struct usage *usage = read_usage(example, hv, NULL);
	CLEANUP(text) char *memory = shown(usage->memory, usage->memory_count);

	assert_string_equal(memory, "node 2 0 KiB pages: 8192 MiB");
}

/* A name alone is anybody's. */
static void a_start_of_that_name_is_another(void **state)
{
	const struct example *example = *state;
	CLEANUP(hv) struct hv *hv = open_test_driver(example);
	CLEANUP(lease_claim)
	struct lease_claim *other = claim(example, "00000000-0000-4000-8000-000000000000");
	CLEANUP(usage) struct usage *usage = read_usage(example, hv, NULL);

	assert_int_equal(usage->memory_count, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(promised_memory_is_taken),
		TEST(active_domains_count_by_libvirts_numbers),
		TEST(a_start_under_way_counts_once),
		TEST(a_start_of_that_name_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
