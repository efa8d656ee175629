// SPDX-License-Identifier: MIT
#include "vmm/hv_agent.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>

#include "vmm/base/base64.h"
#include "vmm/base/clock.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/guest.h"
#include "vmm/hv_internal.h"

enum {
	MOST_ANSWER = 4 << 20, /* bytes: libvirt's own limit for a string in its protocol */
	MOST_CAUSE = 300,      /* bytes of the guest's words in a message */
	POLL_MS = 50, /* how soon an end is asked for at first; doubled up to MOST_POLL_MS */
	MOST_POLL_MS = 1000,
	/* Of libvirt 10.1 and newer; the headers of 9.0 have no names for them. */
	ERR_AGENT_COMMAND_TIMEOUT = 112,
};

static inline void json_cleanup(json_t **value)
{
	json_decref(*value);
}

/* One question to one agent. */
struct talk {
	virDomainPtr domain;
	char *name; /* of the VM, printable */
	double deadline;
	enum hv_agent_problem problem;
};

static void talk_cleanup(struct talk *talk)
{
	vir_domain_cleanup(&talk->domain);
	free(talk->name);
}

static int problem(struct talk *talk, enum hv_agent_problem which, struct fail *fail)
{
	CLEANUP(text) char *cause = text_printable(virGetLastErrorMessage(), MOST_CAUSE);
	const char *name = talk->name;

	talk->problem = which;
	switch (which) {
	case HV_AGENT_OFF:
		fail_add(fail, FAIL_BUSY, "VM \"%s\" does not run", name);
		return fail_hint(fail, "gpuvm start %s", name);
	case HV_AGENT_NO_CHANNEL:
		fail_add(fail, FAIL_FAIL, "VM \"%s\" has no channel for a guest agent", name);
		fail_cause(fail, "it was started by a gpuvm that gave it none, or edited since");
		return fail_hint(fail, "gpuvm stop %s && gpuvm start %s", name, name);
	case HV_AGENT_ABSENT:
		fail_add(fail, FAIL_FAIL, "no guest agent runs in VM \"%s\"", name);
		fail_cause(fail, "nobody in the guest has the channel org.qemu.guest_agent.0 open");
		return fail_hint(
			fail, "in the guest: apt install qemu-guest-agent   (dnf, zypper alike)");
	case HV_AGENT_SILENT:
		fail_add(fail, FAIL_FAIL, "the guest agent of VM \"%s\" does not answer", name);
		fail_cause(fail, "libvirt: %s", cause);
		return fail_hint(fail, "see what the guest does: gpuvm log %s", name);
	case HV_AGENT_DISABLED:
		fail_add(fail, FAIL_FAIL, "the guest agent of VM \"%s\" runs no programs", name);
		fail_cause(fail, "guest-exec is switched off in the guest");
		return fail_hint(fail,
				 "in the guest: allow guest-exec in /etc/qemu/qemu-ga.conf or "
				 "/etc/sysconfig/qemu-ga, then restart qemu-guest-agent");
	case HV_AGENT_ANSWERS:
	case HV_AGENT_NO_PROGRAM:
	case HV_AGENT_TIMEOUT:
	case HV_AGENT_BROKEN:
		break;
	}
	fail_add(fail, FAIL_HV, "the guest agent of VM \"%s\" cannot be asked", name);
	return fail_cause(fail, "libvirt: %s", cause);
}

/* The agent said something, and it is no answer. */
static int malformed(struct talk *talk, const char *command, struct fail *fail)
{
	talk->problem = HV_AGENT_BROKEN;
	fail_add(fail, FAIL_HV, "the guest agent of VM \"%s\" cannot be asked", talk->name);
	return fail_cause(fail, "its answer to %s is none", command);
}

/* What libvirt knows before the agent is asked, which could take seconds. */
static int check_channel(struct talk *talk, struct fail *fail)
{
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(text) char *xml = NULL;

	if (virDomainIsActive(talk->domain) == 0)
		return problem(talk, HV_AGENT_OFF, fail);
	xml = virDomainGetXMLDesc(talk->domain, 0);
	if (xml == NULL)
		return problem(talk, HV_AGENT_BROKEN, fail);
	if (guest_parse(xml, &guest, fail) < 0) {
		talk->problem = HV_AGENT_BROKEN;
		return -1;
	}
	if (guest->agent == GUEST_AGENT_NONE)
		return problem(talk, HV_AGENT_NO_CHANNEL, fail);
	if (guest->agent == GUEST_AGENT_CLOSED)
		return problem(talk, HV_AGENT_ABSENT, fail);
	return 0;
}

static int begin(struct hv *hv, const char *uuid, unsigned timeout_s, struct talk *talk,
		 struct fail *fail)
{
	talk->deadline = clock_seconds() + timeout_s;
	talk->domain = virDomainLookupByUUIDString(hv->connection, uuid);
	if (talk->domain == NULL) {
		talk->problem = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? HV_AGENT_OFF
									   : HV_AGENT_BROKEN;
		return hv_fail(fail, "libvirt does not find the VM");
	}
	talk->name = text_printable(virDomainGetName(talk->domain), 0);
	return check_channel(talk, fail);
}

