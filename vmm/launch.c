// SPDX-License-Identifier: MIT
#include "vmm/launch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/domxml.h"
#include "vmm/lease.h"
#include "vmm/preflight.h"

#define GATE_TIMEOUT_MS  60000
#define CHOOSE_TIMEOUT_S 50

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(const struct launch *launch, const char *stage)
{
	if (launch->options.progress != NULL)
		launch->options.progress(launch->options.progress_data, stage);
}

static const char *uri(const struct launch *launch)
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

static bool target_is_path(const char *target)
{
	size_t length = strlen(target);

	return strchr(target, '/') != NULL ||
	       (length > 4 && strcmp(target + length - 4, ".ini") == 0);
}

/* The spec of a VM that was started before is in its metadata. */
static int read_spec_of_vm(struct launch *launch, const char *name, struct fail *fail)
{
	CLEANUP(text) char *xml = NULL;
	CLEANUP(guest) struct guest *guest = NULL;

	if (hv_definition(launch->hv, name, &xml, fail) < 0)
		return -1;
	if (xml == NULL) {
		fail_add(fail, FAIL_USAGE, "there is no VM named \"%s\"", name);
		if (access(name, F_OK) == 0)
			return fail_hint(fail, "to start the file of that name: gpuvm start ./%s",
					 name);
		return fail_hint(fail, "see which there are: gpuvm list   start a new one from its "
				       "file: gpuvm start FILE.ini");
	}
	if (guest_parse(xml, &guest, fail) < 0)
		return -1;
	if (guest->spec_text == NULL) {
		if (owner_may(launch->owner, guest, "start", launch->options.force, fail) < 0)
			return -1;
		fail_add(fail, FAIL_SPEC, "the spec of VM \"%s\" is lost", guest->name);
		fail_cause(fail, "somebody edited the VM's definition: gpuvm's record of the spec "
				 "is missing or malformed");
		return fail_hint(fail, "start it from its file again: gpuvm start FILE.ini");
	}
	if (spec_parse(guest->spec_file, guest->spec_directory, guest->spec_text, &launch->spec,
		       fail) < 0)
		return -1;
	if (text_equal(launch->spec->name, name))
		return 0;
	fail_add(fail, FAIL_SPEC, "VM \"%s\" was renamed", name);
	fail_cause(fail, "its spec still says name = %s", launch->spec->name);
	return fail_hint(fail,
			 "virsh -c %s domrename %s %s   or start it from a corrected file: "
			 "gpuvm start FILE.ini",
			 uri(launch), name, launch->spec->name);
}

static int connect_for_start(struct launch *launch, struct fail *fail)
{
	if (!launch->root->live) {
		fail_add(fail, FAIL_USAGE, "a host read with --root cannot start VMs");
		return fail_hint(fail, "gpuvm plan --root DIR SPEC");
	}
	return hv_open(uri(launch), HV_WRITE, &launch->hv, fail);
}

/* A plan is worth having without libvirt too: it then says what it does not know. */
static void connect_for_plan(struct launch *launch)
{
	CLEANUP(fail) struct fail unreachable = { 0 };

	if (!launch->root->live)
		return;
	if (hv_open(uri(launch), HV_READ, &launch->hv, &unreachable) < 0)
		launch->libvirt_unknown = text_format("%s (%s)", unreachable.items[0].what,
						      unreachable.items[0].cause);
}

