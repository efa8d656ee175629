// SPDX-License-Identifier: MIT
#include "topo/place_internal.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

/* Words for: the GPUs that the request wants are not there. */

/* A cause names every holder, but not each of hundreds of GPUs that are not offered. */
#define CLAUSES_MOST 16

static const struct gpu *gpu_at(const struct place_view *view, size_t at)
{
	return &view->host->gpus->gpus[at];
}

static bool is_wanted(const struct place_view *view, const struct place_gpu_request *wanted,
		      size_t request, size_t at)
{
	if (wanted->address_count > 0)
		return view->insisted[at] == (int)request;
	return view->insisted[at] < 0 &&
	       gpu_matches(gpu_at(view, at), wanted->match == NULL ? "any" : wanted->match);
}

static char *tied_clause(const struct place_view *view, size_t at)
{
	const struct gpu *gpu = gpu_at(view, at);
	char *clause = text_format("%s goes only together with", gpu->device->address);
	const char *separator = " ";

	for (size_t i = 0; i < gpu->member_count; i++) {
		const struct gpu_member *member = &gpu->members[i];
		const struct place_taken_gpu *taken;
		const struct gpu *other;

		if (member->role != GPU_MEMBER_GPU)
			continue;
		other = gpu_find(view->host->gpus, member->device->address);
		taken = other == NULL ? NULL : place_gpu_taken(other, view->taken);
		text_add(&clause, "%s%s", separator, member->device->address);
		if (taken != NULL && taken->state != NULL)
			text_add(&clause, ", which %s", taken->state);
		else if (taken != NULL)
			text_add(&clause, ", which %s has", taken->holder);
		separator = " and ";
	}
	text_add(&clause, " (IOMMU group %d)", gpu->device->iommu_group);
	return clause;
}

static char *taken_clause(const struct place_view *view, const struct gpu *gpu)
{
	CLEANUP(text) char *words = place_words_taken(place_gpu_taken(gpu, view->taken));

	return text_format("%s %s", gpu->device->address, words);
}

/* What keeps GPU @at from being chosen; NULL: nothing of its own. The caller frees. */
static char *clause_of(const struct place_view *view, size_t at)
{
	const struct gpu *gpu = gpu_at(view, at);

	switch (view->states[at]) {
	case PLACE_GPU_FREE:
		for (size_t i = 0; i < gpu->member_count; i++)
			if (gpu->members[i].role == GPU_MEMBER_GPU)
				return tied_clause(view, at);
		return NULL;
	case PLACE_GPU_UNASKED:
		return NULL;
	case PLACE_GPU_NOT_OFFERED:
		return text_format("%s is not offered: %s", gpu->device->address,
				   gpu->offer_reason);
	case PLACE_GPU_TAKEN:
		return taken_clause(view, gpu);
	case PLACE_GPU_NODE_UNKNOWN:
		return text_format("the firmware does not say which NUMA node %s is near",
				   gpu->device->address);
	case PLACE_GPU_TIED:
		return tied_clause(view, at);
	}
	return NULL;
}

static char *clauses_of(const struct place_view *view, size_t request)
{
	char *clauses = NULL;
	size_t more = 0;
	size_t count = 0;

	for (size_t i = 0; i < view->host->gpus->count; i++) {
		CLEANUP(text) char *clause = NULL;

		if (!is_wanted(view, &view->request->gpus[request], request, i))
			continue;
		clause = clause_of(view, i);
		if (clause == NULL)
			continue;
		if (count < CLAUSES_MOST || view->states[i] == PLACE_GPU_TAKEN)
			text_join(&clauses, "; ", clause);
		else
			more++;
		count++;
	}
	if (more > 0)
		text_add(&clauses, "; and %zu more", more);
	return clauses;
}

static unsigned count_state(const struct place_view *view, size_t request,
			    enum place_gpu_state state)
{
	unsigned count = 0;

	for (size_t i = 0; i < view->host->gpus->count; i++)
		count += is_wanted(view, &view->request->gpus[request], request, i) &&
			 view->states[i] == state;
	return count;
}

static unsigned count_matched(const struct place_view *view, size_t request)
{
	unsigned count = 0;

	for (size_t i = 0; i < view->host->gpus->count; i++)
		count += is_wanted(view, &view->request->gpus[request], request, i);
	return count;
}

/* The first request that cannot be met together with those before it. */
static size_t blame(const struct place_view *view)
{
	size_t request = 0;

	while (request + 1 < view->request->gpu_count && place_splits_any(view, request + 1))
		request++;
	return request;
}

