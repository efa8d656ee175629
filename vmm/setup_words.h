/* SPDX-License-Identifier: MIT */
/* The words of a kernel command line, where boot loaders keep it: text in, text out. */
#ifndef GPUVM_VMM_SETUP_WORDS_H
#define GPUVM_VMM_SETUP_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* What is taken out of a command line; it always loses what switches the IOMMU off. */
struct setup_words_rule {
	bool drops_gib_pages; /* hugepagesz=1G and the hugepages= that belongs to it */
	const char *const
		*ids; /* "10de:2330": what vfio-pci.ids= loses; NULL-terminated, or NULL */
};

/*
 * @words, separated by blanks, without what @rule takes out; everything else, blanks included, as it was. A double
 * quote keeps blanks in a word, as for the kernel (Documentation/admin-guide/kernel-parameters.rst). The caller frees.
 */
char *setup_words_filter(const char *words, const struct setup_words_rule *rule);

/* Whether @word is one of @words. */
bool setup_words_has(const char *words, const char *word);

/* @word appended to the last line of @words. The caller frees. */
char *setup_words_add(const char *words, const char *word);

/*
 * @text, a file of assignments that a shell reads (/etc/default/grub), with the values of GRUB_CMDLINE_LINUX and
 * GRUB_CMDLINE_LINUX_DEFAULT filtered, and all else as it was: comments, other variables, lines that go on. NULL if it
 * is no such file: a quote has no end. *@ret_line is then its line. The caller frees.
 */
char *setup_words_filter_shell(const char *text, const struct setup_words_rule *rule,
			       unsigned *ret_line);

/* The words of all those values one behind the other, as they stand there. NULL as above. The caller frees. */
char *setup_words_of_shell(const char *text);

#endif