static int look(struct launch *launch, struct fail *fail)
{
	launch->disk_is_block = mem_alloc(launch->spec->disk_count, sizeof(bool));
	if (host_read(launch->root, &launch->host, fail) < 0 ||
	    policy_read(launch->root, NULL, launch->host->machine, &launch->policy, fail) < 0)
		return -1;
	if (usage_read(launch->hv, launch->root, launch->options.lease_directory,
		       launch->host->machine, launch->spec->name, &launch->usage, fail) < 0)
		return -1;
	if (!launch->root->live && launch->usage->domains == NULL)
		launch->libvirt_unknown = mem_strdup("the host was read with --root");
	return 0;
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

static bool wants_p2p(const struct spec *spec)
{
	for (size_t i = 0; i < spec->gpu_count; i++)
		if (spec->gpus[i].p2p == SPEC_P2P_AUTO)
			return true;
	return false;
}

/* One per [gpu] section. The caller frees. */
static struct place_gpu_request *gpu_requests_of(const struct spec *spec)
{
	struct place_gpu_request *gpus = mem_alloc(spec->gpu_count, sizeof *gpus);

	for (size_t i = 0; i < spec->gpu_count; i++)
		gpus[i] = (struct place_gpu_request){
			.count = spec->gpus[i].count,
			.match = spec->gpus[i].match,
			.addresses = (const char *const *)spec->gpus[i].addresses,
			.address_count = spec->gpus[i].address_count,
			.file = spec->file,
			.line = spec->gpus[i].line,
			.label = spec->gpus[i].label
		};
	return gpus;
}

/* Borrows from all three. */
static struct place_request request_of(const struct spec *spec, const struct policy *policy,
				       const struct place_gpu_request *gpus)
{
	return (struct place_request){ .vcpus = spec->vcpus,
				       .memory_bytes = spec->memory_bytes,
				       .policy = spec->policy,
				       .hugepages = spec->hugepages,
				       .gpus = gpus,
				       .gpu_count = spec->gpu_count,
				       .threads = spec->threads,
				       .pin = spec->pin,
				       .emulator = spec->emulator,
				       .p2p = wants_p2p(spec),
				       .rules = &policy->rules,
				       .file = spec->file,
				       .threads_line = spec->threads_line,
				       .pin_line = spec->pin_line,
				       .emulator_line = spec->emulator_line,
				       .vcpus_line = spec->vcpus_line,
				       .memory_line = spec->memory_line,
				       .policy_line = spec->policy_line,
				       .hugepages_line = spec->hugepages_line };
}

/* The pure part: nothing is read but firmware descriptors, nothing is changed. */
static int decide(struct launch *launch, struct fail *fail)
{
	const struct spec *spec = launch->spec;
	struct place_taken taken = usage_taken(launch->usage);
	const struct usage_vm *vm = usage_vm(launch->usage, spec->name);
	struct place_gpu_request *gpus = gpu_requests_of(spec);
	struct place_request request = request_of(spec, launch->policy, gpus);
	struct domain_identity identity = { .uuid = launch->uuid,
					    .user = launch->owner->name,
					    .uid = launch->owner->uid };
	int result = place(&request, launch->host, &taken, &launch->placement, fail);

	free(gpus);
	if (result < 0)
		return -1;
	if (spec->firmware_code == NULL &&
	    descriptor_select(launch->root, spec->secure_boot, &launch->firmware, fail) < 0)
		return -1;
	if (launch->options.keep_owner && vm != NULL && vm->guest->is_ours) {
		identity.user = vm->guest->user;
		identity.uid = vm->guest->uid;
	}
	launch->domain = domain_build(spec, launch->host, launch->placement, launch->firmware,
				      &identity, launch->disk_is_block);
	launch->xml = domxml_format(launch->domain);
	return 0;
}

/* Claims what was placed, so that no other start counts on it until libvirt has it. */
static int claim(struct launch *launch, struct lease_gate *gate, struct lease_claim **ret_claim,
		 struct fail *fail)
{
	const struct placement *placement = launch->placement;
	struct lease_record record = { .name = launch->spec->name,
				       .uuid = launch->uuid,
				       .user = launch->owner->name,
				       .pid = getpid(),
				       .cpus = hwloc_bitmap_alloc() };
	int result;

	for (size_t i = 0; i < placement->gpu_count; i++)
		memcpy(MEM_APPEND(record.gpus, record.gpu_count),
		       placement->gpus[i].gpu->device->address, DEVICE_ADDRESS_BYTES);
	for (size_t i = 0; i < placement->vcpu_count; i++)
		hwloc_bitmap_set(record.cpus, placement->vcpus[i].cpu);
	if (launch->spec->threads == PLACE_WHOLE_CORES)
		machine_widen_to_cores(launch->host->machine, record.cpus);
	for (size_t i = 0; i < placement->cell_count; i++)
		*MEM_APPEND(record.memory, record.memory_count) =
			(struct lease_memory){ .node = placement->cells[i].host_node,
					       .page_bytes = placement->cells[i].page_bytes,
					       .bytes = placement->cells[i].memory_bytes };
	result = lease_take(gate, &record, ret_claim, fail);
	hwloc_bitmap_free(record.cpus);
	free(record.gpus);
	free(record.memory);
	return result;
}

/* Where libvirt keeps a VM's UEFI variables, which a failed start must not lose. */
static bool has_nvram(const struct launch *launch)
{
	return root_exists(launch->root, "/var/lib/libvirt/qemu/nvram/%s_VARS.fd",
			   launch->spec->name);
}

/* A start that failed leaves what was defined before, or nothing; what runs after all is left alone. Its own
 * failure is not worth a word beside the first. */
static void undo_define(struct launch *launch, bool keep_nvram)
{
	CLEANUP(fail) struct fail ignored = { 0 };
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);
	bool is_active = false;

	if (hv_is_active(launch->hv, launch->uuid, &is_active, &ignored) < 0 || is_active)
		return;
	if (vm != NULL)
		(void)hv_define(launch->hv, vm->domain->xml, &ignored);
	else
		(void)hv_undefine(launch->hv, launch->uuid, keep_nvram, &ignored);
}

