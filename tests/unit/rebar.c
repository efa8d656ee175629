// SPDX-License-Identifier: MIT
/* Sizes that a BAR could have: from the kernel's file, from the capability, and from damaged ones. */
#include "topo/rebar.h"

#include <string.h>

#include "tests/unit/hosts.h"
#include "tests/unit/scratch.h"
#include "vmm/base/mem.h"

#define GPU   "0000:17:00.0"
#define GIB   (UINT64_C(1) << 30)
#define SPACE 4096

static void put(unsigned char *space, size_t at, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		space[at + (size_t)i] = (unsigned char)(word >> (8 * i));
}

/* Something else at 100h, then BAR 1 of two sizes, and BAR 3, which is not asked for. */
static void fill(unsigned char *space)
{
	put(space, 0x100, 0x0001 | 1u << 16 | 0x200u << 20);
	put(space, 0x200, 0x0015 | 1u << 16);
	put(space, 0x204, (1u << 8 | 1u << 15) << 4);
	put(space, 0x208, 1 | 2u << 5);
	put(space, 0x20c, (1u << 20) << 4);
	put(space, 0x210, 3);
}

static void circle(unsigned char *space)
{
	put(space, 0x100, 0x0001 | 1u << 16 | 0x100u << 20);
}

static void beyond(unsigned char *space)
{
	put(space, 0x100, 0x0001 | 1u << 16 | 0xffcu << 20);
	put(space, 0xffc, 0x0015 | 1u << 16);
}

static void dead(unsigned char *space)
{
	memset(space, 0xff, SPACE);
}

static void nothing(unsigned char *space)
{
	(void)space;
}

static const struct {
	const char *about, *lines;
	void (*fill)(unsigned char *space); /* NULL: only the header can be read */
	enum rebar_state state;
	uint64_t largest;
} cases[] = {
	{ "the kernel's file", "/resource1_resize\t0000000000008000\n", NULL, REBAR_SIZES,
	  32 * GIB },
	{ "another BAR's file", "/resource3_resize\t8000\n", NULL, REBAR_NOT_TOLD, 0 },
	{ "no number", "/resource1_resize\tmany\n", NULL, REBAR_NOT_TOLD, 0 },
	{ "the capability", "/x\t\n", fill, REBAR_SIZES, 32 * GIB },
	{ "no capability", "/x\t\n", nothing, REBAR_NONE, 0 },
	{ "a list in a circle", "/x\t\n", circle, REBAR_NONE, 0 },
	{ "a capability at the very end", "/x\t\n", beyond, REBAR_NONE, 0 },
	{ "a card off the bus", "/x\t\n", dead, REBAR_NONE, 0 },
	{ "only the header", "/x\t\n", NULL, REBAR_NOT_TOLD, 0 },
};

static void sizes_are_read_where_they_can_be(void **state)
{
	const struct device device = { .address = GPU };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char space[SPACE] = { 0 };
		CLEANUP(text) char *hex = NULL;
		CLEANUP(text) char *lines = NULL;
		CLEANUP(root) struct root *root = NULL;
		struct rebar rebar;

		if (cases[i].fill != NULL)
			cases[i].fill(space);
		for (size_t at = 0; at < (cases[i].fill == NULL ? 64 : SPACE); at++)
			text_add(&hex, "%02x", space[at]);
		lines = text_format("sys/bus/pci/devices/" GPU "%ssys/bus/pci/devices/" GPU
				    "/config := %s\n",
				    cases[i].lines, hex);
		root = hosts_write("rebar", lines);
		rebar = rebar_read(root, &device, 1);
		print_message("  %s\n", cases[i].about);
		assert_int_equal(rebar.state, cases[i].state);
		assert_int_equal(rebar_largest(&rebar), cases[i].largest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_where_they_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
