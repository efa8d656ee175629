// SPDX-License-Identifier: MIT
#include "vmm/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/explain.h"
#include "vmm/cli/out.h"

#define BLOCK ((size_t)64 << 10)

/* Files that hold logs, but not as text: by how they begin. */
static const struct {
	const char *bytes;
	size_t count;
	const char *what, *command;
} packed[] = {
	{ "\x1f\x8b", 2, "compressed (gzip)", "zcat" },
	{ "\xfd"
	  "7zXZ",
	  5, "compressed (xz)", "xzcat" },
	{ "\x28\xb5\x2f\xfd", 4, "compressed (zstd)", "zstdcat" },
	{ "LPKSHHRH", 8, "a journal of systemd's", "journalctl --file" },
};

static int refuse_packed(const char *file, const char *bytes, size_t count, struct fail *fail)
{
	CLEANUP(text) char *word = text_shell(file);

	for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
		if (count < packed[i].count || memcmp(bytes, packed[i].bytes, packed[i].count) != 0)
			continue;
		fail_add(fail, FAIL_USAGE, "%s is %s", file, packed[i].what);
		if (text_equal(file, "-"))
			return fail_hint(fail, "%s FILE | gpuvm explain -", packed[i].command);
		return fail_hint(fail, "%s %s | gpuvm explain -", packed[i].command, word);
	}
	return 0;
}

static int open_log(const char *file, int *ret_fd, struct fail *fail)
{
	*ret_fd = text_equal(file, "-") ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	fail_add(fail, FAIL_USAGE, "the log cannot be opened");
	fail_cause(fail, "%s: %s", file, strerror(errno));
	if (errno == EACCES)
		return fail_hint(fail, "sudo gpuvm explain FILE, or for a VM of yours: gpuvm log "
				       "--qemu NAME | gpuvm explain -");
	return fail_hint(fail, "gpuvm help explain");
}

static int read_log(const char *file, struct explain *explain, struct fail *fail)
{
	CLEANUP(fd) int fd = -1;
	CLEANUP(text) char *block = mem_alloc(BLOCK, 1);
	bool is_begun = false;
	ssize_t got;

	if (open_log(file, &fd, fail) < 0)
		return -1;
	while ((got = read(fd, block, BLOCK)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fail_add(fail, errno == EISDIR ? FAIL_USAGE : FAIL_FAIL,
				 "the log cannot be read");
			return fail_cause(fail, "%s: %s", file, strerror(errno));
		}
		if (!is_begun && refuse_packed(file, block, (size_t)got, fail) < 0)
			return -1;
		is_begun = true;
		explain_read(explain, block, (size_t)got);
	}
	explain_end(explain);
	return 0;
}

static json_t *findings_json(const struct explain *explain)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < explain->count; i++) {
		const struct explain_finding *finding = &explain->findings[i];

		json_array_append_new(
			findings, json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "id",
					    finding->row->id, "line", (json_int_t)finding->line,
					    "last_line", (json_int_t)finding->last_line, "count",
					    (json_int_t)finding->count, "text", finding->text,
					    "message", finding->pattern, "cause", finding->cause,
					    "next", finding->next, "source", finding->row->source));
	}
	return findings;
}

static void print(const char *file, const struct explain *explain)
{
	CLEANUP(text) char *name = text_printable(text_equal(file, "-") ? "line " : file, 0);

	for (size_t i = 0; i < explain->count; i++) {
		const struct explain_finding *finding = &explain->findings[i];

		out_line("%s%s%llu: %s", name, text_equal(file, "-") ? "" : ":",
			 (unsigned long long)finding->line, finding->text);
		if (finding->count > 1)
			out_line("  in %llu lines, the last of them %llu",
				 (unsigned long long)finding->count,
				 (unsigned long long)finding->last_line);
		out_line("  cause: %s", finding->cause);
		out_line("  next: %s", finding->next);
	}
	if (explain->more > 0)
		out_line("and %llu more lines like these", (unsigned long long)explain->more);
}

static void print_json(const char *file, const struct explain *explain, const struct fail *fail)
{
	json_t *result = json_pack("{s:o, s:I, s:o, s:I}", "file", out_text_or_null(file), "lines",
				   (json_int_t)explain->lines, "findings", findings_json(explain),
				   "more", (json_int_t)explain->more);

	if (fail->kind != FAIL_NONE) {
		json_t *errors = out_fail_json(fail);

		json_object_set(result, "error", json_array_get(errors, 0));
		json_object_set_new(result, "errors", errors);
	}
	out_json(result);
}

/* Nothing found is no mistake of the user's, but a script must be able to tell it from a find. */
static int nothing_found(const char *file, const struct explain *explain, struct fail *fail)
{
	fail_add(fail, FAIL_FAIL, "no message that gpuvm knows is in %s",
		 text_equal(file, "-") ? "standard input" : file);
	fail_cause(fail, "%llu lines were read", (unsigned long long)explain->lines);
	return fail_hint(fail, "other logs: gpuvm log --qemu NAME | gpuvm explain -, sudo dmesg | "
			       "gpuvm explain -; what is known: gpuvm help messages");
}

int explain_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(explain) struct explain *explain = explain_new();
	const char *file = cli->args[0];

	if (read_log(file, explain, fail) < 0)
		return -1;
	if (explain->count == 0)
		nothing_found(file, explain, fail);
	if (cli->json) {
		print_json(file, explain, fail);
		*cli->failure_is_told = true;
	} else {
		print(file, explain);
	}
	return explain->count == 0 ? -1 : 0;
}

json_t *explain_messages_json(void)
{
	json_t *messages = json_array();
	const struct explain_row *row;

	for (size_t i = 0; (row = explain_row(i)) != NULL; i++) {
		json_t *patterns = json_array();

		for (size_t j = 0; j < EXPLAIN_MOST_PATTERNS && row->patterns[j] != NULL; j++)
			json_array_append_new(patterns, json_string(row->patterns[j]));
		json_array_append_new(messages,
				      json_pack("{s:s, s:o, s:s, s:s, s:s}", "id", row->id,
						"patterns", patterns, "cause", row->cause, "next",
						row->next, "source", row->source));
	}
	return messages;
}

void explain_messages_print(void)
{
	const struct explain_row *row;

	for (size_t i = 0; (row = explain_row(i)) != NULL; i++) {
		for (size_t j = 0; j < EXPLAIN_MOST_PATTERNS && row->patterns[j] != NULL; j++)
			out_line("%s", row->patterns[j]);
		out_line("  cause: %s", row->cause);
		out_line("  next: %s", row->next);
	}
}