/* "[gpu] names 0000:18:00.0": the GPUs that match and are other sections' by address, or NULL. The caller frees. */
static char *named_elsewhere(const struct place_view *view, const struct place_gpu_request *wanted)
{
	const char *match = wanted->match == NULL ? "any" : wanted->match;
	char *clauses = NULL;

	for (size_t i = 0; i < view->host->gpus->count; i++) {
		CLEANUP(text) char *clause = NULL;

		if (view->insisted[i] < 0 || !gpu_matches(gpu_at(view, i), match))
			continue;
		clause = text_format("%s names %s", view->request->gpus[view->insisted[i]].label,
				     gpu_at(view, i)->device->address);
		text_join(&clauses, "; ", clause);
	}
	return clauses;
}

static int refuse_none(const struct place_view *view, const struct place_gpu_request *wanted,
		       struct fail *fail)
{
	const struct gpu_list *gpus = view->host->gpus;
	CLEANUP(text) char *list = NULL;
	CLEANUP(text) char *elsewhere = named_elsewhere(view, wanted);

	if (gpus->count == 0) {
		fail_add(fail, FAIL_HOST, "%s count = %u: this host has no GPU", wanted->label,
			 wanted->count);
		fail_cause(fail, "none of its %zu PCI functions has class 03xx or 12xx",
			   view->host->devices->count);
		fail_at(fail, wanted->file, wanted->count_line);
	} else if (elsewhere != NULL) {
		fail_add(fail, FAIL_HOST, "%s count = %u: other sections name every such GPU",
			 wanted->label, wanted->count);
		fail_cause(fail, "%s", elsewhere);
		fail_hint(fail, "leave out the address there, or this section");
		return fail_at(fail, wanted->file, wanted->count_line);
	} else {
		for (size_t i = 0; i < gpus->count && i < CLAUSES_MOST; i++) {
			CLEANUP(text) char *title = device_title(gpus->gpus[i].device);
			CLEANUP(text)
			char *item = text_format("%s %s", gpus->gpus[i].device->address, title);

			text_join(&list, ", ", item);
		}
		fail_add(fail, FAIL_HOST, "%s match = %s: no GPU on this host matches",
			 wanted->label, wanted->match);
		fail_cause(fail, "it has %s%s", list, gpus->count > CLAUSES_MOST ? ", ..." : "");
		fail_at(fail, wanted->file, wanted->match_line);
	}
	return fail_hint(fail, "gpuvm gpus lists the GPUs of this host");
}

/* "only 3 of the 5 GPUs that match "H100" are free". The caller frees. */
static char *shortage_of(const struct place_view *view, size_t request)
{
	const struct place_gpu_request *wanted = &view->request->gpus[request];
	unsigned matched = count_matched(view, request);
	CLEANUP(text) char *that_match = place_words_that_match(wanted, matched);
	unsigned choosable = count_state(view, request, PLACE_GPU_FREE);
	const char *are = view->empty ? "can be given to a VM" : "are free";
	const char *is = view->empty ? "can be given to a VM" : "is free";

	if (choosable >= wanted->count)
		return view->request->gpu_count > 1
			       ? text_format("too few GPUs%s for this section and those before it",
					     that_match)
			       : text_format("the GPUs%s go only in larger groups", that_match);
	if (matched < wanted->count && *that_match != '\0')
		return text_format("only %u GPU%s on this host match%s \"%s\"", matched,
				   matched == 1 ? "" : "s", matched == 1 ? "es" : "",
				   wanted->match);
	if (matched < wanted->count)
		return text_format("this host has only %u GPU%s", matched, matched == 1 ? "" : "s");
	if (matched == 1)
		return text_format("the only GPU%s %s", that_match,
				   view->empty ? "cannot be given to a VM" : "is not free");
	if (choosable == 0)
		return text_format("none of the %u GPUs%s %s", matched, that_match, is);
	return text_format("only %u of the %u GPUs%s %s", choosable, matched, that_match,
			   choosable == 1 ? is : are);
}