/* libvirt's last error to a question that the agent could have answered. */
static int refused(struct talk *talk, struct fail *fail)
{
	int code = virGetLastErrorCode();

	switch (code) {
	case VIR_ERR_AGENT_UNRESPONSIVE:
	case VIR_ERR_AGENT_UNSYNCED:
	case VIR_ERR_OPERATION_TIMEOUT:
	case ERR_AGENT_COMMAND_TIMEOUT:
		return problem(talk, HV_AGENT_SILENT, fail);
	case VIR_ERR_ARGUMENT_UNSUPPORTED:
		return problem(talk, HV_AGENT_NO_CHANNEL, fail);
	case VIR_ERR_OPERATION_INVALID: /* it does not run any more, or is paused */
		return problem(
			talk, virDomainIsActive(talk->domain) == 0 ? HV_AGENT_OFF : HV_AGENT_SILENT,
			fail);
	default:
		return problem(talk, HV_AGENT_BROKEN, fail);
	}
}

/* What @command, with @arguments (taken; NULL: none), returns: an object. */
static int ask(struct talk *talk, const char *command, json_t *arguments, json_t **ret_return,
	       struct fail *fail)
{
	CLEANUP(json) json_t *request = json_pack("{s:s}", "execute", command);
	CLEANUP(json) json_t *reply = NULL;
	CLEANUP(text) char *text = NULL;
	CLEANUP(text) char *answer = NULL;
	double left = talk->deadline - clock_seconds();
	json_t *value;

	if (arguments != NULL)
		json_object_set_new(request, "arguments", arguments);
	text = json_dumps(request, JSON_COMPACT);
	answer = virDomainQemuAgentCommand(talk->domain, text, left < 1 ? 1 : (int)left, 0);
	if (answer == NULL)
		return refused(talk, fail);
	if (strlen(answer) <= MOST_ANSWER)
		reply = json_loads(answer, JSON_REJECT_DUPLICATES, NULL);
	value = json_object_get(reply, "return");
	if (!json_is_object(value))
		return malformed(talk, command, fail);
	*ret_return = json_incref(value);
	return 0;
}

/* libvirt drops the class of the agent's error; guest-info says the same in a form that is no prose. */
static bool is_disabled(struct talk *talk, const char *command)
{
	CLEANUP(fail) struct fail unknown = { 0 };
	CLEANUP(json) json_t *info = NULL;
	const json_t *commands, *row;
	size_t i;

	if (ask(talk, "guest-info", NULL, &info, &unknown) < 0)
		return false;
	commands = json_object_get(info, "supported_commands");
	json_array_foreach(commands, i, row)
	{
		if (text_equal(json_string_value(json_object_get(row, "name")), command))
			return json_is_false(json_object_get(row, "enabled"));
	}
	return json_is_array(commands);
}

/* Why guest-exec itself failed, which @seen says. */
static int not_started(struct talk *talk, const char *program, struct fail *seen, struct fail *fail)
{
	const char *cause = seen->items[0].cause;

	if (talk->problem == HV_AGENT_BROKEN && is_disabled(talk, "guest-exec"))
		return problem(talk, HV_AGENT_DISABLED, fail);
	/* The agent's words are GLib's (g_spawn_async), in the guest's language; the system's text for ENOENT is in them. */
	if (talk->problem == HV_AGENT_BROKEN && cause != NULL &&
	    strstr(cause, "No such file or directory") != NULL) {
		talk->problem = HV_AGENT_NO_PROGRAM;
		fail_add(fail, FAIL_FAIL, "VM \"%s\" has no program \"%s\"", talk->name, program);
		return fail_cause(fail, "%s", cause);
	}
	*fail = *seen;
	*seen = (struct fail){ 0 };
	return -1;
}

static int not_utf8(struct talk *talk, const char *argument, struct fail *fail)
{
	talk->problem = HV_AGENT_BROKEN;
	fail_add(fail, FAIL_USAGE, "\"%s\" is not UTF-8", argument);
	return fail_cause(fail, "the guest agent takes nothing else (RFC 8259, 8.1)");
}

static int spawn(struct talk *talk, const char *const *argv, json_int_t *ret_pid, struct fail *fail)
{
	CLEANUP(json) json_t *value = NULL;
	CLEANUP(fail) struct fail seen = { 0 };
	json_t *arguments = json_array();
	const json_t *pid;

	for (const char *const *argument = argv; *argument != NULL; argument++)
		if (!text_is_utf8(*argument, strlen(*argument))) {
			json_decref(arguments);
			return not_utf8(talk, *argument, fail);
		}
	for (const char *const *argument = argv + 1; *argument != NULL; argument++)
		json_array_append_new(arguments, json_string(*argument));
	if (ask(talk, "guest-exec",
		json_pack("{s:s, s:o, s:b}", "path", argv[0], "arg", arguments, "capture-output",
			  1),
		&value, &seen) < 0)
		return not_started(talk, argv[0], &seen, fail);
	pid = json_object_get(value, "pid");
	if (!json_is_integer(pid))
		return malformed(talk, "guest-exec", fail);
	*ret_pid = json_integer_value(pid);
	return 0;
}

