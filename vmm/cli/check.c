// SPDX-License-Identifier: MIT
#include "vmm/check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/out.h"
#include "vmm/hv.h"
#include "vmm/launch.h"

static json_t *row_json(const struct finding *row)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "id", row->check, "scope",
			 row->scope, "subject", out_text_or_null(row->subject), "state",
			 check_state_name(row->state), "read", out_text_or_null(row->source),
			 "found", out_text_or_null(row->found), "expected",
			 out_text_or_null(row->expected), "why", out_text_or_null(row->why), "next",
			 out_text_or_null(row->hint));
}

static json_t *findings_json(const struct findings *findings, const char *target)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < findings->count; i++)
		json_array_append_new(rows, row_json(&findings->rows[i]));
	return json_pack("{s:o, s:s, s:i, s:i, s:i, s:i, s:o}", "target", out_text_or_null(target),
			 "verdict", findings_count(findings, FINDING_FAILED) > 0 ? "fail" : "pass",
			 "failed", (int)findings_count(findings, FINDING_FAILED), "warned",
			 (int)findings_count(findings, FINDING_WARNING), "not_checked",
			 (int)findings_count(findings, FINDING_NOT_CHECKED), "passed",
			 (int)(findings_count(findings, FINDING_OK) +
			       findings_count(findings, FINDING_NOTE)),
			 "findings", rows);
}

static char *cell_state(const json_t *row)
{
	return out_cell(row, "state");
}

static char *cell_id(const json_t *row)
{
	return out_cell(row, "id");
}

static const char *text_at(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static char *cell_found(const json_t *row)
{
	const char *subject = text_at(row, "subject");
	const char *expected = text_at(row, "expected");
	char *text = NULL;

	if (subject != NULL)
		text_add(&text, "%s: ", subject);
	text_add(&text, "%s", text_at(row, "found"));
	if (expected != NULL && !text_equal(text_at(row, "state"), "pass"))
		text_add(&text, ", not %s", expected);
	return text;
}

static const struct out_column columns[] = {
	{ "STATE", cell_state },
	{ "FINDING", cell_id },
	{ "FOUND", cell_found },
};

/* What is not as it should be, with all that is known of it. */
static void print_details(const json_t *row)
{
	static const struct {
		const char *key, *label;
	} lines[] = { { "read", "read:" }, { "why", "why: " }, { "next", "next:" } };
	CLEANUP(text) char *found = cell_found(row);
	const char *state = text_at(row, "state");

	if (text_equal(state, "pass"))
		return;
	out_line("\n%s: %s: %s", text_at(row, "id"), state, found);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (!(text_equal(state, "not checked") && text_equal(lines[i].key, "why")) &&
		    text_at(row, lines[i].key) != NULL)
			out_line("  %s %s", lines[i].label, text_at(row, lines[i].key));
}

static void print(const json_t *result)
{
	const json_t *rows = json_object_get(result, "findings");
	size_t i;
	const json_t *row;

	out_table(columns, sizeof columns / sizeof *columns, rows);
	json_array_foreach(rows, i, row) print_details(row);
	out_line("\n%d passed, %d warnings, %d not checked, %d failed",
		 (int)json_integer_value(json_object_get(result, "passed")),
		 (int)json_integer_value(json_object_get(result, "warned")),
		 (int)json_integer_value(json_object_get(result, "not_checked")),
		 (int)json_integer_value(json_object_get(result, "failed")));
}

/* Prints @findings; FAIL_HOST with their number if some failed. */
static int tell(const struct cli *cli, const struct findings *findings, struct fail *fail)
{
	const char *target = cli->arg_count > 0 ? cli->args[0] : NULL;
	json_t *result = findings_json(findings, target);
	size_t failed = findings_count(findings, FINDING_FAILED);

	out_progress_end();
	if (failed > 0) {
		fail_add(fail, FAIL_HOST, "%s%s%zu finding%s failed", target == NULL ? "" : target,
			 target == NULL ? "" : ": ", failed, failed == 1 ? "" : "s");
	}
	if (cli->json) {
		*cli->failure_is_told = true;
		if (failed > 0) {
			json_t *errors = out_fail_json(fail);

			json_object_set(result, "error", json_array_get(errors, 0));
			json_object_set_new(result, "errors", errors);
		}
		out_json(result);
		return failed > 0 ? -1 : 0;
	}
	print(result);
	json_decref(result);
	return failed > 0 ? -1 : 0;
}

/* libvirt's part of the subject; without it findings say what is not known. */
static void ask_libvirt(const struct cli *cli, struct check_subject *subject, struct fail *unknown)
{
	CLEANUP(hv) struct hv *hv = NULL;

	if (!subject->root->live)
		return;
	if (hv_open(cli->uri == NULL ? HV_URI_DEFAULT : cli->uri, HV_READ, &hv, unknown) < 0) {
		subject->libvirt_unknown = unknown;
		return;
	}
	subject->libvirt_version = hv_libvirt_version(hv);
	subject->qemu_version = hv_qemu_version(hv);
}

static int check_here(const struct cli *cli, struct fail *fail)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(host) struct host *host = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	CLEANUP(fail) struct fail unknown = { 0 };
	struct check_subject subject = { 0 };

	if (root_open(cli->root_directory, &root, fail) < 0 || host_read(root, &host, fail) < 0)
		return -1;
	subject.root = root;
	subject.host = host;
	ask_libvirt(cli, &subject, &unknown);
	findings = check_run(&subject, CHECK_HOST, NULL, 0);
	return tell(cli, findings, fail);
}

static int check_gpu(const struct cli *cli, const char *address, struct fail *fail)
{
	CLEANUP(root) struct root *root = NULL;
	CLEANUP(host) struct host *host = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	struct check_subject subject = { 0 };
	const struct gpu *gpu;

	if (root_open(cli->root_directory, &root, fail) < 0 || host_read(root, &host, fail) < 0)
		return -1;
	gpu = gpu_find(host->gpus, address);
	if (gpu == NULL) {
		fail_add(fail, FAIL_USAGE, "there is no GPU at %s", address);
		if (device_find(host->devices, address) != NULL)
			fail_cause(fail, "what is there is no GPU (PCI class 03 or 12)");
		return fail_hint(fail, "gpuvm gpus");
	}
	subject.root = root;
	subject.host = host;
	findings = check_run(&subject, CHECK_GPU, &gpu, 1);
	return tell(cli, findings, fail);
}

static int check_spec(const struct cli *cli, struct fail *fail)
{
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(findings) struct findings *findings = NULL;
	struct launch_options options = { .uri = cli->uri, .root_directory = cli->root_directory };

	if (launch_examine(&options, cli->args[0], &launch, &findings, fail) < 0)
		return -1;
	return tell(cli, findings, fail);
}

int check_command_run(const struct cli *cli, struct fail *fail)
{
	char address[DEVICE_ADDRESS_BYTES];

	if (cli->arg_count == 0)
		return check_here(cli, fail);
	if (device_parse_address(cli->args[0], address) && access(cli->args[0], F_OK) != 0)
		return check_gpu(cli, address, fail);
	return check_spec(cli, fail);
}
