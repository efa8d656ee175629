// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"
#include "vmm/cli/topo_draw.h"

/* One core: "4,68" and who has it, "A". */
struct cell {
	char *cpus;
	char *mark;
};

static char *mark_of(const struct topo_pen *pen, const json_t *cpu)
{
	const char *holder = json_string_value(json_object_get(cpu, "holder"));
	const char *state = json_string_value(json_object_get(cpu, "state"));

	if (holder != NULL)
		return topo_letter(pen, holder);
	if (text_equal(state, "host"))
		return mem_strdup("h");
	return mem_strdup(text_equal(state, "unusable") ? "-" : ".");
}

static struct cell cell_of(const struct topo_pen *pen, const json_t *core)
{
	const json_t *cpus = json_object_get(core, "cpus");
	struct cell cell = { 0 };
	char *first = NULL;
	const json_t *cpu;
	bool same = true;
	size_t i;

	json_array_foreach(cpus, i, cpu)
	{
		CLEANUP(text) char *number = out_cell(cpu, "cpu");
		CLEANUP(text) char *mark = mark_of(pen, cpu);

		text_join(&cell.cpus, ",", number);
		text_add(&cell.mark, "%s%s", cell.mark == NULL ? "" : "/", mark);
		if (first == NULL)
			first = mem_strdup(mark);
		same = same && text_equal(first, mark);
	}
	if (same && first != NULL) {
		free(cell.mark);
		cell.mark = STEAL(first);
	}
	free(first);
	return cell;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* As many as fit, and a power of two: machines come in such. */
static size_t cells_per_row(size_t room, size_t cell_width)
{
	size_t count = 1;

	while (count < 16 && 2 * count * cell_width <= room)
		count *= 2;
	return count;
}

static void draw_row(const char *prefix, const struct cell *cells, size_t count, size_t cpus_width,
		     size_t mark_width)
{
	CLEANUP(text) char *line = mem_strdup(prefix);

	for (size_t i = 0; i < count; i++)
		text_add(&line, "  %*s %-*s", (int)cpus_width, cells[i].cpus,
			 i + 1 == count ? 0 : (int)mark_width, cells[i].mark);
	out_line("%s", line);
}

void topo_draw_cores(const struct topo_pen *pen, const char *prefix, const json_t *cores)
{
	size_t count = json_array_size(cores);
	struct cell *cells = mem_alloc(count, sizeof *cells);
	size_t cpus_width = 0;
	size_t mark_width = 0;
	size_t per_row;

	for (size_t i = 0; i < count; i++) {
		cells[i] = cell_of(pen, json_array_get(cores, i));
		cpus_width = larger(cpus_width, strlen(cells[i].cpus));
		mark_width = larger(mark_width, strlen(cells[i].mark));
	}
	per_row = cells_per_row(TOPO_COLUMNS - topo_width(prefix), cpus_width + mark_width + 3);
	for (size_t i = 0; i < count; i += per_row)
		draw_row(prefix, cells + i, count - i < per_row ? count - i : per_row, cpus_width,
			 mark_width);
	for (size_t i = 0; i < count; i++) {
		free(cells[i].cpus);
		free(cells[i].mark);
	}
	free(cells);
}
