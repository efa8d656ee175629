// SPDX-License-Identifier: MIT
/*
 * gpu-server: a PCI function as a process, for QEMU's vfio-user-pci. One process for each function of a card. With libc
 * alone, so that the lab can compile it wherever it runs. options.h says how it is called, protocol.h what it speaks,
 * control.h how it is made to go wrong.
 *
 * Exit: 0, 1 when something failed, 2 for a wrong command line, 3 when told to by "exit".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lab/gpu-server/options.h"
#include "tests/lab/gpu-server/serve.h"

static int failed(const char *what)
{
	fprintf(stderr, "gpu-server: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int count, char **words)
{
	struct options options;
	const char *word = NULL;
	const char *problem = options_parse(&options, count, words, &word);
	static struct gpu gpu;
	int result;

	if (problem != NULL) {
		fprintf(stderr, "gpu-server: %s%s%s\n", word == NULL ? "" : word,
			word == NULL ? "" : ": ", problem);
		return 2;
	}
	if (options.ask != NULL) {
		result = serve_ask(options.ask, options.words);
		return result < 0 ? failed(options.ask) : result;
	}
	if (gpu_init(&gpu, &options.shape) < 0)
		return failed("memory for the BARs");
	result = serve(&options, &gpu);
	return result < 0 ? failed(options.socket) : result;
}