static int run(struct launch *launch, struct fail *fail)
{
	bool had_nvram = has_nvram(launch);

	say(launch, "defining the VM");
	if (hv_define(launch->hv, launch->xml, fail) < 0)
		return -1;
	say(launch, "starting it: libvirt hands the GPU over and QEMU pins its memory");
	if (hv_start(launch->hv, launch->uuid, &launch->seconds_create, fail) < 0) {
		undo_define(launch, had_nvram);
		if (fail->kind != FAIL_HV)
			return -1;
		return fail_hint(fail, "QEMU's own words: sudo tail /var/log/libvirt/qemu/%s.log",
				 launch->spec->name);
	}
	launch->outcome = LAUNCH_STARTED;
	return 0;
}

static int check_owner(struct launch *launch, struct fail *fail)
{
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);

	if (vm == NULL || launch->options.keep_owner)
		return 0;
	return owner_may(launch->owner, vm->guest, "start", launch->options.force, fail);
}

/* libvirt has no deadlines, and a hung VM or driver would keep the gate shut for everybody: it opens with the
 * end of this process. */
static void give_up(int number)
{
	static const char message[] = "\ngpuvm: libvirt does not answer\n"
				      "  cause: a VM or a driver of this host hangs\n"
				      "  hint: virsh -c qemu:///system list --all\n";

	(void)number;
	(void)!write(STDERR_FILENO, message, sizeof message - 1);
	_exit(fail_kind_row(FAIL_HV)->exit_code);
}

/* No other start chooses until this one has claimed. */
static int choose_behind_gate(struct launch *launch, struct lease_gate *gate,
			      struct lease_claim **ret_claim, struct fail *fail)
{
	if (look(launch, fail) < 0 || identify(launch, fail) < 0)
		return -1;
	if (launch->outcome == LAUNCH_WAS_RUNNING)
		return launch->by_path ? check_owner(launch, fail) : 0;
	if (launch->uuid == NULL)
		launch->uuid = new_uuid();
	if (check_owner(launch, fail) < 0 || preflight_host(launch->host, fail) < 0 ||
	    preflight_images(launch->spec, launch->disk_is_block, fail) < 0 ||
	    preflight_network(launch->spec, launch->root, launch->hv, fail) < 0 ||
	    decide(launch, fail) < 0 ||
	    preflight_gpus(launch->root, launch->host, launch->placement, fail) < 0)
		return -1;
	return claim(launch, gate, ret_claim, fail);
}

