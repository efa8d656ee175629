// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/out.h"
#include "vmm/inside.h"
#include "vmm/log.h"

enum {
	BLOCK = 64 << 10,
	MOST_LINE = 16 << 10, /* bytes; what is longer is broken */
	FOLLOW_MS = 500,
};

/* What was read and is not written yet: a line whose end has not come. */
struct printer {
	const struct cli *cli;
	json_t *lines; /* NULL: they are printed */
	char held[MOST_LINE];
	size_t held_bytes;
	bool is_gone; /* nobody reads what is printed */
};

static void printer_cleanup(struct printer **printer)
{
	json_decref((*printer)->lines);
	free(*printer);
}

static void put_line(struct printer *printer, bool is_ended)
{
	CLEANUP(text) char *line = log_printable(printer->held, printer->held_bytes);

	printer->held_bytes = 0;
	if (printer->lines != NULL) {
		json_array_append_new(printer->lines, json_string(line));
		return;
	}
	if (!out_bytes(line, strlen(line)) || (is_ended && !out_bytes("\n", 1)))
		printer->is_gone = true;
}

/* A carriage return ends a line as well: a progress bar of the guest's must not go back over ours. */
static void put(struct printer *printer, const char *bytes, size_t count)
{
	if (printer->cli->raw && printer->lines == NULL) {
		printer->is_gone |= !out_bytes(bytes, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			put_line(printer, true);
			continue;
		}
		if (printer->held_bytes > 0 && printer->held[printer->held_bytes - 1] == '\r') {
			printer->held_bytes--;
			put_line(printer, true);
		}
		if (printer->held_bytes == MOST_LINE)
			put_line(printer, true);
		printer->held[printer->held_bytes++] = bytes[i];
	}
}

static void put_rest(struct printer *printer, bool is_ended)
{
	if (printer->held_bytes > 0)
		put_line(printer, is_ended);
}

/* All from *@offset on, which is moved to the end. */
static int copy(struct log *log, uint64_t *offset, struct printer *printer, struct fail *fail)
{
	CLEANUP(text) char *block = mem_alloc(BLOCK, 1);
	size_t count;

	do {
		if (log_read(log, *offset, block, BLOCK, &count, fail) < 0)
			return -1;
		put(printer, block, count);
		*offset += count;
	} while (count > 0 && !printer->is_gone);
	return 0;
}

/* Waits a little. Whether the process was asked to end meanwhile, if such signals are held back (hv_log.h). */
static bool is_interrupted(void)
{
	struct timespec time = { .tv_nsec = FOLLOW_MS * 1000000L };
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGPIPE);
	return sigtimedwait(&ends, NULL, &time) > 0;
}

static int follow(const struct inside *inside, struct log *log, uint64_t offset,
		  struct printer *printer, struct fail *fail)
{
	bool active = true;

	while (active && !printer->is_gone) {
		uint64_t bytes = 0;
		uint64_t before = offset;
		bool exists = false;

		if (is_interrupted())
			return 0;
		/* Asked first: what it wrote last is there when it is off. */
		if (hv_is_active(inside->hv, inside->domain->uuid, &active, fail) < 0 ||
		    log_size(log, &bytes, &exists, fail) < 0)
			return -1;
		if (bytes < offset)
			offset = 0; /* renamed, and begun anew */
		if (bytes > offset && copy(log, &offset, printer, fail) < 0)
			return -1;
		if (offset == before)
			put_rest(printer, false);
	}
	put_rest(printer, true);
	if (!active)
		out_note("VM \"%s\" is off.", inside->name);
	return 0;
}

static int refuse_empty(const struct inside *inside, const struct log *log, struct fail *fail)
{
	fail_add(fail, FAIL_FAIL, "VM \"%s\" has no such log", inside->name);
	fail_cause(fail, "there is no %s", log_path(log));
	return fail_hint(fail, "it begins when the VM starts: gpuvm start %s", inside->word);
}

static int print(const struct cli *cli, const struct inside *inside, struct log *log,
		 struct fail *fail)
{
	CLEANUP(printer) struct printer *printer = mem_alloc(1, sizeof *printer);
	uint64_t offset = 0;
	uint64_t bytes = 0;
	bool exists = false;

	printer->cli = cli;
	printer->lines = cli->json ? json_array() : NULL;
	if (log_size(log, &bytes, &exists, fail) < 0)
		return -1;
	if (!exists)
		return refuse_empty(inside, log, fail);
	if (cli->lines > 0 && log_tail(log, cli->lines, &offset, fail) < 0)
		return -1;
	if (copy(log, &offset, printer, fail) < 0)
		return -1;
	if (cli->follow)
		return follow(inside, log, offset, printer, fail);
	put_rest(printer, true);
	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:s, s:o}", "name", inside->name, "log",
				   cli->qemu ? "qemu" : "serial", "path", log_path(log), "lines",
				   json_incref(printer->lines)));
	return 0;
}

int log_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(inside) struct inside *inside = NULL;
	CLEANUP(log) struct log *log = NULL;

	if (cli->json && (cli->follow || cli->raw)) {
		fail_add(fail, FAIL_USAGE,
			 "gpuvm log --json is one value, of text: without --follow "
			 "and --raw");
		return fail_hint(fail, "gpuvm help log");
	}
	if (inside_open(cli->uri, cli->args[0], "log", &inside, fail) < 0 ||
	    log_open(inside->hv, NULL, inside->domain->name, cli->qemu ? LOG_QEMU : LOG_SERIAL,
		     &log, fail) < 0)
		return -1;
	return print(cli, inside, log, fail);
}
