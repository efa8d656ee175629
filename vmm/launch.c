// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "vmm/absent.h"
#include "vmm/base/clock.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"
#include "vmm/launch_internal.h"
#include "vmm/lease.h"
#include "vmm/preflight.h"
#include "vmm/share.h"

/* One stage of a launch. */
struct step {
	const char *name;
	const char *says; /* what people read meanwhile; NULL: too short to be told */
	int (*run)(struct launch *launch, struct fail *fail);
	/* After it or a later one failed, which @fail says; NULL: nothing is to be undone. */
	void (*undo)(struct launch *launch, struct fail *fail);
};

const char *launch_uri(const struct launch *launch)
{
	return launch->options.uri == NULL ? HV_URI_DEFAULT : launch->options.uri;
}

/* RFC 4122, version 4. */
static char *new_uuid(void)
{
	unsigned char b[16];

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		abort();
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	return text_format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
			   b[12], b[13], b[14], b[15]);
}

static int open_root(struct launch *launch, struct fail *fail)
{
	return root_open(launch->options.root_directory, &launch->root, fail);
}

static int read_spec(struct launch *launch, struct fail *fail)
{
	return launch->by_path ? launch_target_read(launch, fail) : 0;
}

static int recall_spec(struct launch *launch, struct fail *fail)
{
	return launch->by_path ? 0 : launch_target_recall(launch, fail);
}

static int connect_for_start(struct launch *launch, struct fail *fail)
{
	if (!launch->root->live) {
		fail_add(fail, FAIL_USAGE, "a host read with --root cannot start VMs");
		return fail_hint(fail, "gpuvm plan --root DIR SPEC");
	}
	if (hv_open(launch_uri(launch), HV_WRITE, &launch->hv, fail) < 0)
		return -1;
	/* A slip of the pen is told at once, and not behind the gate. */
	if (!launch->by_path && !hv_may_have(launch->hv, launch->target))
		return absent_refuse(launch->target, "start", fail);
	return 0;
}

/* A plan is worth having without libvirt too: it then says what it does not know. */
static int connect_for_plan(struct launch *launch, struct fail *fail)
{
	CLEANUP(fail) struct fail unreachable = { 0 };

	(void)fail;
	if (!launch->root->live)
		return 0;
	if (hv_open(launch_uri(launch), HV_READ, &launch->hv, &unreachable) < 0)
		launch->libvirt_unknown = text_format("%s (%s)", unreachable.items[0].what,
						      unreachable.items[0].cause);
	return 0;
}

int launch_check_owner(struct launch *launch, struct fail *fail)
{
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);

	if (vm == NULL || launch->options.keep_owner)
		return 0;
	return owner_may(launch->owner, vm->guest, launch->options.uri, "start",
			 launch->options.force, fail);
}

/* Whether the VM's name is free, or its own already; finds its UUID. */
static int identify(struct launch *launch, struct fail *fail)
{
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);
	const struct lease_record *start = usage_start(launch->usage, launch->spec->name);

	if (start != NULL) {
		fail_add(fail, FAIL_BUSY, "VM \"%s\" is being started already", launch->spec->name);
		fail_cause(fail, "by %s (pid %d)", start->user == NULL ? "somebody" : start->user,
			   (int)start->pid);
		return fail_hint(fail, "gpuvm list");
	}
	if (vm == NULL)
		return 0;
	launch->uuid = mem_strdup(vm->domain->uuid);
	if (!vm->guest->is_ours) {
		fail_add(fail, FAIL_SPEC, "[vm] name = %s: the name is taken", launch->spec->name);
		fail_cause(fail, "a libvirt domain of that name exists that gpuvm did not make, "
				 "and will not touch");
		fail_hint(fail, "choose another name in the spec");
		return fail_at(fail, launch->spec->file, 0);
	}
	if (vm->domain->state == HV_STOPPING) {
		fail_add(fail, FAIL_BUSY, "VM \"%s\" is shutting down", launch->spec->name);
		return fail_hint(fail, "wait until it is off: gpuvm stop %s", launch->spec->name);
	}
	if (vm->domain->is_active)
		launch->outcome = LAUNCH_WAS_RUNNING;
	return 0;
}

static int identify_for_plan(struct launch *launch, struct fail *fail)
{
	struct fail owner = { 0 };

	if (identify(launch, fail) < 0)
		return -1;
	launch->outcome = LAUNCH_PLANNED;
	if (launch->root->live)
		(void)launch_check_owner(launch, &owner);
	launch_refusals_keep(launch, &owner, "owner");
	return 0;
}

static int identify_for_start(struct launch *launch, struct fail *fail)
{
	if (identify(launch, fail) < 0)
		return -1;
	if (launch->outcome == LAUNCH_WAS_RUNNING)
		return launch->by_path ? launch_check_owner(launch, fail) : 0;
	if (launch->uuid == NULL)
		launch->uuid = new_uuid();
	return launch_check_owner(launch, fail);
}

