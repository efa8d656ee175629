// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"
#include "vmm/cli/topo_draw.h"

#define LEAST_NAME 8

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static bool has_role(const json_t *node, const char *role)
{
	return text_equal(text_at(node, "role"), role);
}

/* "17:00.0" where the domain is the usual one. */
static const char *short_name(const json_t *node)
{
	const char *name = text_at(node, "name");

	return text_starts(name, "0000:") ? name + strlen("0000:") : name;
}

/* The name that it is sold by, which pci.ids has in brackets; at most @most columns of it. */
static char *sold_as(const json_t *node, size_t most)
{
	const char *name = text_at(node, "device");
	const char *open = strrchr(name, '[');
	const char *close = open == NULL ? NULL : strchr(open, ']');
	CLEANUP(text)
	char *sold = close == NULL ? mem_strdup(name)
				   : mem_strndup(open + 1, (size_t)(close - open - 1));

	return text_printable(sold, most);
}

static void add_now(char **text, double now, double most, const char *unit)
{
	if (now > 0 && most > 0 && now < most)
		text_add(text, "%.3g of %.3g%s", now, most, unit);
	else
		text_add(text, "%.3g%s", now > 0 ? now : most, unit);
}

/* "x16 32 GT/s", and "x8 of 16" where it could be wider; NULL without a link. */
static char *link_text(const json_t *node)
{
	const json_t *link = json_object_get(node, "link");
	double speed = json_number_value(json_object_get(link, "speed_gts"));
	double max_speed = json_number_value(json_object_get(link, "max_speed_gts"));
	double width = json_number_value(json_object_get(link, "width"));
	double max_width = json_number_value(json_object_get(link, "max_width"));
	char *text = NULL;

	if (max_width <= 0 && width <= 0)
		return NULL;
	text = mem_strdup("x");
	add_now(&text, width, max_width, "");
	if (speed > 0 || max_speed > 0) {
		text_add(&text, " ");
		add_now(&text, speed, max_speed, " GT/s");
	}
	return text;
}

/* ", x16 32 GT/s, +8 VFs, A": all but the name of a GPU. */
static char *gpu_tail(const struct topo_pen *pen, const json_t *node)
{
	const json_t *gpu = json_object_get(node, "gpu");
	const char *holder = json_string_value(json_object_get(gpu, "holder"));
	json_int_t functions = json_integer_value(json_object_get(gpu, "virtual_functions"));
	CLEANUP(text) char *link = link_text(node);
	char *tail = mem_strdup("");

	if (link != NULL)
		text_add(&tail, ", %s", link);
	if (functions > 0)
		text_add(&tail, ", +%lld VFs", (long long)functions);
	if (json_is_null(gpu))
		return tail;
	if (holder == NULL) {
		text_add(&tail, ", %s", text_at(gpu, "state"));
	} else {
		CLEANUP(text) char *letter = topo_letter(pen, holder);

		text_add(&tail, ", held by %s", letter);
	}
	return tail;
}

/* Adds what @node is to *@line; @room is what is left of the columns for all of *@line. */
static void add_node(const struct topo_pen *pen, const json_t *node, size_t room, char **line)
{
	CLEANUP(text) char *tail = NULL;
	CLEANUP(text) char *name = NULL;
	size_t used;

	text_add(line, "%s", short_name(node));
	if (has_role(node, "root_port") || has_role(node, "down_port"))
		text_add(line, " port");
	else if (has_role(node, "switch") || has_role(node, "bridge"))
		text_add(line, " %s", text_at(node, "role"));
	if (!has_role(node, "gpu") && !has_role(node, "nvswitch"))
		return;
	text_add(line, has_role(node, "gpu") ? " GPU " : " NVSwitch ");
	tail = gpu_tail(pen, node);
	used = topo_width(*line) + topo_width(tail) + strlen("...");
	name = sold_as(node, room > used + LEAST_NAME ? room - used : LEAST_NAME);
	text_add(line, "%s%s", name, tail);
}

/*
 * A node with one child shares its line. The kernel allows bridges below each other as deep as there are
 * buses, so no deeper than 256.
 */
static void draw(const struct topo_pen *pen, const char *prefix, bool is_last, const json_t *node)
{
	CLEANUP(text) char *below = topo_deeper(pen, prefix, is_last);
	size_t room = TOPO_COLUMNS - topo_width(below);
	const json_t *children = json_object_get(node, "children");
	char *line = NULL;
	const json_t *child;
	size_t i;

	add_node(pen, node, room, &line);
	while (json_array_size(children) == 1) {
		child = json_array_get(children, 0);
		text_add(&line, " %s ", pen->dash);
		add_node(pen, child, room, &line);
		children = json_object_get(child, "children");
	}
	topo_branch(pen, prefix, is_last, line);
	free(line);
	json_array_foreach(children, i, child)
		draw(pen, below, i + 1 == json_array_size(children), child);
}

void topo_draw_pcie(const struct topo_pen *pen, const char *prefix, bool is_last, const json_t *bus)
{
	draw(pen, prefix, is_last, bus);
}
