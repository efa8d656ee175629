// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* CPU lists that the spec insists on: are they there, and are they free. */

static int refuse(const struct place_request *request, unsigned line, struct fail *fail)
{
	return fail_at(fail, request->file, line);
}

static const char *are(hwloc_const_bitmap_t cpus)
{
	return hwloc_bitmap_weight(cpus) == 1 ? "is" : "are";
}

static hwloc_bitmap_t cpus_of(const struct machine *machine, bool usable_only)
{
	hwloc_bitmap_t cpus = hwloc_bitmap_alloc();

	for (size_t i = 0; i < machine->cpu_count; i++)
		if (machine->cpus[i].usable || !usable_only)
			hwloc_bitmap_set(cpus, machine->cpus[i].os_index);
	return cpus;
}

static void check_online(const struct place_request *request, const struct machine *machine,
			 const char *key, hwloc_const_bitmap_t list, unsigned line,
			 struct fail *fail)
{
	hwloc_bitmap_t online = cpus_of(machine, false);
	hwloc_bitmap_t missing = hwloc_bitmap_alloc();

	hwloc_bitmap_andnot(missing, list, online);
	if (!hwloc_bitmap_iszero(missing)) {
		CLEANUP(text) char *all = machine_cpus_format(list);
		CLEANUP(text) char *none = place_words_cpus(missing);
		CLEANUP(text) char *there = place_words_cpus(online);

		fail_add(fail, FAIL_SPEC, "%s = %s: %s %s not online on this host", key, all, none,
			 are(missing));
		fail_cause(fail, "it has %s", there);
		fail_hint(fail, "set %s = auto", key);
		refuse(request, line, fail);
	}
	hwloc_bitmap_free(online);
	hwloc_bitmap_free(missing);
}

static void check_pin(const struct place_request *request, struct fail *fail)
{
	int count = hwloc_bitmap_weight(request->pin);
	CLEANUP(text) char *pin = machine_cpus_format(request->pin);

	if (count != (int)request->vcpus) {
		fail_add(fail, FAIL_SPEC, "pin = %s: %d CPU%s for vcpus = %u", pin, count,
			 count == 1 ? "" : "s", request->vcpus);
		fail_cause(fail, "each vCPU gets a CPU of its own");
		fail_hint(fail, "set vcpus = %d, or name %u CPUs", count, request->vcpus);
		refuse(request, request->pin_line, fail);
	}
	if (request->emulator != NULL && hwloc_bitmap_intersects(request->pin, request->emulator)) {
		CLEANUP(text) char *emulator = machine_cpus_format(request->emulator);

		fail_add(fail, FAIL_SPEC, "emulator = %s: some of them are also in pin = %s",
			 emulator, pin);
		fail_cause(fail, "a vCPU shares its CPU with nothing");
		fail_hint(fail, "set emulator = auto");
		refuse(request, request->emulator_line, fail);
	}
}

void place_pin_check(const struct place_request *request, const struct host *host,
		     struct fail *fail)
{
	if (request->pin != NULL) {
		check_online(request, host->machine, "pin", request->pin, request->pin_line, fail);
		check_pin(request, fail);
	}
	if (request->emulator != NULL)
		check_online(request, host->machine, "emulator", request->emulator,
			     request->emulator_line, fail);
}

/* Of @list what no VM may use at all: closed ones, and for vCPUs the host's own. */
static int check_allowed(const struct place_request *request, const struct machine *machine,
			 const char *key, hwloc_const_bitmap_t list, unsigned line,
			 struct fail *fail)
{
	hwloc_bitmap_t usable = cpus_of(machine, true);
	hwloc_bitmap_t bad = hwloc_bitmap_alloc();
	bool is_pin = list == request->pin;
	const char *why = "closed to VMs (isolated, or outside machine.slice)";
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *all = machine_cpus_format(list);
	CLEANUP(text) char *cpus = NULL;

	hwloc_bitmap_andnot(bad, list, usable);
	if (hwloc_bitmap_iszero(bad) && is_pin) {
		why = "kept for the host";
		for (size_t node = 0; node < machine->node_count; node++) {
			hwloc_bitmap_t own = place_host_cpus(machine, request->rules, node);

			hwloc_bitmap_and(own, own, list);
			hwloc_bitmap_or(bad, bad, own);
			hwloc_bitmap_free(own);
		}
	}
	if (!hwloc_bitmap_iszero(bad))
		text = text_format("%s %s", cpus = place_words_cpus(bad), are(bad));
	hwloc_bitmap_free(usable);
	hwloc_bitmap_free(bad);
	if (text == NULL)
		return 0;
	fail_add(fail, FAIL_HOST, "%s = %s: %s cannot be used", key, all, cpus);
	fail_cause(fail, "%s %s", text, why);
	fail_hint(fail, "set %s = auto", key);
	return refuse(request, line, fail);
}

/* What @taken takes from @list, by itself or with a sibling. */
static void add_holder(const struct place_request *request, const struct machine *machine,
		       const struct place_taken_cpus *taken, hwloc_const_bitmap_t list,
		       char **causes)
{
	hwloc_bitmap_t same = hwloc_bitmap_alloc();
	hwloc_bitmap_t near = place_cpus_widen(machine, taken->cpus);
	CLEANUP(text) char *cause = NULL;

	hwloc_bitmap_and(same, taken->cpus, list);
	hwloc_bitmap_andnot(near, near, taken->cpus);
	hwloc_bitmap_and(near, near, list);
	if (!hwloc_bitmap_iszero(same)) {
		CLEANUP(text) char *cpus = place_words_cpus(same);

		cause = text_format("%s %s in use by %s", cpus, are(same), taken->holder);
	} else if (request->threads == PLACE_WHOLE_CORES && !hwloc_bitmap_iszero(near)) {
		CLEANUP(text) char *cpus = place_words_cpus(near);

		cause = text_format("%s share%s a core with what is in use by %s", cpus,
				    hwloc_bitmap_weight(near) == 1 ? "s" : "", taken->holder);
	}
	if (cause != NULL)
		text_join(causes, "; ", cause);
	hwloc_bitmap_free(same);
	hwloc_bitmap_free(near);
}

static int check_free(const struct place_request *request, const struct machine *machine,
		      const struct place_taken *taken, const char *key, hwloc_const_bitmap_t list,
		      unsigned line, struct fail *fail)
{
	CLEANUP(text) char *causes = NULL;
	CLEANUP(text) char *all = machine_cpus_format(list);

	for (size_t i = 0; i < taken->cpus_count; i++)
		add_holder(request, machine, &taken->cpus[i], list, &causes);
	if (causes == NULL)
		return 0;
	fail_add(fail, FAIL_BUSY, "%s = %s: not free", key, all);
	fail_cause(fail, "%s", causes);
	fail_hint(fail, "gpuvm list shows the VMs; gpuvm stop NAME frees what one has");
	return refuse(request, line, fail);
}

int place_pin_check_free(const struct place_request *request, const struct host *host,
			 const struct place_taken *taken, struct fail *fail)
{
	const struct machine *machine = host->machine;

	if (request->pin != NULL &&
	    (check_allowed(request, machine, "pin", request->pin, request->pin_line, fail) < 0 ||
	     check_free(request, machine, taken, "pin", request->pin, request->pin_line, fail) < 0))
		return -1;
	if (request->emulator != NULL &&
	    (check_allowed(request, machine, "emulator", request->emulator, request->emulator_line,
			   fail) < 0 ||
	     check_free(request, machine, taken, "emulator", request->emulator,
			request->emulator_line, fail) < 0))
		return -1;
	return 0;
}