static int check_host(struct launch *launch, struct fail *fail)
{
	return preflight_host(launch->host, fail);
}

static int check_parts(struct launch *launch, struct fail *fail)
{
	if (launch_disks_check(launch, fail) < 0)
		return fail_finding(fail, "disks");
	if (share_check(launch->spec, launch->root, hv_libvirt_version(launch->hv), fail) < 0)
		return fail_finding(fail, "shares");
	if (preflight_network(launch->spec, launch->root, launch->hv, fail) < 0)
		return fail_finding(fail, "network");
	return 0;
}

/* Nothing is read but firmware descriptors and who has GPUs, nothing is changed. */
static int decide(struct launch *launch, struct fail *fail)
{
	const struct spec *spec = launch->spec;
	const struct usage_vm *vm = usage_vm(launch->usage, spec->name);
	struct place_gpu_request *gpus = launch_request_gpus(spec);
	struct place_request request = launch_request_place(spec, launch->policy, gpus);
	struct domain_identity identity = { .uuid = launch->uuid,
					    .user = launch->owner->name,
					    .uid = launch->owner->uid,
					    .boot = launch->boot };
	int result = launch_request_settle(launch, &request, fail);
	dev_t vsock;

	free(gpus);
	if (result < 0)
		return -1;
	if (spec->firmware_code == NULL &&
	    descriptor_select(launch->root, spec->secure_boot, &launch->firmware, fail) < 0)
		return fail_finding(fail, "firmware");
	if (launch->options.keep_owner && vm != NULL && vm->guest->is_ours) {
		identity.user = vm->guest->user;
		identity.uid = vm->guest->uid;
	}
	if (launch->seed_volume != NULL)
		identity.seed = &launch->domain_seed;
	/* There if the kernel has the module (modules.devname, kmod-static-nodes(8)). */
	identity.has_vsock = root_character_device(launch->root, &vsock, "/dev/vhost-vsock");
	launch->domain = domain_build(spec, launch->host, launch->placement, launch->firmware,
				      &identity, launch->disks,
				      vm == NULL ? NULL : &vm->guest->volumes);
	launch->mmio = mmio_judge(launch->domain, launch->root,
				  launch->hv == NULL ? 0 : hv_libvirt_version(launch->hv));
	launch->domain->mmio = launch->mmio;
	launch->xml = domxml_format(launch->domain);
	return 0;
}

/* Where libvirt keeps a VM's UEFI variables, which a failed start must not lose. What the caller may not see, as
 * anybody but root, may be there. */
static bool has_nvram(const struct launch *launch)
{
	return root_exists(launch->root, "/var/lib/libvirt/qemu/nvram/%s_VARS.fd",
			   launch->spec->name) ||
	       errno != ENOENT;
}

static int check_gpus(struct launch *launch, struct fail *fail)
{
	return preflight_gpus(launch->root, launch->host, launch->placement, launch->usage->users,
			      launch->options.forced, &launch->not_checked, fail);
}

static int define(struct launch *launch, struct fail *fail)
{
	launch->had_nvram = has_nvram(launch);
	return hv_define(launch->hv, launch->xml, fail);
}

static int start(struct launch *launch, struct fail *fail)
{
	int result;

	launch_watch_start(launch);
	result = hv_start(launch->hv, launch->uuid, &launch->seconds_create, fail);
	launch_watch_end(launch);
	if (result == 0) {
		launch->outcome = LAUNCH_STARTED;
		return 0;
	}
	if (fail->kind != FAIL_HV)
		return -1;
	return fail_hint(fail, "QEMU's own words: sudo tail /var/log/libvirt/qemu/%s.log",
			 launch->spec->name);
}

/* The running domain is the record from here on. */
static int end_claim(struct launch *launch, struct fail *fail)
{
	(void)fail;
	lease_release(STEAL(launch->claim));
	return 0;
}

