// SPDX-License-Identifier: MIT
/* What a domain says about its large BARs, on hosts of all widths. */
#include "vmm/mmio.h"

#include <string.h>

#include "tests/unit/hosts.h"
#include "tests/unit/samples.h"
#include "vmm/base/text.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define PACKAGE(name, version)                                                                     \
	"Package: " name "\\nStatus: install ok installed\\nVersion: " version "\\n\\n"
#define DEBIAN12                                                                                   \
	PACKAGE("libvirt-daemon-driver-qemu", "9.0.0-4") PACKAGE("ovmf", "2022.11-6+deb12u2")
#define DEBIAN13                                                                                   \
	PACKAGE("libvirt-daemon-driver-qemu", "11.3.0-3") PACKAGE("ovmf", "2025.02-8+deb13u1")
#define UNIT(number, cap) "sys/class/iommu/dmar" #number "/intel-iommu/cap\t" cap "\n"
#define IOMMU_39          UNIT(0, "d2008c40660462")
#define IOMMU_57          UNIT(0, "19ed008c40780c66")

struct world {
	const char *packages, *iommu;
	unsigned bits, gpus, bar_gib;
	uint64_t memory_gib;
	unsigned long libvirt; /* 0: the package's counts */
};

static struct root *root_of(const struct world *world)
{
	CLEANUP(text)
	char *lines = text_format("sys/\nvar/lib/dpkg/status\t%s\n%s", world->packages,
				  world->iommu);

	return hosts_write("mmio", lines);
}

/* GPUs of two functions with a large BAR each beside one of 32 MiB, in turns on two nodes. */
static struct sample *sample_of(const struct world *world)
{
	struct sample *sample = sample_new("mmio", "large BARs");

	sample_machine(sample, 2, 1, 16);
	sample->machine.phys_bits = world->bits;
	sample->machine.cpu_vendor = (char *)"GenuineIntel";
	sample->machine.has_1gib_pages = true;
	sample_cell(sample, 0, 2, 2, world->memory_gib * SIZE_GIB, 0);
	sample_cell(sample, 1, 18, 2, 0, 0);
	for (unsigned i = 0; i < world->gpus; i++) {
		CLEANUP(text) char *address = text_format("0000:%02x:00.0", 0x17 + i);
		struct device *device = sample_gpu(sample, address, (int)(i % 2));

		device->bars[0] = (struct device_bar){ 0, 16 * SIZE_MIB, true, false, false };
		device->bars[1] = (struct device_bar){ 0, world->bar_gib * SIZE_GIB, true, true,
						       true };
		device->bars[3] = (struct device_bar){ 0, 32 * SIZE_MIB, true, true, true };
		device->bars[5] = (struct device_bar){ 0, 128, false, false, false };
	}
	sample->spec.firmware_code = (char *)"/usr/share/OVMF/OVMF_CODE_4M.fd";
	sample->spec.firmware_vars = (char *)"/usr/share/OVMF/OVMF_VARS_4M.fd";
	return sample;
}

static struct mmio *judge(const struct world *world)
{
	CLEANUP(root) struct root *root = root_of(world);
	CLEANUP(sample) struct sample *sample = sample_of(world);

	return mmio_judge(sample_build(sample), root, world->libvirt);
}

