// SPDX-License-Identifier: MIT
/* All GPUs in short, and what the stages of a start would refuse a VM for. */
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

/* The findings that warn: "driver, link-speed"; NULL: none. */
static char *warnings_of(const struct findings *findings)
{
	char *all = NULL;

	for (size_t i = 0; i < findings->count; i++)
		if (findings->rows[i].state == FINDING_WARNING)
			text_join(&all, ", ", findings->rows[i].check);
	return all;
}

/* Whether a VM could have it. */
static bool judge_offered(const struct check *check, const struct gpu *gpu,
			  struct findings *findings)
{
	CLEANUP(findings) struct findings *one = findings_begin(NULL);
	const struct finding *failed;
	CLEANUP(text) char *title = device_title(gpu->device);
	CLEANUP(text) char *warnings = NULL;

	check_one_gpu(check, gpu, one);
	failed = findings_first(one, FINDING_FAILED);
	warnings = warnings_of(one);
	if (failed != NULL)
		check_add(findings, FINDING_WARNING, gpu->device->address, failed->source,
			  text_format("%s: %s: %s", title, failed->check, failed->found),
			  text_format("gpuvm check %s", gpu->device->address));
	else
		check_add(findings, FINDING_OK, gpu->device->address, "/sys/bus/pci/devices",
			  warnings == NULL ? text_format("%s, without a warning", title)
					   : text_format("%s, with warnings: %s", title, warnings),
			  text_format("gpuvm check %s", gpu->device->address));
	return failed == NULL;
}

/* Those that words never choose are told by the reason, and nothing is expected of them; virtual functions by their
 * physical one. */
static bool judge_gpu(const struct check *check, const struct gpu *gpu, struct findings *findings)
{
	bool is_lost = gpu->offer == GPU_NO_IOMMU_GROUP || gpu->offer == GPU_GROUP_NOT_VIABLE;

	if (gpu->offer == GPU_OFFERED)
		return judge_offered(check, gpu, findings);
	if (gpu->offer != GPU_VIRTUAL_FUNCTION)
		check_add(findings, is_lost ? FINDING_WARNING : FINDING_OK, gpu->device->address,
			  "/sys/bus/pci/devices", text_format("not for VMs: %s", gpu->offer_reason),
			  text_format("gpuvm check %s", gpu->device->address));
	return false;
}

void check_gpus(const struct check *check, struct findings *findings)
{
	size_t before = findings->count;
	bool is_one_fit = false;

	for (size_t i = 0; i < check->host->gpus->count; i++)
		is_one_fit = judge_gpu(check, &check->host->gpus->gpus[i], findings) || is_one_fit;
	if (!is_one_fit)
		check_add(findings, FINDING_FAILED, NULL, "/sys/bus/pci/devices",
			  findings->count == before
				  ? mem_strdup("this host has no GPU (PCI class 03 or 12)")
				  : mem_strdup("none of them can be given to a VM as it is"),
			  findings->count == before ? mem_strdup("lspci -nn")
						    : mem_strdup("gpuvm gpus"));
}

/* What @id's stage would refuse; else whether it was looked at. */
static void judge_stage(const struct check *check, const char *id, const char *fine,
			struct findings *findings)
{
	size_t before = findings->count;

	for (size_t i = 0; i < check->vm->refusal_count; i++)
		if (text_equal(check->vm->refusals[i].items[0].finding, id))
			check_add_fail(findings, NULL, NULL, &check->vm->refusals[i]);
	if (findings->count > before)
		return;
	if (check->vm->is_whole)
		check_add(findings, FINDING_OK, NULL, NULL, mem_strdup(fine), NULL);
	else
		check_add(findings, FINDING_NOT_CHECKED, NULL, NULL,
			  check->root->live ? mem_strdup("the plan did not come so far")
					    : mem_strdup("it is seen on the host alone"),
			  NULL);
}

void check_owner(const struct check *check, struct findings *findings)
{
	judge_stage(check, "owner", "its name is free, or yours already", findings);
}

