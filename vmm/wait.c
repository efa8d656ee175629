// SPDX-License-Identifier: MIT
#include "vmm/wait.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "vmm/base/clock.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/guest.h"
#include "vmm/hv_agent.h"
#include "vmm/log.h"

enum {
	POLL_MS = 1000,
	AGENT_TIMEOUT_S = 5,
	PROGRAM_TIMEOUT_S = 30, /* a guest that boots is slow */
};

unsigned wait_timeout_s(const struct wait_size *size)
{
	uint64_t seconds = 300 + size->memory_bytes / (2 * SIZE_GIB) +
			   size->bar_bytes / (4 * SIZE_GIB) + UINT64_C(30) * size->gpu_count;

	return seconds > 86400 ? 86400 : (unsigned)seconds;
}

/* A wait under way. */
struct watch {
	struct hv *hv;
	const char *uuid, *name;
	const struct wait_options *options;
	struct wait *seen;
	struct guest *guest; /* as it is defined */
	bool has_looked;     /* at its console */
	uint64_t log_bytes;  /* of the serial log, when it was looked at last */
	double began;
	double written_at;       /* when it had grown last */
	double agent_at, ssh_at; /* when each answered first, all considered; 0: not yet */
	bool agent_cannot_run;   /* guest-exec is not there: cloud-init stays unknown */
};

static void watch_cleanup(struct watch *watch)
{
	guest_free(watch->guest);
}

static int read_domain(struct watch *watch, struct fail *fail)
{
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	const struct hv_domain *domain;

	if (hv_domains_read(watch->hv, &domains, fail) < 0)
		return -1;
	domain = hv_domains_find(domains, watch->name);
	if (domain == NULL || guest_parse(domain->xml, &watch->guest, fail) < 0)
		return domain == NULL ? 0
				      : -1; /* that it is gone is told by whether it is active */
	watch->seen->has_network = watch->guest->mac != NULL;
	return 0;
}

/* Opened and closed each time: as long as it is open, it may hold signals back. */
static void look_at_console(struct watch *watch)
{
	CLEANUP(fail) struct fail unreadable = { 0 };
	CLEANUP(log) struct log *log = NULL;
	uint64_t bytes = 0;
	bool exists = false;

	if (log_open(watch->hv, watch->options->directory, watch->name, LOG_SERIAL, &log,
		     &unreadable) < 0 ||
	    log_size(log, &bytes, &exists, &unreadable) < 0)
		return;
	if (!watch->has_looked) {
		/* The log goes on from one start to the next. */
		watch->seen->has_written = watch->options->was_running && bytes > 0;
	} else if (bytes != watch->log_bytes) {
		watch->seen->has_written = true;
		watch->written_at = clock_seconds();
	}
	watch->has_looked = true;
	watch->log_bytes = bytes;
}

static enum wait_cloud_init read_result(const struct hv_agent_output *output)
{
	json_t *result = json_loadb(output->out, output->out_bytes, JSON_REJECT_DUPLICATES, NULL);
	const json_t *errors = json_object_get(json_object_get(result, "v1"), "errors");
	bool failed = !json_is_array(errors) || json_array_size(errors) > 0;

	json_decref(result);
	return failed ? WAIT_CLOUD_INIT_FAILED : WAIT_CLOUD_INIT_DONE;
}

/*
 * cloud-init's generator says before anything else runs whether it will (/run/cloud-init/enabled), and its last stage
 * writes result.json (cloud-init 22.4, "Boot stages" and "Datasource status files"); `cloud-init status --wait` would
 * hold the agent up for as long.
 */
static void look_at_cloud_init(struct watch *watch)
{
	static const char *const argv[] = {
		"/bin/sh", "-c",
		"cat /run/cloud-init/result.json 2>/dev/null && exit 0; "
		"test -e /run/cloud-init/enabled && exit 3; exit 4",
		NULL
	};
	CLEANUP(fail) struct fail unknown = { 0 };
	CLEANUP(hv_agent_output) struct hv_agent_output *output = NULL;
	enum hv_agent_problem problem = HV_AGENT_BROKEN;

	if (hv_agent_exec(watch->hv, watch->uuid, argv, PROGRAM_TIMEOUT_S, &output, &problem,
			  &unknown) < 0) {
		watch->agent_cannot_run = problem == HV_AGENT_DISABLED ||
					  problem == HV_AGENT_NO_PROGRAM;
		return;
	}
	switch (output->exit_code) {
	case 0:
		watch->seen->cloud_init = read_result(output);
		break;
	case 3:
		watch->seen->cloud_init = WAIT_CLOUD_INIT_RUNNING;
		break;
	default:
		watch->seen->cloud_init = WAIT_CLOUD_INIT_NONE;
		break;
	}
}

static bool is_settled(const struct watch *watch)
{
	return watch->agent_cannot_run || (watch->seen->cloud_init != WAIT_CLOUD_INIT_UNKNOWN &&
					   watch->seen->cloud_init != WAIT_CLOUD_INIT_RUNNING);
}

static void look_at_agent(struct watch *watch)
{
	CLEANUP(fail) struct fail absent = { 0 };

	if (watch->agent_at != 0)
		return;
	if (!watch->seen->has_agent)
		watch->seen->has_agent = hv_agent_ping(watch->hv, watch->uuid, AGENT_TIMEOUT_S,
						       NULL, &absent) == 0;
	if (!watch->seen->has_agent)
		return;
	look_at_cloud_init(watch);
	if (is_settled(watch))
		watch->agent_at = clock_seconds();
}

