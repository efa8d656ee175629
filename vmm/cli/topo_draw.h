/* SPDX-License-Identifier: MIT */
/* The machine drawn in a terminal of 100 columns, from the JSON that `topo` makes. */
#ifndef GPUVM_CLI_TOPO_DRAW_H
#define GPUVM_CLI_TOPO_DRAW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define TOPO_COLUMNS 100

/* The strokes of the tree, and the letters that stand for holders. */
struct topo_pen {
	const char *fork, *last, *bar, *gap, *dash; /* UTF-8, or ASCII where the locale is not */
	const json_t *holders;                      /* array of labels: the first is A */
};

/* Draws all of it. */
void topo_draw(const json_t *machine);

/* The pen for this process's locale. */
struct topo_pen topo_pen(const json_t *holders);

/* "A" for the first holder, "Z", "AA", ...; "?" for one that is not listed. The caller frees. */
char *topo_letter(const struct topo_pen *pen, const char *holder);

/* A line of the tree: @prefix, a stroke, @text. */
void topo_branch(const struct topo_pen *pen, const char *prefix, bool is_last, const char *text);

/* @prefix with what stands below such a line. The caller frees. */
char *topo_deeper(const struct topo_pen *pen, const char *prefix, bool is_last);

/* Columns that @text takes. */
size_t topo_width(const char *text);

/* The cores of one cache of one node, as cells in rows (topo_cores.c). */
void topo_draw_cores(const struct topo_pen *pen, const char *prefix, const json_t *cores);

/* A root bus and what is below (topo_pcie.c). */
void topo_draw_pcie(const struct topo_pen *pen, const char *prefix, bool is_last,
		    const json_t *bus);

#endif
