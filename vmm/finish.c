// SPDX-License-Identifier: MIT
#include "vmm/finish.h"

#include <stdlib.h>
#include <time.h>

#include "vmm/absent.h"
#include "vmm/base/clock.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/finish_disks.h"
#include "vmm/held.h"
#include "vmm/hv.h"
#include "vmm/hv_storage.h"
#include "vmm/owner.h"

#define POLL_MS          200
#define ENDED_TIMEOUT_MS 1000

/* Where VMs end. */
struct house {
	struct root *root;
	struct hv *hv;
	struct hv_domains *domains;
};

/* A VM that is to end. */
struct subject {
	const struct hv_domain *domain;
	struct finish *finish;
	bool is_waited_for, is_off, has_failed;
	unsigned presses; /* of its power button */
};

struct subjects {
	struct subject *items;
	size_t count;
};

static void house_cleanup(struct house *house)
{
	hv_domains_free(house->domains);
	hv_close(house->hv);
	root_free(house->root);
}

static void subjects_cleanup(struct subjects *subjects)
{
	for (size_t i = 0; i < subjects->count; i++)
		finish_free(subjects->items[i].finish);
	free(subjects->items);
}

static int open_house(const struct finish_options *options, struct house *house, struct fail *fail)
{
	if (root_open(NULL, &house->root, fail) < 0 ||
	    hv_open(options->uri == NULL ? HV_URI_DEFAULT : options->uri, HV_WRITE, &house->hv,
		    fail) < 0)
		return -1;
	return hv_domains_read(house->hv, &house->domains, fail);
}

/* Takes @guest. */
static struct subject *add_subject(struct subjects *subjects, const struct hv_domain *domain,
				   struct guest *guest)
{
	struct subject *subject = MEM_APPEND(subjects->items, subjects->count);

	*subject = (struct subject){ .domain = domain,
				     .finish = mem_alloc(1, sizeof *subject->finish) };
	subject->finish->name = text_printable(domain->name, 0);
	subject->finish->guest = guest;
	return subject;
}

/* The VM named @name, which the caller must have the right to @verb. */
static int find(const struct finish_options *options, const struct house *house, const char *name,
		const char *verb, struct subjects *subjects, struct fail *fail)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();
	CLEANUP(guest) struct guest *guest = NULL;
	const struct hv_domain *domain = hv_domains_find(house->domains, name);

	if (domain == NULL)
		return absent_refuse(name, verb, fail);
	if (guest_parse(domain->xml, &guest, fail) < 0 ||
	    owner_may(owner, guest, options->uri, verb, options->force, fail) < 0)
		return -1;
	add_subject(subjects, domain, STEAL(guest));
	return 0;
}

static int latest_first(const void *a, const void *b)
{
	unsigned one = ((const struct subject *)a)->domain->id;
	unsigned other = ((const struct subject *)b)->domain->id;

	return one < other ? 1 : one > other ? -1 : 0;
}

/* All that run and that the caller may stop; what cannot be read is not known to be gpuvm's. */
static void find_running(const struct finish_options *options, const struct house *house,
			 struct subjects *subjects)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();

	for (size_t i = 0; i < house->domains->count; i++) {
		const struct hv_domain *domain = &house->domains->domains[i];
		CLEANUP(guest) struct guest *guest = NULL;
		CLEANUP(fail) struct fail not_mine = { 0 };

		if (domain->is_active && guest_parse(domain->xml, &guest, &not_mine) == 0 &&
		    owner_may(owner, guest, options->uri, "stop", options->force, &not_mine) == 0)
			add_subject(subjects, domain, STEAL(guest));
	}
	if (subjects->count > 0)
		qsort(subjects->items, subjects->count, sizeof *subjects->items, latest_first);
}

static int press(const struct house *house, struct subject *subject, struct fail *fail)
{
	if (hv_shutdown(house->hv, subject->domain->uuid, fail) < 0)
		return -1;
	subject->presses++;
	return 0;
}

/* With force a guest is only asked if it can hear: if not, it is not waited for. */
static void ask(const struct finish_options *options, const struct house *house,
		struct subject *subject, struct fail *fail)
{
	CLEANUP(fail) struct fail unheard = { 0 };

	if (options->force && subject->domain->state == HV_PAUSED)
		return;
	if (press(house, subject, options->force ? &unheard : fail) == 0)
		subject->is_waited_for = true;
	else
		subject->has_failed = !options->force;
}

static void ask_again(const struct house *house, struct subjects *subjects)
{
	for (size_t i = 0; i < subjects->count; i++) {
		CLEANUP(fail) struct fail unheard = { 0 };

		if (subjects->items[i].is_waited_for)
			press(house, &subjects->items[i], &unheard);
	}
}