static void only_what_is_needed_is_set(void **state)
{
	static const struct {
		const char *about;
		struct world world;
		enum mmio_verdict verdict;
		unsigned knob_mib, limit_bits;
		bool is_beyond_iommu;
	} cases[] = {
		/* 512 GiB of 42 bits hold one of 128 */
		{ "it fits", { DEBIAN12, IOMMU_57, 42, 1, 128, 8, 0 }, MMIO_FITS, 0, 0, false },
		/* two on two buses: virtio, 128 to 256 + 32M, 384 to 512 + 32M: 513 GiB */
		{ "two do not",
		  { DEBIAN12, IOMMU_57, 42, 2, 128, 8, 0 },
		  MMIO_FITS,
		  525312,
		  0,
		  false },
		/* 8: 4 on a bus end at 128 + 3 * 256 + 128 + 32M; from 1152: 2049 GiB, on a multiple of 2048 */
		{ "eight", { DEBIAN12, IOMMU_57, 43, 8, 128, 8, 0 }, MMIO_FITS, 2098176, 0, false },
		/* 2048 + 2049 is more than 42 bits */
		{ "too small",
		  { DEBIAN12, IOMMU_57, 42, 8, 128, 8, 0 },
		  MMIO_TOO_SMALL,
		  0,
		  0,
		  false },
		{ "unknown firmware",
		  { PACKAGE("ovmf", "x"), IOMMU_57, 46, 1, 128, 8, 0 },
		  MMIO_FITS,
		  263168,
		  0,
		  false },
		{ "no GPU's BAR is large",
		  { PACKAGE("ovmf", "x"), "", 46, 1, 0, 8, 0 },
		  MMIO_FITS,
		  0,
		  0,
		  false },
		{ "unknown width", { DEBIAN12, "", 0, 1, 128, 8, 0 }, MMIO_UNKNOWN, 0, 0, false },
		{ "absurd width", { DEBIAN12, "", 999, 1, 128, 8, 0 }, MMIO_UNKNOWN, 0, 0, false },
		{ "absurdly small", { DEBIAN12, "", 31, 1, 128, 8, 0 }, MMIO_UNKNOWN, 0, 0, false },

		/* an i9 of 46 bits whose VT-d maps 39: 64 GiB of 39 bits hold 16 at 464, 32 + 32M not */
		{ "a limit does it",
		  { DEBIAN13, IOMMU_39, 46, 1, 16, 8, 0 },
		  MMIO_FITS,
		  0,
		  39,
		  false },
		{ "a lone one needs none that costs a knob",
		  { DEBIAN13, IOMMU_39, 46, 1, 32, 8, 0 },
		  MMIO_FITS,
		  0,
		  0,
		  true },
		/* two, on two buses: virtio, 32 to 64 + 32M, 96 to 128 + 32M: 129 GiB */
		{ "two reach each other",
		  { DEBIAN13, IOMMU_39, 46, 2, 32, 8, 0 },
		  MMIO_FITS,
		  132096,
		  39,
		  false },
		/* 512 + 32M after 128: from 512 on it would end above 512 */
		{ "a limit would leave no room",
		  { DEBIAN13, IOMMU_39, 46, 2, 128, 8, 0 },
		  MMIO_FITS,
		  0,
		  0,
		  true },
		{ "libvirt has no limit",
		  { DEBIAN12, IOMMU_39, 46, 2, 32, 8, 0 },
		  MMIO_FITS,
		  0,
		  0,
		  true },
		{ "the daemon counts, not the package",
		  { DEBIAN13, IOMMU_39, 46, 2, 32, 8, 9002000 },
		  MMIO_FITS,
		  0,
		  0,
		  true },
		{ "the daemon has it",
		  { DEBIAN12, IOMMU_39, 46, 1, 16, 8, 9003000 },
		  MMIO_FITS,
		  0,
		  39,
		  false },
		{ "the smallest unit counts",
		  { DEBIAN13, IOMMU_57 UNIT(1, "d2008c40660462"), 46, 1, 16, 8, 0 },
		  MMIO_FITS,
		  0,
		  39,
		  false },
		{ "no unit that says",
		  { DEBIAN13, UNIT(0, "0x") UNIT(1, "") UNIT(2, "1e0000") UNIT(3, "-260000"), 46, 1,
		    16, 8, 0 },
		  MMIO_FITS,
		  0,
		  0,
		  false },

		/* 478 GiB end at 480, and QEMU wants 32 above; VT-d of 39 bits maps 512 */
		{ "the most memory",
		  { DEBIAN12, IOMMU_57, 39, 1, 0, 478, 0 },
		  MMIO_FITS,
		  0,
		  0,
		  false },
		{ "more memory",
		  { DEBIAN12, IOMMU_57, 39, 1, 0, 479, 0 },
		  MMIO_MEMORY_HIGH,
		  0,
		  0,
		  false },
		{ "more than the IOMMU maps",
		  { DEBIAN12, IOMMU_39, 46, 1, 0, 511, 0 },
		  MMIO_MEMORY_HIGH,
		  0,
		  0,
		  false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(mmio) struct mmio *mmio = judge(&cases[i].world);

		if (mmio->verdict != cases[i].verdict || mmio->knob_mib != cases[i].knob_mib ||
		    mmio->limit_bits != cases[i].limit_bits ||
		    mmio->is_beyond_iommu != cases[i].is_beyond_iommu)
			fail_msg("%s: verdict %d, knob %u, limit %u, beyond %d", cases[i].about,
				 mmio->verdict, mmio->knob_mib, mmio->limit_bits,
				 mmio->is_beyond_iommu);
		assert_true(mmio->verdict != MMIO_FITS || mmio->window.fits);
	}
}

static void a_refusal_has_the_numbers_and_a_way_out(void **state)
{
	static const struct {
		struct world world;
		const char *what, *cause, *hint;
	} cases[] = {
		{ { DEBIAN12, IOMMU_57, 41, 8, 128, 8, 0 },
		  "2049 GiB",
		  "OVMF 2022.11 (ovmf 2022.11-6+deb12u2) gives 256 GiB with the CPU's 41 address bits "
		  "and 8 GiB of memory",
		  "[gpu] count" },
		{ { PACKAGE("ovmf", "x"), IOMMU_57, 40, 4, 256, 8, 0 },
		  "2049 GiB",
		  "an OVMF of unknown version gives 32 GiB",
		  "uefi = auto" },
		{ { DEBIAN12, IOMMU_57, 39, 1, 0, 479, 0 },
		  "[vm] memory = 479 GiB",
		  "the CPU has 39 address bits (/proc/cpuinfo, address sizes)",
		  "[vm] memory" },
		{ { DEBIAN12, IOMMU_39, 46, 1, 0, 511, 0 },
		  "[vm] memory = 511 GiB",
		  "the IOMMU maps 39 address bits (/sys/class/iommu/*/intel-iommu/cap)",
		  "[vm] memory" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(mmio) struct mmio *mmio = judge(&cases[i].world);
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(mmio_check(mmio, &fail), -1);
		assert_int_equal(fail.kind, FAIL_HOST);
		if (strstr(fail.items[0].what, cases[i].what) == NULL ||
		    strstr(fail.items[0].cause, cases[i].cause) == NULL ||
		    strstr(fail.items[0].hint, cases[i].hint) == NULL)
			fail_msg("%s\n%s\n%s", fail.items[0].what, fail.items[0].cause,
				 fail.items[0].hint);
	}
}

static void what_fits_or_is_unknown_is_let_through(void **state)
{
	static const struct world worlds[] = {
		{ DEBIAN12, IOMMU_57, 43, 8, 128, 8, 0 },
		{ DEBIAN12, "", 0, 8, 128, 8, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(worlds); i++) {
		CLEANUP(mmio) struct mmio *mmio = judge(&worlds[i]);
		CLEANUP(fail) struct fail fail = { 0 };

		assert_int_equal(mmio_check(mmio, &fail), 0);
		assert_int_equal(fail.kind, FAIL_NONE);
	}
}

/* What OVMF finds is what the domain has: an extra disk is a port more, and a held function none. */
static void the_domain_is_what_counts(void **state)
{
	const struct world world = { DEBIAN12, IOMMU_57, 39, 1, 32, 8, 0 };
	CLEANUP(root) struct root *root = root_of(&world);
	CLEANUP(sample) struct sample *sample = sample_of(&world);
	CLEANUP(sample) struct sample *held = sample_of(&world);
	CLEANUP(mmio) struct mmio *mmio = NULL;
	CLEANUP(mmio) struct mmio *with_held = NULL;
	struct device *device;

	(void)state;
	/* the guest's network, agent and disk are 3 MiB; the GPU after them: 64 GiB + 32 MiB */
	mmio = mmio_judge(sample_build(sample), root, 0);
	assert_true(mmio->need.bytes == 64 * SIZE_GIB + 32 * SIZE_MIB);
	assert_true(mmio->need.alignment_bytes == 32 * SIZE_GIB);

	device = sample_device(held, "0000:18:00.0", NULL);
	device->bars[0] = (struct device_bar){ 0, 64 * SIZE_GIB, true, true, true };
	sample_member(held, 0, device, GPU_MEMBER_HELD);
	device = sample_device(held, "0000:17:00.1", NULL);
	device->bars[0] = (struct device_bar){ 0, 64 * SIZE_MIB, true, true, true };
	sample_member(held, 0, device, GPU_MEMBER_FUNCTION);
	with_held = mmio_judge(sample_build(held), root, 0);
	assert_true(with_held->need.bytes == 64 * SIZE_GIB + 96 * SIZE_MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_needed_is_set),
		cmocka_unit_test(a_refusal_has_the_numbers_and_a_way_out),
		cmocka_unit_test(what_fits_or_is_unknown_is_let_through),
		cmocka_unit_test(the_domain_is_what_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
