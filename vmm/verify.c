// SPDX-License-Identifier: MIT
#include "vmm/verify.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/absent.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv.h"
#include "vmm/hv_agent.h"
#include "vmm/verify_internal.h"

enum needs {
	NEEDS_HOST,
	NEEDS_AGENT,
	NEEDS_INSIDE,  /* what the guest tells of its functions */
	NEEDS_DRIVERS, /* and of its drivers */
};

static const struct {
	const char *name;
	enum needs needs;
	verify_check *check;
} checks[] = {
	{ "QEMU", NEEDS_HOST, verify_check_process },
	{ "driver", NEEDS_HOST, verify_check_driver },
	{ "holder", NEEDS_HOST, verify_check_holder },
	{ "link width", NEEDS_HOST, verify_check_width },
	{ "link speed", NEEDS_HOST, verify_check_speed },
	{ "power state", NEEDS_HOST, verify_check_power },
	{ "PCIe errors", NEEDS_HOST, verify_check_errors },
	{ "vCPU threads", NEEDS_HOST, verify_check_vcpus },
	{ "QEMU's threads", NEEDS_HOST, verify_check_emulator },
	{ "memory", NEEDS_HOST, verify_check_memory },
	{ "definition", NEEDS_HOST, verify_check_definition },
	{ "guest agent", NEEDS_AGENT, verify_check_agent },
	{ "guest GPUs", NEEDS_INSIDE, verify_check_count },
	{ "guest ids", NEEDS_INSIDE, verify_check_ids },
	{ "guest BARs", NEEDS_INSIDE, verify_check_bars },
	{ "guest node", NEEDS_INSIDE, verify_check_node },
	{ "guest port", NEEDS_INSIDE, verify_check_port },
	{ "guest driver", NEEDS_INSIDE, verify_check_guest_driver },
	{ "guest tools", NEEDS_DRIVERS, verify_check_tools },
	{ "guest messages", NEEDS_DRIVERS, verify_check_messages },
};

static void add_problems(const struct verify_evidence *evidence, const struct guest *guest,
			 const char *source, struct findings *findings)
{
	for (size_t i = 0; guest != NULL && i < guest->problem_count; i++) {
		struct finding *row = findings_add(findings, FINDING_FAILED, NULL);

		row->source = text_format("virsh dumpxml %s%s", source, evidence->name);
		row->found = text_printable(guest->problems[i], 200);
		row->expected = mem_strdup("as gpuvm wrote it");
		row->hint = text_format("its next start repairs it: gpuvm stop %s, then gpuvm "
					"start %s",
					evidence->name, evidence->name);
	}
}

void verify_check_definition(const struct verify_evidence *evidence, struct findings *findings)
{
	size_t before = findings->count;
	struct finding *row;

	add_problems(evidence, evidence->guest, "", findings);
	add_problems(evidence, evidence->definition, "--inactive ", findings);
	if (evidence->definition == NULL) {
		row = findings_add(findings, FINDING_WARNING, NULL);
		row->source = mem_strdup("virsh dumpxml --inactive");
		row->found = mem_strdup("it has none any more");
		row->hint = mem_strdup("it is forgotten when it stops: start it again from its "
				       "file");
	}
	if (findings->count > before)
		return;
	row = findings_add(findings, FINDING_OK, NULL);
	row->source = text_format("virsh dumpxml %s", evidence->name);
	row->found = mem_strdup("as gpuvm wrote it");
}

static bool can_check(const struct verify_evidence *evidence, enum needs needs)
{
	switch (needs) {
	case NEEDS_HOST:
	case NEEDS_AGENT:
		return true;
	case NEEDS_INSIDE:
		return evidence->inside != NULL;
	case NEEDS_DRIVERS:
		return evidence->drivers != NULL;
	}
	return false;
}

static void run_check(const struct verify_evidence *evidence, size_t number,
		      struct findings *findings)
{
	size_t first = findings->count;