/* Returns the names of those that still run, NULL if none does. The caller frees. */
static char *look_who_runs(const struct house *house, struct subjects *subjects, struct fail *fail)
{
	char *names = NULL;

	for (size_t i = 0; i < subjects->count; i++) {
		struct subject *subject = &subjects->items[i];
		bool active = false;

		if (!subject->is_waited_for)
			continue;
		if (hv_is_active(house->hv, subject->domain->uuid, &active, fail) < 0)
			subject->has_failed = true;
		subject->is_off = !subject->has_failed && !active;
		subject->is_waited_for = !subject->has_failed && active;
		if (subject->is_waited_for)
			text_join(&names, ", ", subject->finish->name);
	}
	return names;
}

/* What is waited for. */
struct stage {
	const char *state;
	unsigned timeout_s;
	unsigned ask_again_s; /* 0: they were not asked */
};

/* Waits until all are off, at most until the timeout; tells once a second how long is left. */
static void wait_until_off(const struct finish_options *options, const struct house *house,
			   struct subjects *subjects, const struct stage *stage, struct fail *fail)
{
	const struct timespec step = { .tv_nsec = POLL_MS * 1000000L };
	double began = clock_seconds();
	unsigned told_s = 0, asked_s = 0;

	for (;;) {
		CLEANUP(text) char *names = look_who_runs(house, subjects, fail);
		double waited = clock_seconds() - began;

		if (names == NULL || waited >= stage->timeout_s)
			return;
		if (options->countdown != NULL && waited >= told_s) {
			options->countdown(options->countdown_data, names, stage->state,
					   stage->timeout_s - (unsigned)waited);
			told_s = (unsigned)waited + 1;
		}
		if (stage->ask_again_s > 0 && waited >= asked_s + stage->ask_again_s) {
			ask_again(house, subjects);
			asked_s = (unsigned)waited;
		}
		nanosleep(&step, NULL);
	}
}

static void did_not_go(const struct finish_options *options, const struct subject *subject,
		       struct fail *fail)
{
	const char *name = subject->finish->name;
	CLEANUP(text) char *word = text_shell(name);

	fail_add(fail, FAIL_BUSY, "VM \"%s\" did not shut down within %u s", name,
		 options->timeout_s);
	if (subject->domain->state == HV_PAUSED)
		fail_cause(fail, "it is paused %s: it cannot hear the request",
			   subject->domain->paused_reason);
	else
		fail_cause(fail, "its power button was pressed %u time%s, and the guest still runs",
			   subject->presses, subject->presses == 1 ? "" : "s");
	fail_hint(fail, "gpuvm stop --timeout %u %s   or cut its power: gpuvm stop --force %s",
		  options->timeout_s * 2, word, word);
}

static unsigned kill_timeout_s(const struct finish_options *options)
{
	return options->kill_timeout_s == 0 ? FINISH_KILL_TIMEOUT_S : options->kill_timeout_s;
}

static void did_not_end(const struct finish_options *options, const struct subject *subject,
			struct fail *fail)
{
	const struct guest *guest = subject->finish->guest;
	CLEANUP(text) char *uri = options->uri == NULL ? NULL : text_shell(options->uri);
	CLEANUP(text) char *functions = NULL;

	for (size_t i = 0; i < guest->hostdev_count; i++)
		text_join(&functions, ", ", guest->hostdevs[i]);
	fail_add(fail, FAIL_HOST, "the QEMU of VM \"%s\" was killed and does not end",
		 subject->finish->name);
	fail_cause(fail, "not within %u s: the kernel has not taken back %s, as when a reset hangs",
		   kill_timeout_s(options), functions == NULL ? "its devices" : functions);
	fail_hint(fail,
		  "sudo dmesg | grep -i -e vfio -e 'not ready'   What has come back by then: gpuvm "
		  "list%s%s",
		  uri == NULL ? "" : " --connect ", uri == NULL ? "" : uri);
}

/* At the deadline the power of those that are not off is cut by force. */
static void cut(const struct finish_options *options, const struct house *house,
		struct subject *subject, struct fail *fail)
{
	int result;

	subject->finish->outcome = FINISH_STOPPED;
	subject->is_waited_for = false;
	if (subject->is_off || subject->has_failed)
		return;
	subject->finish->outcome = FINISH_FORCED;
	if (!options->force) {
		did_not_go(options, subject, fail);
		return;
	}
	result = hv_destroy(house->hv, subject->domain->uuid, fail);
	subject->is_off = result == 0;
	subject->is_waited_for = result > 0;
}

static void look_at_drivers(const struct finish_options *options, const struct house *house,
			    struct finish *finish)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();
	const struct giveback_means means = { .hv = house->hv,
					      .uri = options->uri,
					      .timeout_ms = GIVEBACK_TIMEOUT_MS };

	finish->giveback = giveback_check(finish->guest, house->root, &means);
	finish->quarantine = quarantine_lost(house->root, finish->guest, finish->giveback, owner);
	aftermath_settle(finish->guest, finish->giveback, finish->quarantine, house->hv);
}

/* All at once, and each to its end whatever becomes of the others. */
static void stop(const struct finish_options *options, const struct house *house,
		 struct subjects *subjects, struct fail *fail)
{
	const struct stage asked = { "shutting down", options->timeout_s,
				     options->ask_again_s == 0 ? FINISH_ASK_AGAIN_S
							       : options->ask_again_s };
	const struct stage killed = { "killed; the kernel takes back its GPUs",
				      kill_timeout_s(options), 0 };

