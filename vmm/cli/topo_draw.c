// SPDX-License-Identifier: MIT
#include "vmm/cli/topo_draw.h"

#include <hwloc.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>

#include "topo/machine.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

/* The program itself stays in the C locale: numbers are for programs too. */
static bool is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool is = locale != (locale_t)0 && text_equal(nl_langinfo_l(CODESET, locale), "UTF-8");

	if (locale != (locale_t)0)
		freelocale(locale);
	return is;
}

struct topo_pen topo_pen(const json_t *holders)
{
	if (is_utf8())
		return (struct topo_pen){ "├─ ", "└─ ", "│  ", "   ", "─", holders };
	return (struct topo_pen){ "|- ", "`- ", "|  ", "   ", "-", holders };
}

char *topo_letter(const struct topo_pen *pen, const char *holder)
{
	char *letters = NULL;
	const json_t *label;
	size_t i;

	json_array_foreach(pen->holders, i, label)
	{
		if (!text_equal(json_string_value(label), holder))
			continue;
		if (i >= 26)
			text_add(&letters, "%c", (char)('A' + (i / 26 - 1) % 26));
		text_add(&letters, "%c", (char)('A' + i % 26));
		return letters;
	}
	return mem_strdup("?");
}

void topo_branch(const struct topo_pen *pen, const char *prefix, bool is_last, const char *text)
{
	out_line("%s%s%s", prefix, is_last ? pen->last : pen->fork, text);
}

char *topo_deeper(const struct topo_pen *pen, const char *prefix, bool is_last)
{
	return text_format("%s%s", prefix, is_last ? pen->gap : pen->bar);
}

size_t topo_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static char *size_of(const json_t *object, const char *key)
{
	return size_format_about((uint64_t)number(object, key));
}

/* "Node 0: 305 GiB of 512 GiB free, 1 GiB pages: 96 of 128 free, distances 10 21" */
static char *node_text(const json_t *node)
{
	CLEANUP(text) char *available = size_of(node, "memory_available_bytes");
	CLEANUP(text) char *total = size_of(node, "memory_total_bytes");
	const json_t *distances = json_object_get(node, "distances");
	char *text = text_format("Node %lld: %s of %s free", number(node, "node"), available,
				 total);
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(node, "pages"), i, item)
	{
		CLEANUP(text) char *page = size_of(item, "page_bytes");

		if (number(item, "total") > 0)
			text_add(&text, ", %s pages: %lld of %lld free", page, number(item, "free"),
				 number(item, "total"));
	}
	if (json_array_size(distances) > 1)
		text_add(&text, ", distances");
	json_array_foreach(distances, i, item) if (json_array_size(distances) > 1)
		text_add(&text, " %lld", (long long)json_integer_value(item));
	return text;
}

/* "Cache 60 MiB: 16 cores", "16 small cores", "shared with node 1" */
static char *cache_text(const json_t *cache)
{
	const char *design = json_string_value(json_object_get(cache, "design"));
	CLEANUP(text) char *size = size_of(cache, "size_bytes");
	const json_t *others = json_object_get(cache, "other_nodes");
	size_t count = json_array_size(json_object_get(cache, "cores"));
	char *text = json_is_null(json_object_get(cache, "size_bytes"))
			     ? mem_strdup("")
			     : text_format("Cache %s: ", size);
	const json_t *other;
	size_t i;

	text_add(&text, "%zu%s%s core%s", count, design == NULL ? "" : " ",
		 design == NULL ? "" : design, count == 1 ? "" : "s");
	json_array_foreach(others, i, other)
		text_add(&text, "%s%lld", i == 0 ? ", shared with node " : ", ",
			 (long long)json_integer_value(other));
	return text;
}

static bool is_near(const json_t *bus, const json_t *node)
{
	return node == NULL ? json_is_null(json_object_get(bus, "numa_node"))
			    : json_equal(json_object_get(bus, "numa_node"),
					 json_object_get(node, "node"));
}

static size_t count_near(const json_t *machine, const json_t *node)
{
	const json_t *bus;
	size_t count = 0;
	size_t i;

	json_array_foreach(json_object_get(machine, "pcie"), i, bus) count += is_near(bus, node);
	return count;
}

static void draw_buses(const struct topo_pen *pen, const char *prefix, const json_t *machine,
		       const json_t *node)
{
	size_t left = count_near(machine, node);
	const json_t *bus;
	size_t i;

	json_array_foreach(json_object_get(machine, "pcie"), i, bus) if (is_near(bus, node))
		topo_draw_pcie(pen, prefix, --left == 0, bus);
}