void check_placement(const struct check *check, struct findings *findings)
{
	const struct placement *placement = check->vm->placement;
	size_t before = findings->count;
	char *fine = NULL;

	for (size_t i = 0; i < check->vm->refusal_count; i++)
		if (text_equal(check->vm->refusals[i].items[0].finding, "placement"))
			check_add_fail(findings, NULL, NULL, &check->vm->refusals[i]);
	if (findings->count > before)
		return;
	if (placement == NULL) {
		check_add(findings, FINDING_NOT_CHECKED, NULL, NULL,
			  mem_strdup("something before it failed"), NULL);
		return;
	}
	for (size_t i = 0; i < placement->gpu_count; i++)
		text_add(&fine, "%s%s", i == 0 ? "" : ", ",
			 placement->gpus[i].gpu->device->address);
	text_add(&fine, "; %zu vCPUs in %zu cell%s", placement->vcpu_count, placement->cell_count,
		 placement->cell_count == 1 ? "" : "s");
	check_add(findings, FINDING_OK, NULL, NULL, fine, NULL);
}

/* Of what is not a whole number of GiB the next one. */
static char *gib_format(uint64_t bytes)
{
	return size_format((bytes + SIZE_GIB - 1) / SIZE_GIB * SIZE_GIB);
}

static char *window_words(const struct mmio *mmio)
{
	CLEANUP(text) char *need = gib_format(mmio->need.bytes);
	CLEANUP(text) char *size = gib_format(mmio->window.size_bytes);
	CLEANUP(text) char *firmware = mmio_firmware(mmio);
	char *words = text_format("they need %s of addresses, %s gives %s", need, firmware, size);

	if (mmio->knob_mib != 0)
		text_add(&words, " with %s = %u, which start sets", WINDOW_KNOB, mmio->knob_mib);
	if (mmio->limit_bits != 0)
		text_add(&words, " in the %u address bits that start limits the guest to",
			 mmio->limit_bits);
	if (mmio->is_beyond_iommu)
		text_add(&words, ", of which a part is above the %u bits that the IOMMU maps",
			 mmio->iommu_bits);
	return words;
}

void check_mmio_window(const struct check *check, struct findings *findings)
{
	const struct mmio *mmio = check->vm->mmio;
	CLEANUP(fail) struct fail refusal = { 0 };

	if (mmio == NULL)
		check_add(findings, FINDING_NOT_CHECKED, NULL, NULL,
			  mem_strdup("the plan did not come so far"), NULL);
	else if (mmio_check(mmio, &refusal) < 0)
		check_add_fail(findings, NULL, NULL, &refusal);
	else if (mmio->verdict == MMIO_UNKNOWN)
		check_add(findings, FINDING_NOT_CHECKED, NULL, "/proc/cpuinfo",
			  mem_strdup("the host does not tell how many bits its addresses have"),
			  NULL);
	else
		check_add(findings, mmio->is_beyond_iommu ? FINDING_WARNING : FINDING_OK, NULL,
			  NULL, window_words(mmio),
			  mmio->is_beyond_iommu
				  ? mem_strdup("nothing, if the VM's devices need not "
					       "reach each other directly; libvirt "
					       "9.3 can limit the guest's addresses")
				  : NULL);
}

void check_disks(const struct check *check, struct findings *findings)
{
	judge_stage(check, "disks", "they can", findings);
}

void check_first_boot(const struct check *check, struct findings *findings)
{
	judge_stage(check, "first-boot",
		    check->vm->spec->cloud_init.is_written ? "it can" : "nothing is asked for",
		    findings);
}

void check_network(const struct check *check, struct findings *findings)
{
	judge_stage(check, "network", "it is", findings);
}

void check_shares(const struct check *check, struct findings *findings)
{
	judge_stage(check, "shares", check->vm->spec->share_count > 0 ? "they can" : "none are",
		    findings);
}
