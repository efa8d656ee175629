// SPDX-License-Identifier: MIT
#include "topo/health.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"
#include "vmm/link.h"

void check_power(const struct check *check, struct findings *findings)
{
	const char *address = check->gpu->device->address;
	CLEANUP(health) struct health *health = health_read(check->root, address);
	CLEANUP(text) char *source = health_path(address, "power_state");
	int64_t may_be_cold = root_number(check->root, -1, "/sys/bus/pci/devices/%s/d3cold_allowed",
					  address);
	const char *cold = may_be_cold == 0 ? ", and is kept from D3cold" : "";

	if (health->power_state == NULL)
		check_add(findings, FINDING_NOT_CHECKED, address, source,
			  mem_strdup("not told: a kernel before 5.12"), NULL);
	else if (text_equal(health->power_state, "D3cold"))
		check_add(
			findings, FINDING_WARNING, address, source,
			mem_strdup("it is in D3cold, without power"),
			text_format("if a start fails with \"stuck in D3\": sudo gpuvm setup-host "
				    "%s --awake",
				    address));
	else if (text_equal(health->power_state, "unknown") && check->gpu->device->driver == NULL)
		/* So until the kernel enables it for the first time (seen on Linux 6.12). */
		check_add(findings, FINDING_OK, address, source,
			  mem_strdup("not known yet: no driver has had it"), NULL);
	else if (text_equal(health->power_state, "unknown") ||
		 text_equal(health->power_state, "error"))
		check_add(findings, FINDING_WARNING, address, source,
			  text_format("it is \"%s\": the kernel cannot tell", health->power_state),
			  mem_strdup("see what the kernel says of it: sudo dmesg | grep -i pci"));
	else
		check_add(findings, FINDING_OK, address, source,
			  text_format("%s%s", health->power_state, cold), NULL);
}

/* What is wrong with a link keeps no VM from starting. */
static void judge_link(const struct check *check, enum link_measure which,
		       struct findings *findings)
{
	struct finding *row;

	link_judge(check->pcie, check->gpu, which, findings);
	row = &findings->rows[findings->count - 1];
	if (row->state == FINDING_FAILED)
		row->state = FINDING_WARNING;
}

void check_width(const struct check *check, struct findings *findings)
{
	judge_link(check, LINK_WIDTH, findings);
}

void check_speed(const struct check *check, struct findings *findings)
{
	judge_link(check, LINK_SPEED, findings);
}
