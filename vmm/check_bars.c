// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "topo/rebar.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"

static char *bars_format(const struct device *device, bool is_assigned)
{
	char *all = NULL;

	for (int i = 0; i < DEVICE_BARS; i++) {
		const struct device_bar *bar = &device->bars[i];
		CLEANUP(text) char *size = size_format(bar->size_bytes);

		if (bar->size_bytes > 0 && bar->is_memory && (bar->address != 0) == is_assigned)
			text_add(&all, "%sBAR %d of %s", all == NULL ? "" : ", ", i, size);
	}
	return all;
}

void check_bars(const struct check *check, struct findings *findings)
{
	const struct device *device = check->gpu->device;
	CLEANUP(text)
	char *source = text_format("/sys/bus/pci/devices/%s/resource", device->address);
	char *assigned = bars_format(device, true);
	CLEANUP(text) char *missing = bars_format(device, false);

	if (missing != NULL) {
		check_add(findings, FINDING_FAILED, device->address, source,
			  text_format("without address: %s", missing),
			  mem_strdup("enable Above 4G Decoding (and raise MMIO High Size, if there "
				     "is one) in the firmware's setup, or add pci=realloc to the "
				     "kernel's command line, and reboot"));
		text_cleanup(&assigned);
		return;
	}
	check_add(findings, FINDING_OK, device->address, source,
		  assigned == NULL ? mem_strdup("it has none") : assigned, NULL);
}

/* The largest memory BAR, whose size is what matters; -1: none. */
static int largest_bar(const struct device *device)
{
	int largest = -1;

	for (int i = 0; i < DEVICE_BARS; i++)
		if (device->bars[i].is_memory && device->bars[i].size_bytes > 0 &&
		    (largest < 0 || device->bars[i].size_bytes > device->bars[largest].size_bytes))
			largest = i;
	return largest;
}

/* The number that resourceN_resize wants for @bytes. */
static int bit_of(uint64_t bytes)
{
	int bit = 0;

	while ((SIZE_MIB << bit) < bytes)
		bit++;
	return bit;
}

static void judge_sizes(const struct device *device, int bar, const struct rebar *rebar,
			struct findings *findings)
{
	uint64_t now = device->bars[bar].size_bytes;
	uint64_t most = rebar_largest(rebar);
	CLEANUP(text) char *shown = size_format(now);
	CLEANUP(text) char *largest = size_format(most);

	if (most <= now)
		check_add(findings, FINDING_OK, device->address, rebar->source,
			  text_format("BAR %d is %s, the largest that it can be", bar, shown),
			  NULL);
	else
		check_add(findings, FINDING_WARNING, device->address, rebar->source,
			  text_format("BAR %d is %s, and could be %s", bar, shown, largest),
			  text_format("enable Resizable BAR in the firmware's setup; or, while no "
				      "driver has it: echo %d | sudo tee "
				      "/sys/bus/pci/devices/%s/resource%d_resize",
				      bit_of(most), device->address, bar));
}

/* Kernels that have resourceN_resize give it only to functions that can be resized. */
static bool tells_by_absence(const struct check *check)
{
	CLEANUP(text) char *release = root_text(check->root, "/proc/sys/kernel/osrelease");
	unsigned major = 0;
	unsigned minor = 0;

	return release != NULL && sscanf(release, "%4u.%4u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 1));
}

void check_rebar(const struct check *check, struct findings *findings)
{
	const struct device *device = check->gpu->device;
	int bar = largest_bar(device);
	struct rebar rebar = { .state = REBAR_NONE };

	if (bar >= 0)
		rebar = rebar_read(check->root, device, bar);
	if (rebar.state == REBAR_SIZES)
		judge_sizes(device, bar, &rebar, findings);
	else if (rebar.state == REBAR_NONE || tells_by_absence(check))
		check_add(findings, FINDING_OK, device->address, bar < 0 ? NULL : rebar.source,
			  mem_strdup("its BARs have one size only"), NULL);
	else
		check_add(findings, FINDING_NOT_CHECKED, device->address, rebar.source,
			  mem_strdup("only root may read it on this kernel"),
			  text_format("sudo gpuvm check %s", device->address));
}