	if (can_check(evidence, checks[number].needs))
		checks[number].check(evidence, findings);
	else
		findings_add(findings, FINDING_NOT_CHECKED, NULL)->found = mem_strdup(
			"the guest did not tell: see guest agent");
	for (size_t i = first; i < findings->count; i++) {
		findings->rows[i].check = checks[number].name;
		findings->rows[i].scope = checks[number].needs == NEEDS_HOST ? "host" : "guest";
	}
}

struct findings *verify_judge_evidence(const struct verify_evidence *evidence)
{
	struct findings *findings = findings_begin(evidence->name);

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		if (checks[i].needs == NEEDS_HOST || !evidence->host_only)
			run_check(evidence, i, findings);
	return findings;
}

/* The first of the failure's words, for a row. */
static void take_problem(const struct fail *fail, char **ret_problem, char **ret_hint)
{
	const struct fail_item *item = fail->items;

	*ret_problem = text_printable(item->what, 300);
	if (item->cause != NULL) {
		CLEANUP(text) char *cause = text_printable(item->cause, 300);

		text_add(ret_problem, ": %s", cause);
	}
	*ret_hint = item->hint == NULL ? NULL : text_printable(item->hint, 300);
}

/* The script's output, or why there is none. */
static struct hv_agent_output *ask(struct hv *hv, const char *uuid, const char *script,
				   unsigned timeout_s, char **ret_problem, char **ret_hint)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	CLEANUP(fail) struct fail fail = { 0 };
	struct hv_agent_output *output = NULL;

	if (hv_agent_exec(hv, uuid, argv, timeout_s, &output, NULL, &fail) == 0)
		return output;
	take_problem(&fail, ret_problem, ret_hint);
	return NULL;
}

static void malformed(const char *problem, const char *name, char **ret_problem, char **ret_hint)
{
	*ret_problem = text_format("the guest's answer cannot be used: %s", problem);
	*ret_hint = text_format("once more: gpuvm verify %s", name);
}

static void ask_guest(struct hv *hv, unsigned timeout_s, struct verify_evidence *evidence)
{
	CLEANUP(hv_agent_output) struct hv_agent_output *output = NULL;
	CLEANUP(hv_agent_output) struct hv_agent_output *more = NULL;
	const char *problem = NULL;

	output = ask(hv, evidence->uuid, verify_guest_script, timeout_s, &evidence->inside_problem,
		     &evidence->inside_hint);
	if (output == NULL)
		return;
	evidence->inside = verify_guest_parse(output->out, output->out_bytes, &problem);
	if (evidence->inside == NULL)
		malformed(problem, evidence->name, &evidence->inside_problem,
			  &evidence->inside_hint);
	more = ask(hv, evidence->uuid, verify_drivers_script, timeout_s, &evidence->drivers_problem,
		   &evidence->drivers_hint);
	if (more == NULL)
		return;
	evidence->drivers = verify_drivers_parse(more->out, more->out_bytes, &problem);
	if (evidence->drivers == NULL)
		malformed(problem, evidence->name, &evidence->drivers_problem,
			  &evidence->drivers_hint);
}

static int refuse_foreign(const char *name, struct fail *fail)
{
	fail_add(fail, FAIL_USAGE, "gpuvm has no VM named \"%s\"", name);
	fail_cause(fail, "a libvirt domain of that name exists that gpuvm did not make");
	return fail_hint(fail, "gpuvm list");
}

static int refuse_inactive(const struct hv_domain *domain, struct fail *fail)
{
	CLEANUP(text) char *word = text_shell(domain->name);

	fail_add(fail, FAIL_BUSY, "VM \"%s\" does not run", domain->name);
	fail_cause(fail, "it is %s: there is nothing to look at",
		   domain->is_starting ? "starting just now" : hv_state_name(domain->state));
	return fail_hint(fail, "gpuvm start %s", word);
}

