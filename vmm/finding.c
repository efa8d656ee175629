// SPDX-License-Identifier: MIT
#include "vmm/finding.h"

#include <stdlib.h>

#include "vmm/base/mem.h"

struct findings *findings_begin(const char *name)
{
	struct findings *findings = mem_alloc(1, sizeof *findings);

	findings->name = mem_strdup(name);
	return findings;
}

struct finding *findings_add(struct findings *findings, enum finding_state state,
			     const char *subject)
{
	struct finding *row = MEM_APPEND(findings->rows, findings->count);

	row->state = state;
	row->subject = mem_strdup(subject);
	return row;
}

void findings_move(struct findings *findings, struct findings *more)
{
	for (size_t i = 0; i < more->count; i++)
		*MEM_APPEND(findings->rows, findings->count) = more->rows[i];
	free(more->rows);
	more->rows = NULL;
	more->count = 0;
}

size_t findings_count(const struct findings *findings, enum finding_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->count; i++)
		if (findings->rows[i].state == state)
			count++;
	return count;
}

const struct finding *findings_first(const struct findings *findings, enum finding_state state)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->rows[i].state == state)
			return &findings->rows[i];
	return NULL;
}

static void release(struct finding *row)
{
	free(row->subject);
	free(row->source);
	free(row->found);
	free(row->expected);
	free(row->hint);
}

void findings_free(struct findings *findings)
{
	if (findings == NULL)
		return;
	for (size_t i = 0; i < findings->count; i++)
		release(&findings->rows[i]);
	free(findings->rows);
	free(findings->name);
	free(findings);
}