static const struct step plan_steps[] = {
	{ "root", NULL, open_root, NULL },
	{ "spec", NULL, read_spec, NULL },
	{ "connect", NULL, connect_for_plan, NULL },
	{ "host", NULL, launch_look_at_host, NULL },
	{ "usage", NULL, launch_look_at_usage, NULL },
	{ "ended", NULL, launch_look_at_ended, NULL },
	{ "identify", NULL, identify_for_plan, NULL },
	{ "check-host", NULL, check_host, NULL },
	{ "disks", NULL, launch_disks_foresee, NULL },
	{ "seed", NULL, launch_seed_foresee, NULL },
	{ "place-seed", NULL, launch_seed_place, NULL },
	{ "decide", NULL, decide, NULL },
	{ "foresee", NULL, launch_refusals_foresee, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const struct step start_steps[] = {
	{ "root", NULL, open_root, NULL },
	{ "spec", NULL, read_spec, NULL },
	{ "connect", NULL, connect_for_start, NULL },
	{ "gate", "choosing GPUs, CPUs and memory", launch_gate_shut, NULL },
	{ "take-over", NULL, launch_hold_take_over, NULL },
	{ "host", NULL, launch_look_at_host, NULL },
	{ "usage", NULL, launch_look_at_usage, NULL },
	{ "ended", NULL, launch_look_at_ended, NULL },
	{ "recall", NULL, recall_spec, NULL },
	{ "identify", NULL, identify_for_start, NULL },
	{ "check-records", NULL, launch_hold_check, NULL },
	{ "check-host", NULL, check_host, NULL },
	{ "check-parts", NULL, check_parts, NULL },
	{ "seed", NULL, launch_seed_read, NULL },
	{ "place-seed", NULL, launch_seed_place, NULL },
	{ "decide", NULL, decide, NULL },
	{ "check-gpus", NULL, check_gpus, NULL },
	{ "check-findings", NULL, launch_check_refuse, NULL },
	{ "claim", NULL, launch_request_claim, NULL },
	{ "open-gate", NULL, launch_gate_open, NULL },
	{ "hold", NULL, launch_hold_begin, launch_hold_undo }, /* no crash leaves a VM without */
	{ "define", "defining the VM", define, launch_undo_define },
	{ "disks", NULL, launch_disks_make, launch_disks_undo },
	{ "write-seed", NULL, launch_seed_write, launch_seed_undo },
	{ "start", "starting it: libvirt hands the GPU over and QEMU pins its memory", start,
	  launch_undo_start },
	{ "settle", NULL, launch_hold_settle, NULL },
	{ "settle-seed", NULL, launch_seed_settle, NULL },
	{ "end-claim", NULL, end_claim, NULL },
	{ NULL, NULL, NULL, NULL },
};

void launch_say(const struct launch *launch, const char *step, const char *says)
{
	if (launch->options.progress != NULL)
		launch->options.progress(launch->options.progress_data, step, says);
}

/* The finding (check.h) that a step which fails is of, where the step has not said it; NULL: none. */
static const char *finding_of(const char *step)
{
	static const struct {
		const char *step, *finding;
	} rows[] = {
		{ "identify", "owner" },        { "disks", "disks" },      { "seed", "first-boot" },
		{ "place-seed", "first-boot" }, { "decide", "placement" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (text_equal(rows[i].step, step))
			return rows[i].finding;
	return NULL;
}

/* A VM that runs already needs no further step. */
static int run(struct launch *launch, const struct step *steps, struct fail *fail)
{
	for (size_t i = 0; steps[i].name != NULL && launch->outcome != LAUNCH_WAS_RUNNING; i++) {
		launch_say(launch, steps[i].name, steps[i].says);
		if (steps[i].run(launch, fail) == 0)
			continue;
		fail_finding(fail, finding_of(steps[i].name));
		for (i++; i-- > 0;)
			if (steps[i].undo != NULL)
				steps[i].undo(launch, fail);
		return -1;
	}
	return 0;
}

static struct launch *begin(const struct launch_options *options, const char *target)
{
	struct launch *launch = mem_alloc(1, sizeof *launch);

	launch->options = *options;
	launch->target = target;
	launch->owner = owner_of_caller();
	return launch;
}

int launch_plan(const struct launch_options *options, const char *path, struct launch **ret_launch,
		struct fail *fail)
{
	struct launch *launch = *ret_launch = begin(options, path);

	launch->by_path = true;
	return run(launch, plan_steps, fail);
}

int launch_start(const struct launch_options *options, const char *target,
		 struct launch **ret_launch, struct fail *fail)
{
	struct launch *launch = *ret_launch = begin(options, target);
	double began = clock_seconds();
	int result;

	launch->by_path = !options->by_name && launch_target_is_path(target);
	result = run(launch, start_steps, fail);
	(void)launch_gate_open(launch, fail);
	(void)end_claim(launch, fail);
	launch->seconds_total = clock_seconds() - began;
	return result;
}

void launch_free(struct launch *launch)
{
	if (launch == NULL)
		return;
	for (size_t i = 0; i < launch->refusal_count; i++)
		fail_done(&launch->refusals[i]);
	free(launch->refusals);
	free(launch->xml);
	free(launch->uuid);
	free(launch->libvirt_unknown);
	domain_free(launch->domain);
	mmio_free(launch->mmio);
	disks_free(launch->disks);
	seed_free(launch->seed);
	free(launch->seed_pool);
	free(launch->seed_volume);
	free(launch->seed_path);
	held_lines_done(&launch->taken_over);
	descriptor_free(launch->firmware);
	placement_free(launch->placement);
	aftermath_free(launch->aftermath);
	quarantine_free(launch->silent);
	quarantine_free(launch->lost);
	free(launch->boot);
	usage_free(launch->usage);
	policy_free(launch->policy);
	host_free(launch->host);
	hv_close(launch->hv);
	spec_free(launch->spec);
	owner_free(launch->owner);
	root_free(launch->root);
	free(launch);
}