static void add_what(const struct place_view *view, size_t request, struct fail *fail)
{
	const struct place_gpu_request *wanted = &view->request->gpus[request];
	enum fail_kind kind = place_refuse_kind(view);
	unsigned choosable = count_state(view, request, PLACE_GPU_FREE);
	unsigned unknown = count_state(view, request, PLACE_GPU_NODE_UNKNOWN);
	CLEANUP(text) char *shortage = NULL;

	if (unknown > 0 && choosable + unknown >= wanted->count) {
		fail_add(fail, kind, "%s: [numa] policy = %s needs GPUs whose NUMA node is known",
			 wanted->label, place_policy_name(view->request->policy));
		fail_at(fail, wanted->file, wanted->line);
	} else if (wanted->address_count > 0) {
		CLEANUP(text) char *list = NULL;

		for (size_t i = 0; i < wanted->address_count; i++)
			text_join(&list, ", ", wanted->addresses[i]);
		fail_add(fail, kind,
			 view->empty ? "%s address = %s: cannot be given to this VM"
				     : "%s address = %s: not free",
			 wanted->label, list);
		fail_at(fail, wanted->file, wanted->address_line);
	} else {
		shortage = shortage_of(view, request);
		fail_add(fail, kind, "%s count = %u: %s", wanted->label, wanted->count, shortage);
		fail_at(fail, wanted->file, wanted->count_line);
	}
}

/* Which VM or process should go if one of several has to is not ours to say; a record is nobody's work. */
static bool is_to_be_freed(const struct place_view *view, size_t request, size_t at)
{
	const struct place_gpu_request *wanted = &view->request->gpus[request];
	const struct place_taken_gpu *taken = place_gpu_taken(gpu_at(view, at), view->taken);

	return view->states[at] == PLACE_GPU_TAKEN && taken->remedy != NULL &&
	       (taken->state != NULL || wanted->address_count > 0) &&
	       is_wanted(view, wanted, request, at);
}

/* The commands that free what is_to_be_freed(), each once, or NULL. The caller frees. */
static char *remedies_of(const struct place_view *view, size_t request)
{
	const char **added = mem_alloc(view->host->gpus->count, sizeof *added);
	size_t count = 0;
	char *remedies = NULL;

	for (size_t i = 0; i < view->host->gpus->count; i++) {
		const char *remedy;
		size_t seen = 0;

		if (!is_to_be_freed(view, request, i))
			continue;
		remedy = place_gpu_taken(gpu_at(view, i), view->taken)->remedy;
		while (seen < count && !text_equal(added[seen], remedy))
			seen++;
		if (seen < count)
			continue;
		added[count++] = remedy;
		text_join(&remedies, "; ", remedy);
	}
	free(added);
	return remedies;
}

static void add_hint_to_free(const struct place_view *view, size_t request, struct fail *fail)
{
	CLEANUP(text) char *remedies = remedies_of(view, request);

	if (remedies == NULL)
		fail_hint(fail, "gpuvm list shows the VMs; gpuvm stop NAME frees what one has");
	else
		fail_hint(fail, "%s", remedies);
}

static void add_hint(const struct place_view *view, size_t request, struct fail *fail)
{
	if (count_state(view, request, PLACE_GPU_NODE_UNKNOWN) > 0) {
		fail_hint(fail,
			  "update the firmware or set its NUMA options (NUMA nodes per socket, "
			  "ACPI SRAT and _PXM), or set [numa] policy = preferred");
		return;
	}
	unsigned free = count_state(view, request, PLACE_GPU_FREE);

	if (view->empty && view->request->gpu_count == 1 && free > 0) {
		fail_hint(fail, "set count = %u or less", free);
		return;
	}
	/* An address helps only whom one more GPU helps. */
	for (size_t i = 0;
	     i < view->host->gpus->count && view->empty && view->request->gpus[request].count == 1;
	     i++) {
		const struct gpu *gpu = gpu_at(view, i);

		if (!is_wanted(view, &view->request->gpus[request], request, i) ||
		    view->states[i] != PLACE_GPU_NOT_OFFERED || gpu->offer == GPU_BMC ||
		    !gpu_offer_yields_to_address(gpu->offer))
			continue;
		fail_hint(fail, "to take %s anyway, set address = %s%s", gpu->device->address,
			  gpu->device->address,
			  device_is_console(gpu->device)
				  ? " and allow_boot_vga = yes (the host's screen goes dark)"
				  : "");
		return;
	}
	if (view->empty)
		fail_hint(fail, "gpuvm gpus lists the GPUs of this host and what is offered");
	else
		add_hint_to_free(view, request, fail);
}

int place_refuse_gpus(const struct place_view *view, struct fail *fail)
{
	size_t request = blame(view);
	const struct place_gpu_request *wanted = &view->request->gpus[request];
	CLEANUP(text) char *clauses = clauses_of(view, request);

	if (count_matched(view, request) == 0)
		return refuse_none(view, wanted, fail);
	add_what(view, request, fail);
	if (clauses != NULL)
		fail_cause(fail, "%s", clauses);
	add_hint(view, request, fail);
	return -1;
}