static int choose(struct launch *launch, struct lease_claim **ret_claim, struct fail *fail)
{
	CLEANUP(lease_gate) struct lease_gate *gate = NULL;
	int result;

	say(launch, "choosing GPUs, CPUs and memory");
	if (lease_open(launch->options.lease_directory, GATE_TIMEOUT_MS, &gate, fail) < 0)
		return -1;
	signal(SIGALRM, give_up);
	alarm(CHOOSE_TIMEOUT_S);
	result = choose_behind_gate(launch, gate, ret_claim, fail);
	alarm(0);
	return result;
}

static struct launch *begin(const struct launch_options *options)
{
	struct launch *launch = mem_alloc(1, sizeof *launch);

	launch->options = *options;
	launch->owner = owner_of_caller();
	return launch;
}

static void keep_refusal(struct launch *launch, struct fail *refusal)
{
	if (refusal->kind != FAIL_NONE)
		*MEM_APPEND(launch->refusals, launch->refusal_count) = *refusal;
}

/* What start looks at beside the placement: a plan that start would refuse is worth little. */
static void foresee(struct launch *launch)
{
	struct fail owner = { 0 };
	struct fail images = { 0 };
	struct fail network = { 0 };
	struct fail gpus = { 0 };

	if (!launch->root->live)
		return;
	(void)check_owner(launch, &owner);
	(void)preflight_images(launch->spec, launch->disk_is_block, &images);
	if (launch->hv != NULL)
		(void)preflight_network(launch->spec, launch->root, launch->hv, &network);
	(void)preflight_gpus(launch->root, launch->host, launch->placement, &gpus);
	keep_refusal(launch, &owner);
	keep_refusal(launch, &images);
	keep_refusal(launch, &network);
	keep_refusal(launch, &gpus);
}

int launch_plan(const struct launch_options *options, const char *path, struct launch **ret_launch,
		struct fail *fail)
{
	struct launch *launch = *ret_launch = begin(options);

	if (root_open(options->root_directory, &launch->root, fail) < 0 ||
	    spec_read(path, &launch->spec, fail) < 0)
		return -1;
	connect_for_plan(launch);
	if (look(launch, fail) < 0 || identify(launch, fail) < 0 ||
	    preflight_host(launch->host, fail) < 0)
		return -1;
	launch->outcome = LAUNCH_PLANNED;
	if (decide(launch, fail) < 0)
		return -1;
	foresee(launch);
	return 0;
}

int launch_start(const struct launch_options *options, const char *target,
		 struct launch **ret_launch, struct fail *fail)
{
	struct launch *launch = *ret_launch = begin(options);
	CLEANUP(lease_claim) struct lease_claim *claimed = NULL;
	double began = now_seconds();

	launch->by_path = !options->by_name && target_is_path(target);
	if (root_open(options->root_directory, &launch->root, fail) < 0 ||
	    (launch->by_path && spec_read(target, &launch->spec, fail) < 0) ||
	    connect_for_start(launch, fail) < 0 ||
	    (launch->spec == NULL && read_spec_of_vm(launch, target, fail) < 0) ||
	    choose(launch, &claimed, fail) < 0)
		return -1;
	if (launch->outcome != LAUNCH_WAS_RUNNING && run(launch, fail) < 0)
		return -1;
	launch->seconds_total = now_seconds() - began;
	return 0;
}

void launch_free(struct launch *launch)
{
	if (launch == NULL)
		return;
	for (size_t i = 0; i < launch->refusal_count; i++)
		fail_done(&launch->refusals[i]);
	free(launch->refusals);
	free(launch->xml);
	free(launch->disk_is_block);
	free(launch->uuid);
	free(launch->libvirt_unknown);
	domain_free(launch->domain);
	descriptor_free(launch->firmware);
	placement_free(launch->placement);
	usage_free(launch->usage);
	policy_free(launch->policy);
	host_free(launch->host);
	hv_close(launch->hv);
	spec_free(launch->spec);
	owner_free(launch->owner);
	root_free(launch->root);
	free(launch);
}
