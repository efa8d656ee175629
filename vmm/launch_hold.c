// SPDX-License-Identifier: MIT
#include "vmm/held.h"
#include "vmm/launch_internal.h"
#include "vmm/record.h"

int launch_hold_take_over(struct launch *launch, struct fail *fail)
{
	(void)fail;
	held_take_over(launch->root, launch->hv, launch->options.lease_directory,
		       &launch->taken_over);
	return 0;
}

int launch_hold_check(struct launch *launch, struct fail *fail)
{
	return record_check(launch->root, fail);
}

static struct held_start start_of(const struct launch *launch)
{
	return (struct held_start){ .root = launch->root,
				    .spec = launch->spec,
				    .placement = launch->placement,
				    .records = launch->usage->records,
				    .uuid = launch->uuid,
				    .user = launch->domain->identity.user,
				    .uid = launch->domain->identity.uid };
}

int launch_hold_begin(struct launch *launch, struct fail *fail)
{
	struct held_start start = start_of(launch);

	return held_begin(&start, fail);
}

void launch_hold_undo(struct launch *launch, struct fail *fail)
{
	struct held_start start = start_of(launch);
	bool is_active = false;

	(void)fail;
	if (launch_undo_ask(launch, &is_active) == 0 && !is_active)
		held_take_back(&start);
}

int launch_hold_settle(struct launch *launch, struct fail *fail)
{
	struct held_start start = start_of(launch);

	(void)fail;
	held_settle(&start);
	return 0;
}
