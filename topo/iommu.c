// SPDX-License-Identifier: MIT
#include "topo/iommu.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define GROUPS "/sys/kernel/iommu_groups"
#define UNITS  "/sys/class/iommu"
#define TABLES "/sys/firmware/acpi/tables"

/* Where MGAW is in the register, one less than the width. */
#define MGAW_SHIFT 16
#define MGAW_MASK  0x3f

/* Less than all of 32-bit DMA would be no IOMMU for VMs, but a wrong file. */
#define LEAST_BITS 32

static size_t count_groups(const struct root *root)
{
	CLEANUP(root_names) char **names = root_names(root, GROUPS);
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	return count;
}

/* The argument that switches the IOMMU off, or NULL. */
static const struct cmdline_argument *switched_off(const struct cmdline *cmdline, bool is_amd)
{
	static const char *const keys[2][3] = { { "intel_iommu", "iommu", NULL },
						{ "amd_iommu", "iommu", NULL } };

	for (const char *const *key = keys[is_amd]; *key != NULL; key++) {
		const struct cmdline_argument *last = cmdline_last(cmdline, *key, NULL);

		if (last != NULL && last->value != NULL && text_starts(last->value, "off"))
			return last;
	}
	return NULL;
}

/* The running kernel's configuration, or NULL. The caller frees. */
static char *config_of(const struct root *root)
{
	CLEANUP(text) char *release = root_text(root, "/proc/sys/kernel/osrelease");

	if (release == NULL || strchr(release, '/') != NULL)
		return NULL;
	return root_bytes(root, NULL, "/boot/config-%s", release);
}

/* AMD-Vi always is used. */
static bool is_default(const struct iommu *iommu, const char *config)
{
	return iommu->is_amd ||
	       (config != NULL &&
		(strstr(config, "\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y") != NULL ||
		 strstr(config, "\nCONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y") != NULL));
}

static enum iommu_state judge(const struct iommu *iommu, const struct cmdline *cmdline,
			      const char *config)
{
	if (iommu->group_count > 0)
		return IOMMU_ON;
	if (!iommu->has_table)
		return IOMMU_OFF_IN_FIRMWARE;
	if (iommu->argument != NULL)
		return IOMMU_OFF_BY_ARGUMENT;
	if (!iommu->is_default && !cmdline_has(cmdline, "intel_iommu", "on") && config != NULL &&
	    strstr(config, "CONFIG_INTEL_IOMMU=y") != NULL)
		return IOMMU_OFF_BY_DEFAULT;
	return IOMMU_OFF_IN_THE_KERNEL;
}

/* @is_asked: the command line has intel_iommu=on already. */
static char *hint_of(const struct iommu *iommu, bool is_asked)
{
	switch (iommu->state) {
	case IOMMU_OFF_IN_FIRMWARE:
		return mem_strdup(
			iommu->is_amd ? "enable IOMMU (AMD-Vi) in the firmware's setup and reboot"
				      : "enable VT-d in the firmware's setup, add "
					"intel_iommu=on to the kernel's command line, and "
					"reboot");
	case IOMMU_OFF_BY_ARGUMENT:
		return text_format("remove %s from the kernel's command line%s and reboot",
				   iommu->argument, iommu->is_amd ? "" : ", add intel_iommu=on");
	case IOMMU_OFF_IN_THE_KERNEL:
		if (iommu->is_amd || is_asked)
			return text_format("see why: sudo dmesg | grep -i %s",
					   iommu->is_amd ? "AMD-Vi" : "DMAR");
		return mem_strdup("add intel_iommu=on to the kernel's command line and reboot");
	case IOMMU_ON:
	case IOMMU_OFF_BY_DEFAULT:
		return mem_strdup(
			iommu->is_amd
				? "remove amd_iommu=off and iommu=off from the kernel's command "
				  "line and reboot"
				: "add intel_iommu=on to the kernel's command line and reboot");
	}
	return NULL;
}

/* Of one unit; 0: it does not say. The file holds hexadecimal digits without 0x. */
static unsigned bits_of(const struct root *root, const char *path)
{
	CLEANUP(text) char *text = root_text(root, "%s", path);
	unsigned bits;

	if (text == NULL || *text == '\0' || strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		return 0;
	bits = (unsigned)(strtoull(text, NULL, 16) >> MGAW_SHIFT & MGAW_MASK) + 1;
	return bits < LEAST_BITS ? 0 : bits;
}

unsigned iommu_address_bits(const struct root *root, char **ret_source)
{
	CLEANUP(root_names) char **units = root_names(root, UNITS);
	CLEANUP(text) char *source = NULL;
	unsigned least = 0;

	for (char **unit = units; *unit != NULL; unit++) {
		CLEANUP(text) char *path = text_format(UNITS "/%s/intel-iommu/cap", *unit);
		unsigned bits = bits_of(root, path);

		if (bits == 0 || (least != 0 && bits >= least))
			continue;
		least = bits;
		free(source);
		source = STEAL(path);
	}
	if (ret_source != NULL)
		*ret_source = STEAL(source);
	return least;
}

struct iommu *iommu_read(const struct root *root, const struct cmdline *cmdline)
{
	struct iommu *iommu = mem_alloc(1, sizeof *iommu);
	CLEANUP(text) char *cpuinfo = root_text(root, "/proc/cpuinfo");
	CLEANUP(text) char *config = config_of(root);
	const struct cmdline_argument *off;

	iommu->has_table = true;
	if (root_exists(root, TABLES "/IVRS")) {
		iommu->is_amd = true;
	} else if (!root_exists(root, TABLES "/DMAR")) {
		iommu->has_table = false;
		iommu->is_amd = cpuinfo != NULL && strstr(cpuinfo, "AuthenticAMD") != NULL;
	}
	iommu->table = iommu->is_amd ? "IVRS" : "DMAR";
	iommu->is_default = is_default(iommu, config);
	iommu->group_count = count_groups(root);
	off = switched_off(cmdline, iommu->is_amd);
	iommu->argument = off == NULL ? NULL : mem_strdup(off->word);
	iommu->state = judge(iommu, cmdline, config);
	iommu->hint = hint_of(iommu, cmdline_has(cmdline, "intel_iommu", "on"));
	iommu->width_bits = iommu_address_bits(root, &iommu->width_source);
	return iommu;
}

void iommu_free(struct iommu *iommu)
{
	if (iommu == NULL)
		return;
	free(iommu->argument);
	free(iommu->hint);
	free(iommu->width_source);
	free(iommu);
}