/* The live domain of that name, which is gpuvm's. */
static int find(const struct hv_domains *domains, const char *name,
		const struct hv_domain **ret_domain, struct guest **ret_guest, struct fail *fail)
{
	CLEANUP(guest) struct guest *guest = NULL;
	const struct hv_domain *domain = hv_domains_find(domains, name);

	if (domain == NULL)
		return absent_refuse(name, "verify", fail);
	if (guest_parse(domain->xml, &guest, fail) < 0)
		return -1;
	if (!guest->is_ours)
		return refuse_foreign(name, fail);
	if (!domain->is_active || domain->is_starting)
		return refuse_inactive(domain, fail);
	*ret_domain = domain;
	*ret_guest = STEAL(guest);
	return 0;
}

static void read_definition(struct hv *hv, struct verify_evidence *evidence)
{
	CLEANUP(text) char *xml = hv_definition(hv, evidence->uuid);
	CLEANUP(fail) struct fail unreadable = { 0 };

	if (xml != NULL)
		(void)guest_parse(xml, &evidence->definition, &unreadable);
}

static void tell(const struct verify_options *options, const char *text)
{
	if (options->progress != NULL)
		options->progress(text);
}

int verify_vm(const struct verify_options *options, const char *name, struct findings **ret_verify,
	      struct fail *fail)
{
	const char *uri = options->uri == NULL ? HV_URI_DEFAULT : options->uri;
	unsigned timeout_s = options->timeout_s == 0 ? VERIFY_TIMEOUT_S : options->timeout_s;
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(hv) struct hv *hv = NULL;
	CLEANUP(hv_domains) struct hv_domains *domains = NULL;
	CLEANUP(host) struct host *host = NULL;
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(verify_evidence) struct verify_evidence *evidence = NULL;
	const struct hv_domain *domain = NULL;

	if (root_open(NULL, &root, fail) < 0 ||
	    hv_open(uri, options->host_only ? HV_READ : HV_WRITE, &hv, fail) < 0 ||
	    hv_domains_read(hv, &domains, fail) < 0 ||
	    find(domains, name, &domain, &guest, fail) < 0)
		return -1;
	tell(options, "looking at the host");
	if (host_read(root, &host, fail) < 0)
		return -1;
	evidence = verify_evidence_read(root, STEAL(host), STEAL(guest), domain->xml);
	evidence->host_only = options->host_only;
	read_definition(hv, evidence);
	if (evidence->threads->count == 0)
		evidence->affinity.count = hv_vcpu_affinity(
			hv, evidence->uuid, evidence->guest->vcpus, &evidence->affinity.vcpus);
	if (!options->host_only) {
		tell(options, "asking the guest");
		ask_guest(hv, timeout_s, evidence);
	}
	*ret_verify = verify_judge_evidence(evidence);
	return 0;
}

int verify_judge(const struct findings *findings, struct fail *fail)
{
	size_t failed = findings_count(findings, FINDING_FAILED);
	size_t open = findings_count(findings, FINDING_NOT_CHECKED);
	const struct finding *row = findings_first(findings, failed > 0 ? FINDING_FAILED
									: FINDING_NOT_CHECKED);

	if (row == NULL)
		return 0;
	if (failed > 0)
		fail_add(fail, FAIL_FAIL,
			 "VM \"%s\" is not as it was planned: %zu of its checks failed",
			 findings->name, failed);
	else
		fail_add(fail, FAIL_HOST, "VM \"%s\": %zu checks could not be made", findings->name,
			 open);
	fail_cause(fail, "%s%s%s: %s", row->check, row->subject == NULL ? "" : " of ",
		   row->subject == NULL ? "" : row->subject, row->found);
	return row->hint == NULL ? -1 : fail_hint(fail, "%s", row->hint);
}

const char *verify_state_name(enum finding_state state)
{
	switch (state) {
	case FINDING_OK:
		return "ok";
	case FINDING_NOTE:
		return "note";
	case FINDING_WARNING:
		return "warning";
	case FINDING_FAILED:
		return "failed";
	case FINDING_NOT_CHECKED:
		return "not checked";
	}
	return "unknown";
}