static void draw_node(const struct topo_pen *pen, const json_t *machine, const json_t *node,
		      bool is_last)
{
	CLEANUP(text) char *below = topo_deeper(pen, "", is_last);
	CLEANUP(text) char *text = node_text(node);
	const json_t *caches = json_object_get(node, "caches");
	bool has_buses = count_near(machine, node) > 0;
	const json_t *cache;
	size_t i;

	topo_branch(pen, "", is_last, text);
	json_array_foreach(caches, i, cache)
	{
		bool is_end = !has_buses && i + 1 == json_array_size(caches);
		CLEANUP(text) char *line = cache_text(cache);
		CLEANUP(text) char *prefix = topo_deeper(pen, below, is_end);

		topo_branch(pen, below, is_end, line);
		topo_draw_cores(pen, prefix, json_object_get(cache, "cores"));
	}
	draw_buses(pen, below, machine, node);
}

static bool in_package(const json_t *node, long long package)
{
	return number(node, "package") == package;
}

static void draw_package(const struct topo_pen *pen, const json_t *machine, long long package)
{
	const json_t *node;
	size_t left = 0;
	size_t i;

	json_array_foreach(json_object_get(machine, "nodes"), i, node)
		left += in_package(node, package);
	out_line("%s", "");
	out_line("Package %lld", package);
	json_array_foreach(json_object_get(machine, "nodes"), i,
			   node) if (in_package(node, package))
		draw_node(pen, machine, node, --left == 0);
}

/* The packages in the order of their first nodes. */
static void draw_packages(const struct topo_pen *pen, const json_t *machine)
{
	const json_t *nodes = json_object_get(machine, "nodes");

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		long long package = number(json_array_get(nodes, i), "package");
		bool is_first = true;

		for (size_t j = 0; j < i; j++)
			is_first = is_first && !in_package(json_array_get(nodes, j), package);
		if (is_first)
			draw_package(pen, machine, package);
	}
}

/* "0-3,8" of the CPUs of @machine for which @is holds. NULL if there is none. */
static char *cpus_that(const json_t *machine, const char *key, const char *value)
{
	hwloc_bitmap_t found = hwloc_bitmap_alloc();
	const json_t *node, *cache, *core, *cpu;
	char *text = NULL;
	size_t i, j, k, l;

	json_array_foreach(json_object_get(machine, "nodes"), i,
			   node) json_array_foreach(json_object_get(node, "caches"), j, cache)
		json_array_foreach(json_object_get(cache, "cores"), k, core) json_array_foreach(
			json_object_get(core, "cpus"), l,
			cpu) if (text_equal(json_string_value(json_object_get(cpu, key)), value))
			hwloc_bitmap_set(found, (unsigned)number(cpu, "cpu"));
	if (!hwloc_bitmap_iszero(found))
		text = machine_cpus_format(found);
	hwloc_bitmap_free(found);
	return text;
}

static void draw_legend(const struct topo_pen *pen, const json_t *machine)
{
	CLEANUP(text) char *own = cpus_that(machine, "state", "host");
	CLEANUP(text) char *unusable = cpus_that(machine, "state", "unusable");
	const char *isolated = json_string_value(json_object_get(machine, "isolated_cpus"));
	const char *offline = json_string_value(json_object_get(machine, "offline_cpus"));
	const json_t *label;
	size_t i;

	out_line("%s", "");
	out_line(".  free%s%s%s%s", own == NULL ? "" : "   h  the host's own: CPUs ",
		 own == NULL ? "" : own,
		 unusable == NULL ? "" : "   -  not in machine.slice: CPUs ",
		 unusable == NULL ? "" : unusable);
	json_array_foreach(pen->holders, i, label)
	{
		const char *holder = json_string_value(label);
		CLEANUP(text) char *letter = topo_letter(pen, holder);
		CLEANUP(text) char *cpus = cpus_that(machine, "holder", holder);

		out_line("%s  %s%s%s", letter, holder, cpus == NULL ? "" : ": CPUs ",
			 cpus == NULL ? ": no CPUs of its own" : cpus);
	}
	if (isolated != NULL)
		out_line("Isolated at boot: CPUs %s", isolated);
	if (offline != NULL)
		out_line("Offline: CPUs %s", offline);
}

void topo_draw(const json_t *machine)
{
	struct topo_pen pen = topo_pen(json_object_get(machine, "holders"));
	const char *model = json_string_value(json_object_get(machine, "cpu_model"));
	long long packages = number(machine, "package_count");
	size_t nodes = json_array_size(json_object_get(machine, "nodes"));
	long long gpus = number(machine, "gpu_count");

	out_line("%s: %lld package%s, %zu node%s, %lld cores, %lld CPUs, %lld GPU%s",
		 model == NULL ? "Machine" : model, packages, packages == 1 ? "" : "s", nodes,
		 nodes == 1 ? "" : "s", number(machine, "core_count"), number(machine, "cpu_count"),
		 gpus, gpus == 1 ? "" : "s");
	draw_packages(&pen, machine);
	if (count_near(machine, NULL) > 0) {
		out_line("%s", "");
		out_line("Near which node, the firmware does not say");
		draw_buses(&pen, "", machine, NULL);
	}
	draw_legend(&pen, machine);
}
