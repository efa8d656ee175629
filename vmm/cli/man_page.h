/* SPDX-License-Identifier: MIT */
/*
 * A page of the manual as roff, on standard output. Every text is plain: what roff would read as its own (a
 * backslash, a dot at a line's start, a hyphen in an option) is escaped here and nowhere else.
 * Source: groff_man(7), man(7) of mandoc.
 */
#ifndef GPUVM_CLI_MAN_PAGE_H
#define GPUVM_CLI_MAN_PAGE_H

/* The head of @title(@section), and its line for whatis. */
void man_page_begin(const char *title, const char *section, const char *summary);

/* Each with its first paragraph; NULL: what follows is none. */
void man_page_heading(const char *text, const char *first);
void man_page_subheading(const char *text, const char *first);

/* Words, filled; blanks and line ends among them are one blank. */
void man_page_paragraph(const char *text);

/* @term, bold, and below it @text, a paragraph each of which ends in NULL. */
void man_page_item(const char *term, const char *const *texts);

/* Lines as they are. */
void man_page_example(const char *text);

#endif
