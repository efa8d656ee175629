// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/out.h"

bool out_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

char *out_ask(const char *question, const char *fallback)
{
	CLEANUP(text) char *shown = fallback == NULL ? NULL : text_printable(fallback, 0);
	CLEANUP(text) char *answer = NULL;
	size_t room = 0;

	out_progress_end();
	do {
		fprintf(stderr, "%s%s%s%s: ", question, shown == NULL ? "" : " [",
			shown == NULL ? "" : shown, shown == NULL ? "" : "]");
		fflush(stderr);
		if (getline(&answer, &room, stdin) < 0) {
			fputc('\n', stderr);
			return NULL;
		}
		answer[strcspn(answer, "\n")] = '\0';
	} while (*text_trim(answer) == '\0' && fallback == NULL);
	return mem_strdup(*text_trim(answer) == '\0' ? fallback : text_trim(answer));
}