	for (size_t i = 0; i < subjects->count; i++)
		ask(options, house, &subjects->items[i], fail);
	wait_until_off(options, house, subjects, &asked, fail);
	for (size_t i = 0; i < subjects->count; i++)
		cut(options, house, &subjects->items[i], fail);
	wait_until_off(options, house, subjects, &killed, fail);
	for (size_t i = 0; i < subjects->count; i++) {
		const struct subject *subject = &subjects->items[i];

		if (subject->is_off)
			look_at_drivers(options, house, subject->finish);
		else if (subject->is_waited_for)
			did_not_end(options, subject, fail);
	}
}

/* Those that were off when the house was opened; the subject may be one of them. */
static struct aftermath *look_at_ended(const struct finish_options *options,
				       const struct house *house)
{
	const struct giveback_means means = { .hv = house->hv,
					      .uri = options->uri,
					      .timeout_ms = ENDED_TIMEOUT_MS };

	return aftermath_check(house->domains, house->root, &means, NULL);
}

int finish_stop(const struct finish_options *options, const char *name, struct finish **ret_finish,
		struct fail *fail)
{
	__attribute__((cleanup(house_cleanup))) struct house house = { 0 };
	__attribute__((cleanup(subjects_cleanup))) struct subjects subjects = { 0 };
	struct finish *finish;

	if (open_house(options, &house, fail) < 0 ||
	    find(options, &house, name, "stop", &subjects, fail) < 0)
		return -1;
	finish = subjects.items[0].finish;
	if (!subjects.items[0].domain->is_active)
		finish->outcome = FINISH_WAS_OFF;
	else
		stop(options, &house, &subjects, fail);
	if (fail->kind != FAIL_NONE)
		return -1;
	finish->aftermath = look_at_ended(options, &house);
	*ret_finish = STEAL(subjects.items[0].finish);
	return 0;
}

int finish_stop_all(const struct finish_options *options, struct finish_list **ret_list,
		    struct fail *fail)
{
	__attribute__((cleanup(house_cleanup))) struct house house = { 0 };
	__attribute__((cleanup(subjects_cleanup))) struct subjects subjects = { 0 };
	struct finish_list *list = *ret_list = mem_alloc(1, sizeof *list);

	if (open_house(options, &house, fail) < 0)
		return -1;
	find_running(options, &house, &subjects);
	stop(options, &house, &subjects, fail);
	for (size_t i = 0; i < subjects.count; i++)
		if (subjects.items[i].is_off)
			*MEM_APPEND(list->items, list->count) = STEAL(subjects.items[i].finish);
	list->aftermath = look_at_ended(options, &house);
	return fail->kind == FAIL_NONE ? 0 : -1;
}

int finish_delete(const struct finish_options *options, const char *name,
		  struct finish **ret_finish, struct fail *fail)
{
	__attribute__((cleanup(house_cleanup))) struct house house = { 0 };
	__attribute__((cleanup(subjects_cleanup))) struct subjects subjects = { 0 };
	CLEANUP(text) char *word = text_shell(name);
	struct finish *finish;

	if (open_house(options, &house, fail) < 0 ||
	    find(options, &house, name, "delete", &subjects, fail) < 0)
		return -1;
	finish = subjects.items[0].finish;
	if (subjects.items[0].domain->is_active) {
		fail_add(fail, FAIL_BUSY, "VM \"%s\" is running", name);
		return fail_hint(fail, "gpuvm stop %s", word);
	}
	if (options->disks &&
	    finish_disks_delete(house.hv, house.domains, options->uri, finish, fail) < 0)
		return -1;
	finish_disks_list(options->uri, finish);
	/* Its record goes with it. */
	finish->aftermath = look_at_ended(options, &house);
	if (finish->guest->seed_volume != NULL &&
	    hv_volume_delete(house.hv, finish->guest->seed_pool, finish->guest->seed_volume, fail) <
		    0)
		return -1;
	if (hv_undefine(house.hv, subjects.items[0].domain->uuid, false, fail) < 0)
		return -1;
	held_drop(house.root, subjects.items[0].domain->uuid);
	finish->outcome = FINISH_DELETED;
	*ret_finish = STEAL(subjects.items[0].finish);
	return 0;
}

void finish_list_free(struct finish_list *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		finish_free(list->items[i]);
	aftermath_free(list->aftermath);
	free(list->items);
	free(list);
}

void finish_free(struct finish *finish)
{
	if (finish == NULL)
		return;
	for (size_t i = 0; i < finish->disk_count; i++) {
		free(finish->disks[i].path);
		free(finish->disks[i].remedy);
	}
	free(finish->disks);
	quarantine_free(finish->quarantine);
	giveback_free(finish->giveback);
	aftermath_free(finish->aftermath);
	guest_free(finish->guest);
	free(finish->name);
	free(finish);
}
