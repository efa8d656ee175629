// SPDX-License-Identifier: MIT
#include "vmm/verify.h"

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/out.h"

static json_t *row_json(const struct finding *row)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "side", row->scope, "check",
			 row->check, "subject", out_text_or_null(row->subject), "state",
			 verify_state_name(row->state), "found", out_text_or_null(row->found),
			 "expected", out_text_or_null(row->expected), "source",
			 out_text_or_null(row->source), "hint", out_text_or_null(row->hint));
}

/* "failed": a check did; "incomplete": none did, but not all were made; else "ok". */
static const char *verdict_of(const struct fail *fail)
{
	if (fail->kind == FAIL_NONE)
		return "ok";
	return fail->kind == FAIL_FAIL ? "failed" : "incomplete";
}

static json_t *verify_json(const struct findings *findings, const struct fail *fail)
{
	json_t *rows = json_array();
	json_t *result;

	for (size_t i = 0; i < findings->count; i++)
		json_array_append_new(rows, row_json(&findings->rows[i]));
	result = json_pack("{s:s, s:s, s:o}", "name", findings->name, "verdict", verdict_of(fail),
			   "checks", rows);
	if (fail->kind != FAIL_NONE) {
		json_t *errors = out_fail_json(fail);

		json_object_set(result, "error", json_array_get(errors, 0));
		json_object_set_new(result, "errors", errors);
	}
	return result;
}

static char *cell_check(const json_t *row)
{
	return out_cell(row, "check");
}

static char *cell_subject(const json_t *row)
{
	return json_is_null(json_object_get(row, "subject")) ? mem_strdup("")
							     : out_cell(row, "subject");
}

static char *cell_state(const json_t *row)
{
	return out_cell(row, "state");
}

static const char *text_at(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

/* What it should be, and where that was read, matter to people only if it is not. */
static char *cell_found(const json_t *row)
{
	char *text = out_cell(row, "found");
	const char *expected = text_at(row, "expected");
	const char *source = text_at(row, "source");
	const char *hint = text_at(row, "hint");

	if (text_equal(text_at(row, "state"), "ok"))
		return text;
	if (expected != NULL)
		text_add(&text, ", not %s", expected);
	if (source != NULL)
		text_add(&text, " (%s)", source);
	if (hint != NULL)
		text_add(&text, ": %s", hint);
	return text;
}

static const struct out_column columns[] = {
	{ "CHECK", cell_check },
	{ "OF", cell_subject },
	{ "STATE", cell_state },
	{ "FOUND", cell_found },
};

static void print(const struct findings *findings, const json_t *result)
{
	size_t warnings = findings_count(findings, FINDING_WARNING);

	out_table(columns, sizeof columns / sizeof *columns, json_object_get(result, "checks"));
	out_line("%zu ok, %zu failed, %zu not checked, %zu warning%s",
		 findings_count(findings, FINDING_OK), findings_count(findings, FINDING_FAILED),
		 findings_count(findings, FINDING_NOT_CHECKED), warnings, warnings == 1 ? "" : "s");
}

int verify_run(const struct cli *cli, struct fail *fail)
{
	const struct verify_options options = { .uri = cli->uri,
						.host_only = cli->host_only,
						.timeout_s = cli->timeout_s,
						.progress = cli->json ? NULL : out_progress };
	CLEANUP(findings) struct findings *findings = NULL;
	json_t *result;
	int code;

	if (verify_vm(&options, cli->args[0], &findings, fail) < 0)
		return -1;
	out_progress_end();
	code = verify_judge(findings, fail);
	result = verify_json(findings, fail);
	if (cli->json) {
		*cli->failure_is_told = true;
		out_json(result);
		return code;
	}
	print(findings, result);
	json_decref(result);
	return code;
}
