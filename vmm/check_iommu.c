// SPDX-License-Identifier: MIT
#include "topo/safety.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

#define GROUPS     "/sys/kernel/iommu_groups"
#define INTERRUPTS "/proc/interrupts"

static const char *name_of(const struct iommu *iommu)
{
	return iommu->is_amd ? "AMD-Vi" : "VT-d";
}

void check_iommu(const struct check *check, struct findings *findings)
{
	const struct iommu *iommu = check->iommu;
	CLEANUP(text) char *table = text_format("/sys/firmware/acpi/tables/%s", iommu->table);
	char *found = NULL;

	switch (iommu->state) {
	case IOMMU_ON:
		check_add(findings, FINDING_OK, NULL, GROUPS,
			  text_format("%s, %zu groups", name_of(iommu), iommu->group_count), NULL);
		return;
	case IOMMU_OFF_IN_FIRMWARE:
		found = text_format("%s is off in the firmware's setup: there is no table %s",
				    name_of(iommu), iommu->table);
		break;
	case IOMMU_OFF_BY_ARGUMENT:
		found = text_format("the firmware has %s, but the kernel was booted with %s",
				    name_of(iommu), iommu->argument);
		break;
	case IOMMU_OFF_BY_DEFAULT:
		found = text_format(
			"the firmware has %s, but this kernel leaves it off unless it is "
			"booted with intel_iommu=on (CONFIG_INTEL_IOMMU_DEFAULT_ON)",
			name_of(iommu));
		break;
	case IOMMU_OFF_IN_THE_KERNEL:
		found = text_format(
			"the firmware has %s (table %s), but the kernel does not use it",
			name_of(iommu), iommu->table);
		break;
	}
	check_add(findings, FINDING_FAILED, NULL,
		  iommu->state == IOMMU_OFF_IN_FIRMWARE   ? table
		  : iommu->state == IOMMU_OFF_BY_ARGUMENT ? CMDLINE_FILE
							  : GROUPS,
		  found, mem_strdup(iommu->hint));
}

void check_interrupts(const struct check *check, struct findings *findings)
{
	switch (safety_interrupts(check->root)) {
	case SAFETY_REMAPPED:
		check_add(findings, FINDING_OK, NULL, INTERRUPTS,
			  mem_strdup("chips are marked IR-"), NULL);
		return;
	case SAFETY_UNSAFE_ALLOWED:
		check_add(findings, FINDING_WARNING, NULL,
			  "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
			  mem_strdup("they are not, and VFIO was told to go on all the same"),
			  mem_strdup("run only guests that you trust with the host; or enable "
				     "interrupt remapping in the firmware's setup"));
		return;
	case SAFETY_NO_REMAPPING:
		check_add(
			findings, FINDING_FAILED, NULL, "/sys/class/iommu/*/intel-iommu/ecap",
			mem_strdup("this IOMMU cannot (bit 3 is 0)"),
			mem_strdup("use a machine whose IOMMU can, or update this one's firmware"));
		return;
	case SAFETY_NOT_REMAPPED:
		check_add(findings, FINDING_FAILED, NULL, INTERRUPTS,
			  mem_strdup("no line is marked IR-"),
			  mem_strdup("enable interrupt remapping (x2APIC) in the firmware's setup, "
				     "take intremap=off and nox2apic off the kernel's command line "
				     "if they are there, and reboot"));
		return;
	case SAFETY_NOT_KNOWN:
		check_add(findings, FINDING_NOT_CHECKED, NULL, INTERRUPTS,
			  mem_strdup("it cannot be read, or names no chip that tells"), NULL);
		return;
	}
}

/* What merges or splits groups against what the hardware says. */
static const struct {
	const char *key, *value; /* NULL: whatever it says */
	const char *says;
} loosened[] = {
	{ "pcie_acs_override", NULL, "splits groups that the hardware does not isolate" },
	{ "pci", "disable_acs_redir", "lets devices reach each other past the IOMMU" },
	{ "pci", "config_acs", "changes what devices may reach past the IOMMU" },
	{ "vfio", "enable_unsafe_noiommu_mode", "gives devices away without any IOMMU" },
	{ "vfio.enable_unsafe_noiommu_mode", NULL, "gives devices away without any IOMMU" },
};

static const struct cmdline_argument *find_loosened(const struct check *check, size_t row)
{
	const struct cmdline_argument *argument = NULL;

	while ((argument = cmdline_last(check->cmdline, loosened[row].key, argument)) != NULL)
		if (loosened[row].value == NULL ||
		    (argument->value != NULL &&
		     text_contains(argument->value, loosened[row].value)))
			return argument;
	return NULL;
}

void check_acs(const struct check *check, struct findings *findings)
{
	size_t before = findings->count;

	if (!check->cmdline->is_known) {
		check_add_unread(findings, CMDLINE_FILE);
		return;
	}
	for (size_t i = 0; i < sizeof loosened / sizeof *loosened; i++) {
		const struct cmdline_argument *argument = find_loosened(check, i);

		if (argument != NULL)
			check_add(
				findings, FINDING_WARNING, NULL, CMDLINE_FILE,
				text_format("%s %s", argument->word, loosened[i].says),
				text_format("take %s off the kernel's command line and reboot; a "
					    "GPU whose group then is too large belongs in another "
					    "slot",
					    argument->word));
	}
	if (findings->count == before)
		check_add(findings, FINDING_OK, NULL, CMDLINE_FILE,
			  mem_strdup("no argument changes them"), NULL);
}

void check_iommu_width(const struct check *check, struct findings *findings)
{
	unsigned iommu = check->iommu->width_bits;
	unsigned cpu = check->host->machine->phys_bits;
	const char *source = check->iommu->width_source;

	if (iommu == 0 || cpu == 0)
		check_add(findings, FINDING_NOT_CHECKED, NULL, "/sys/class/iommu",
			  iommu == 0
				  ? mem_strdup("only Intel's IOMMUs tell their width, while they "
					       "are on")
				  : mem_strdup("the CPU's address bits are not known"),
			  NULL);
	else if (iommu >= cpu)
		check_add(findings, FINDING_OK, NULL, source,
			  text_format("%u bits, the CPU has %u", iommu, cpu), NULL);
	else
		check_add(
			findings, FINDING_WARNING, NULL, source,
			text_format("%u bits, the CPU has %u", iommu, cpu),
			text_format("keep guests within %u bits: gpuvm check SPEC tells whether a "
				    "VM's BARs fit; a firmware update may widen it",
				    iommu));
}
