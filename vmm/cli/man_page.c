// SPDX-License-Identifier: MIT
#include "vmm/cli/man_page.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

#define COLUMNS 76 /* of the source: for whoever reads that */

/* Of groff_char(7): what stands for itself only so. */
static const struct {
	char character;
	const char *roff;
} escapes[] = {
	{ '\\', "\\e" },  { '-', "\\-" },   { '\'', "\\(aq" }, { '`', "\\(ga" },
	{ '^', "\\(ha" }, { '~', "\\(ti" }, { '"', "\\(dq" },
};

/* The caller frees. */
static char *escaped(const char *text)
{
	char *roff = mem_strdup("");

	for (const char *at = text; *at != '\0'; at++) {
		const char *as = NULL;

		for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
			if (escapes[i].character == *at)
				as = escapes[i].roff;
		if (as != NULL)
			text_add(&roff, "%s", as);
		else
			text_add(&roff, "%c", *at);
	}
	return roff;
}

/* A dot begins a request, at a line's start only. */
static void line(const char *roff)
{
	out_line("%s%s", *roff == '.' ? "\\&" : "", roff);
}

void man_page_begin(const char *title, const char *section, const char *summary)
{
	CLEANUP(text) char *name = escaped(title);
	CLEANUP(text) char *what = escaped(summary);

	out_line(".\\\" Made by the build from gpuvm's own tables.");
	out_line(".TH \"%s\" \"%s\" \"%s\" \"gpuvm %s\" \"gpuvm\"", name, section, GPUVM_DATE,
		 GPUVM_VERSION);
	out_line(".SH NAME");
	out_line("%s \\- %s", name, what);
}

static void fill(const char *text)
{
	CLEANUP(text) char *copy = mem_strdup(text);
	CLEANUP(text) char *filled = NULL;
	char *rest = NULL;

	for (char *word = strtok_r(copy, " \n\t", &rest); word != NULL;
	     word = strtok_r(NULL, " \n\t", &rest)) {
		CLEANUP(text) char *roff = escaped(word);

		if (filled != NULL && strlen(filled) + 1 + strlen(roff) > COLUMNS) {
			line(filled);
			free(STEAL(filled));
		}
		text_join(&filled, " ", roff);
	}
	if (filled != NULL)
		line(filled);
}

static void heading(const char *macro, const char *text, const char *first)
{
	CLEANUP(text) char *roff = escaped(text);

	out_line(".%s \"%s\"", macro, roff);
	if (first != NULL)
		fill(first);
}

void man_page_heading(const char *text, const char *first)
{
	heading("SH", text, first);
}

void man_page_subheading(const char *text, const char *first)
{
	heading("SS", text, first);
}

void man_page_paragraph(const char *text)
{
	out_line(".PP");
	fill(text);
}

void man_page_item(const char *term, const char *const *texts)
{
	CLEANUP(text) char *roff = escaped(term);
	bool is_first = true;

	out_line(".TP");
	out_line("\\fB%s\\fR", roff);
	for (; *texts != NULL; texts++) {
		if (**texts == '\0')
			continue;
		if (!is_first)
			out_line(".br");
		fill(*texts);
		is_first = false;
	}
}

void man_page_example(const char *text)
{
	CLEANUP(text) char *copy = mem_strdup(text);
	char *at = copy;

	out_line(".PP\n.RS 4\n.nf");
	while (at != NULL) {
		char *one = strsep(&at, "\n");
		CLEANUP(text) char *roff = escaped(one);

		line(*roff == '\0' ? "\\&" : roff);
	}
	out_line(".fi\n.RE");
}
