// SPDX-License-Identifier: MIT
#include "vmm/finish.h"

#include <stdlib.h>
#include <time.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv.h"
#include "vmm/owner.h"

#define POLL_MS          200
#define ENDED_TIMEOUT_MS 1000

/* A VM by name, and the right to end it. */
struct subject {
	struct hv *hv;
	struct hv_domains *domains;
	const struct hv_domain *domain;
	struct finish *finish;
};

static void subject_cleanup(struct subject *subject)
{
	finish_free(subject->finish);
	hv_domains_free(subject->domains);
	hv_close(subject->hv);
}

static int open_subject(const struct finish_options *options, const char *name, const char *verb,
			struct subject *subject, struct fail *fail)
{
	CLEANUP(owner) struct owner *owner = owner_of_caller();

	if (hv_open(options->uri == NULL ? HV_URI_DEFAULT : options->uri, HV_WRITE, &subject->hv,
		    fail) < 0 ||
	    hv_domains_read(subject->hv, &subject->domains, fail) < 0)
		return -1;
	subject->domain = hv_domains_find(subject->domains, name);
	if (subject->domain == NULL) {
		fail_add(fail, FAIL_USAGE, "there is no VM named \"%s\"", name);
		return fail_hint(fail, "see which there are: gpuvm list");
	}
	subject->finish = mem_alloc(1, sizeof *subject->finish);
	subject->finish->name = text_printable(name, 0);
	if (guest_parse(subject->domain->xml, &subject->finish->guest, fail) < 0)
		return -1;
	return owner_may(owner, subject->finish->guest, options->uri, verb, options->force, fail);
}

/* Waits until the VM is off, at most until the timeout; tells once a second how long is left. */
static int wait_until_off(const struct finish_options *options, struct subject *subject,
			  bool *ret_off, struct fail *fail)
{
	const struct timespec step = { .tv_nsec = POLL_MS * 1000000L };

	for (unsigned waited_ms = 0;; waited_ms += POLL_MS) {
		bool active = false;

		if (hv_is_active(subject->hv, subject->domain->uuid, &active, fail) < 0)
			return -1;
		*ret_off = !active;
		if (!active || waited_ms >= options->timeout_s * 1000)
			return 0;
		if (options->countdown != NULL && waited_ms % 1000 == 0)
			options->countdown(options->countdown_data,
					   options->timeout_s - waited_ms / 1000);
		nanosleep(&step, NULL);
	}
}

static int did_not_go(const struct finish_options *options, const struct subject *subject,
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
		fail_cause(fail, "the guest was asked by its power button and still runs");
	return fail_hint(fail,
			 "gpuvm stop --timeout %u %s   or cut its power: gpuvm stop --force %s",
			 options->timeout_s * 2, word, word);
}

/* Whether the guest went when asked. With force it is only asked if it can hear: if not, it has not gone. */
static int ask(const struct finish_options *options, struct subject *subject, bool *ret_off,
	       struct fail *fail)
{
	CLEANUP(fail) struct fail unheard = { 0 };

	if (options->force && (subject->domain->state == HV_PAUSED ||
			       hv_shutdown(subject->hv, subject->domain->uuid, &unheard) < 0))
		return 0;
	if (!options->force && hv_shutdown(subject->hv, subject->domain->uuid, fail) < 0)
		return -1;
	return wait_until_off(options, subject, ret_off, fail);
}

static int end(const struct finish_options *options, struct subject *subject, struct fail *fail)
{
	bool off = false;

	if (ask(options, subject, &off, fail) < 0)
		return -1;
	subject->finish->outcome = FINISH_STOPPED;
	if (off)
		return 0;
	if (!options->force)
		return did_not_go(options, subject, fail);
	subject->finish->outcome = FINISH_FORCED;
	return hv_destroy(subject->hv, subject->domain->uuid, fail);
}

/* Those that were off when the subject was looked for; it may be one of them. */
static void look_at_ended(const struct finish_options *options, const struct root *root,
			  struct subject *subject)
{
	const struct giveback_means means = { .hv = subject->hv,
					      .uri = options->uri,
					      .timeout_ms = ENDED_TIMEOUT_MS };

	subject->finish->aftermath = aftermath_check(subject->domains, root, &means);
}

int finish_stop(const struct finish_options *options, const char *name, struct finish **ret_finish,
		struct fail *fail)
{
	__attribute__((cleanup(subject_cleanup))) struct subject subject = { 0 };
	CLEANUP(root) struct root *root = NULL;

	if (root_open(NULL, &root, fail) < 0 ||
	    open_subject(options, name, "stop", &subject, fail) < 0)
		return -1;
	if (!subject.domain->is_active) {
		subject.finish->outcome = FINISH_WAS_OFF;
	} else {
		const struct giveback_means means = { .hv = subject.hv,
						      .uri = options->uri,
						      .timeout_ms = GIVEBACK_TIMEOUT_MS };

		if (end(options, &subject, fail) < 0)
			return -1;
		subject.finish->giveback = giveback_check(subject.finish->guest, root, &means);
		aftermath_settle(subject.finish->guest, subject.finish->giveback, subject.hv);
	}
	look_at_ended(options, root, &subject);
	*ret_finish = STEAL(subject.finish);
	return 0;
}

int finish_delete(const struct finish_options *options, const char *name,
		  struct finish **ret_finish, struct fail *fail)
{
	__attribute__((cleanup(subject_cleanup))) struct subject subject = { 0 };
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(text) char *word = text_shell(name);

	if (root_open(NULL, &root, fail) < 0 ||
	    open_subject(options, name, "delete", &subject, fail) < 0)
		return -1;
	if (subject.domain->is_active) {
		fail_add(fail, FAIL_BUSY, "VM \"%s\" is running", name);
		return fail_hint(fail, "gpuvm stop %s", word);
	}
	/* Its record goes with it. */
	look_at_ended(options, root, &subject);
	if (hv_undefine(subject.hv, subject.domain->uuid, false, fail) < 0)
		return -1;
	subject.finish->outcome = FINISH_DELETED;
	*ret_finish = STEAL(subject.finish);
	return 0;
}

void finish_free(struct finish *finish)
{
	if (finish == NULL)
		return;
	giveback_free(finish->giveback);
	aftermath_free(finish->aftermath);
	guest_free(finish->guest);
	free(finish->name);
	free(finish);
}