static void look_at_network(struct watch *watch)
{
	struct wait *seen = watch->seen;

	if (watch->guest == NULL || seen->has_ssh)
		return;
	seen->has_address = seen->has_network &&
			    address_find(watch->hv, watch->uuid, watch->guest->mac, seen->has_agent,
					 &seen->address);
	if (seen->has_address)
		seen->has_ssh = address_has_ssh(&seen->address);
	else
		seen->has_address = seen->has_ssh = address_of_vsock(watch->guest, &seen->address);
	if (seen->has_ssh)
		watch->ssh_at = clock_seconds();
}

/* By a network, or by vsock without one. */
static bool may_have_ssh(const struct watch *watch)
{
	return watch->seen->has_network || (watch->guest != NULL && watch->guest->vsock_cid != 0);
}

static bool has_answered(struct watch *watch)
{
	struct wait *seen = watch->seen;
	double now = clock_seconds();

	if (watch->agent_at != 0)
		return !may_have_ssh(watch) || seen->has_ssh || now - watch->agent_at >= WAIT_SSH_S;
	if (seen->has_agent)
		return false;
	if (seen->has_ssh)
		return now - watch->ssh_at >= WAIT_AGENT_S;
	seen->is_guess = !seen->has_network && seen->has_written &&
			 now - watch->written_at >= WAIT_QUIET_S;
	return seen->is_guess;
}

static int give_up(const struct watch *watch, bool is_off, struct fail *fail)
{
	CLEANUP(text) char *words = wait_words(watch->seen);
	CLEANUP(text) char *name = text_printable(watch->name, 0);
	CLEANUP(text) char *word = text_shell(watch->name);

	if (is_off) {
		fail_add(fail, FAIL_FAIL, "VM \"%s\" ended %.0f s after its start", name,
			 watch->seen->seconds);
		fail_cause(
			fail,
			"its guest powered off or crashed, or somebody stopped it; seen before: %s",
			words);
		return fail_hint(fail, "gpuvm log %s; gpuvm log --qemu %s", word, word);
	}
	fail_add(fail, FAIL_FAIL,
		 "the guest of VM \"%s\" has not answered within %u s; the VM goes on", name,
		 watch->options->timeout_s);
	fail_cause(fail, "seen: %s", words);
	return fail_hint(
		fail, "look: gpuvm console %s; or wait longer: gpuvm start --wait --timeout %u %s",
		word, watch->options->timeout_s * 2 > 86400 ? 86400 : watch->options->timeout_s * 2,
		word);
}

/* @told: what was seen when it was told last, in words; NULL at first. */
static void report(struct watch *watch, char **told)
{
	char *words = wait_words(watch->seen);

	if (watch->options->progress != NULL)
		watch->options->progress(watch->options->progress_data, watch->seen,
					 watch->options->timeout_s, !text_equal(words, *told));
	free(*told);
	*told = words;
}

static int watch_on(struct watch *watch, struct fail *fail)
{
	struct timespec pause = { .tv_sec = POLL_MS / 1000 };
	CLEANUP(text) char *told = NULL;

	while (true) {
		bool active = false;

		if (hv_is_active(watch->hv, watch->uuid, &active, fail) < 0)
			return -1;
		watch->seen->seconds = clock_seconds() - watch->began;
		if (!active)
			return give_up(watch, true, fail);
		look_at_console(watch);
		look_at_agent(watch);
		look_at_network(watch);
		watch->seen->seconds = clock_seconds() - watch->began;
		if (has_answered(watch))
			return 0;
		if (watch->seen->seconds >= watch->options->timeout_s)
			return give_up(watch, false, fail);
		report(watch, &told);
		nanosleep(&pause, NULL);
	}
}

int wait_for_guest(struct hv *hv, const char *uuid, const char *name,
		   const struct wait_options *options, struct wait *ret_wait, struct fail *fail)
{
	__attribute__((cleanup(watch_cleanup))) struct watch watch = { .hv = hv,
								       .uuid = uuid,
								       .name = name,
								       .options = options,
								       .seen = ret_wait,
								       .began = clock_seconds() };

	memset(ret_wait, 0, sizeof *ret_wait);
	watch.written_at = watch.began;
	return read_domain(&watch, fail) < 0 ? -1 : watch_on(&watch, fail);
}

static const char *cloud_init_words(enum wait_cloud_init state)
{
	switch (state) {
	case WAIT_CLOUD_INIT_UNKNOWN:
		return "cloud-init cannot be asked";
	case WAIT_CLOUD_INIT_NONE:
		return "no cloud-init";
	case WAIT_CLOUD_INIT_RUNNING:
		return "cloud-init runs";
	case WAIT_CLOUD_INIT_DONE:
		return "cloud-init is done";
	case WAIT_CLOUD_INIT_FAILED:
		return "cloud-init is done, with errors";
	}
	return "";
}

char *wait_words(const struct wait *wait)
{
	CLEANUP(text) char *words = NULL;

	if (!wait->has_agent && !wait->has_ssh)
		text_join(&words, ", ", wait->has_written ? "console output" : "no console output");
	text_join(&words, ", ", wait->has_agent ? "agent answers" : "no agent");
	if (wait->has_agent)
		text_join(&words, ", ", cloud_init_words(wait->cloud_init));
	if (!wait->has_address) {
		text_join(&words, ", ", wait->has_network ? "no address" : "no network");
	} else {
		text_join(&words, ", ", wait->has_ssh ? "ssh answers at " : "no ssh at ");
		text_add(&words, "%s", wait->address.text);
	}
	return STEAL(words);
}