/* @status's member @key, base64 (RFC 4648) as bytes. */
static int decode(const json_t *status, const char *key, char **ret_bytes, size_t *ret_count)
{
	const json_t *value = json_object_get(status, key);
	unsigned char *bytes = NULL;

	if (value == NULL) {
		*ret_bytes = mem_strdup("");
		*ret_count = 0;
		return 0;
	}
	if (!json_is_string(value) ||
	    !base64_decode(json_string_value(value), json_string_length(value), &bytes, ret_count))
		return -1;
	*ret_bytes = (char *)bytes;
	return 0;
}

/* A member of @status from 0 to INT_MAX; @fallback if it is absent; -2 if it is anything else. */
static int number_of(const json_t *status, const char *key, int fallback)
{
	const json_t *value = json_object_get(status, key);

	if (value == NULL)
		return fallback;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > INT_MAX)
		return -2;
	return (int)json_integer_value(value);
}

static struct hv_agent_output *read_end(const json_t *status)
{
	CLEANUP(hv_agent_output)
	struct hv_agent_output *output = mem_alloc(1, sizeof *output);

	if (decode(status, "out-data", &output->out, &output->out_bytes) < 0 ||
	    decode(status, "err-data", &output->err, &output->err_bytes) < 0)
		return NULL;
	output->exit_code = number_of(status, "exitcode", -1);
	output->signal = number_of(status, "signal", 0);
	if (output->exit_code == -2 || output->signal == -2)
		return NULL;
	output->out_is_cut = json_is_true(json_object_get(status, "out-truncated"));
	output->err_is_cut = json_is_true(json_object_get(status, "err-truncated"));
	return STEAL(output);
}

static int not_ended(struct talk *talk, const char *program, struct fail *fail)
{
	talk->problem = HV_AGENT_TIMEOUT;
	fail_add(fail, FAIL_FAIL, "\"%s\" did not end in time in VM \"%s\"", program, talk->name);
	return fail_cause(fail, "it goes on there");
}

static void wait_ms(unsigned ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&time, NULL);
}

static int await(struct talk *talk, const char *program, json_int_t pid,
		 struct hv_agent_output **ret_output, struct fail *fail)
{
	for (unsigned pause_ms = POLL_MS;;
	     pause_ms = pause_ms * 2 > MOST_POLL_MS ? MOST_POLL_MS : pause_ms * 2) {
		CLEANUP(json) json_t *status = NULL;
		const json_t *exited;

		if (ask(talk, "guest-exec-status", json_pack("{s:I}", "pid", pid), &status, fail) <
		    0)
			return -1;
		exited = json_object_get(status, "exited");
		if (json_is_true(exited)) {
			*ret_output = read_end(status);
			return *ret_output == NULL ? malformed(talk, "guest-exec-status", fail) : 0;
		}
		if (!json_is_false(exited))
			return malformed(talk, "guest-exec-status", fail);
		if (clock_seconds() >= talk->deadline)
			return not_ended(talk, program, fail);
		wait_ms(pause_ms);
	}
}

int hv_agent_ping(struct hv *hv, const char *uuid, unsigned timeout_s,
		  enum hv_agent_problem *ret_problem, struct fail *fail)
{
	__attribute__((cleanup(talk_cleanup))) struct talk talk = { 0 };
	CLEANUP(json) json_t *value = NULL;
	int result = begin(hv, uuid, timeout_s, &talk, fail);

	if (result == 0)
		result = ask(&talk, "guest-ping", NULL, &value, fail);
	if (ret_problem != NULL)
		*ret_problem = talk.problem;
	return result;
}

int hv_agent_exec(struct hv *hv, const char *uuid, const char *const *argv, unsigned timeout_s,
		  struct hv_agent_output **ret_output, enum hv_agent_problem *ret_problem,
		  struct fail *fail)
{
	__attribute__((cleanup(talk_cleanup))) struct talk talk = { 0 };
	struct hv_agent_output *output = NULL;
	json_int_t pid = 0;
	int result = begin(hv, uuid, timeout_s, &talk, fail);

	if (result == 0)
		result = spawn(&talk, argv, &pid, fail);
	if (result == 0)
		result = await(&talk, argv[0], pid, &output, fail);
	if (ret_problem != NULL)
		*ret_problem = talk.problem;
	if (result == 0)
		*ret_output = output;
	return result;
}

void hv_agent_output_free(struct hv_agent_output *output)
{
	if (output == NULL)
		return;
	free(output->out);
	free(output->err);
	free(output);
}
