// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/launch_internal.h"

#define ENDED_TIMEOUT_MS 1000

int launch_look_at_host(struct launch *launch, struct fail *fail)
{
	if (host_read(launch->root, &launch->host, fail) < 0)
		return -1;
	return policy_read(launch->root, NULL, launch->host->machine, &launch->policy, fail);
}

/* The VM's, before its spec is known too. */
static const char *name_of(const struct launch *launch)
{
	return launch->by_path ? launch->spec->name : launch->target;
}

int launch_look_at_usage(struct launch *launch, struct fail *fail)
{
	if (usage_read(launch->hv, launch->root, launch->options.lease_directory,
		       launch->host->machine, name_of(launch), &launch->usage, fail) < 0)
		return -1;
	if (!launch->root->live && launch->usage->domains == NULL)
		launch->libvirt_unknown = mem_strdup("the host was read with --root");
	return 0;
}

static void forget(struct launch *launch)
{
	usage_free(STEAL(launch->usage));
	policy_free(STEAL(launch->policy));
	host_free(STEAL(launch->host));
}

int launch_look_at_ended(struct launch *launch, struct fail *fail)
{
	struct giveback_means means = { .uri = launch->options.uri,
					.lease_directory = launch->options.lease_directory };

	/* A plan changes nothing. */
	if (launch->gate != NULL) {
		means.hv = launch->hv;
		means.timeout_ms = ENDED_TIMEOUT_MS;
	}
	launch->boot = giveback_boot(launch->root);
	launch->aftermath = aftermath_check(launch->usage->domains, launch->root, &means,
					    name_of(launch));
	if (!launch->aftermath->has_changed)
		return 0;
	forget(launch);
	if (launch_look_at_host(launch, fail) < 0)
		return -1;
	return launch_look_at_usage(launch, fail);
}
