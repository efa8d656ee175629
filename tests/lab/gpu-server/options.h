/* SPDX-License-Identifier: MIT */
/*
 * The command line:
 *
 *   gpu-server --socket PATH --control PATH [OPTION...]    serves
 *   gpu-server --ask PATH WORD...                          says the words to a control socket, shows the answer
 *
 *   --id VENDOR:DEVICE         hexadecimal, as lspci -n shows it; 10de:2330 if not given
 *   --subsystem VENDOR:DEVICE  the same; the function's own ids if not given
 *   --class CODE               4 or 6 digits: 0302 if not given
 *   --revision NUMBER          two digits: a1 if not given
 *   --bar N:SIZE:KIND          SIZE with K, M, G or none; KIND io, 32, 64 or 64p (prefetchable). Memory, unless it ends
 *                              with "t" (trapped): registers that read as zero
 *   --serial NUMBER            the Device Serial Number, 16 digits at most; none if not given
 *   --no-flr                   it cannot reset itself
 *   --link GENERATION x LANES  "5x16" if not given: what it runs at
 *   --max-link ...             the same: what it could run at; as --link if not given
 *   --pin 1                    an INTA pin
 *   --msi COUNT, --msix COUNT  interrupt vectors; none if not given
 */
#ifndef GPUVM_LAB_OPTIONS_H
#define GPUVM_LAB_OPTIONS_H

#include "tests/lab/gpu-server/gpu.h"

/* All of it borrowed from the command line. */
struct options {
	struct gpu_shape shape;
	const char *socket;
	const char *control;
	const char *ask;
	char *const *words; /* behind --ask PATH, NULL-ended */
};

/* NULL, or what is wrong; then *ret_word is the word it is about, or NULL. */
const char *options_parse(struct options *options, int count, char *const *words,
			  const char **ret_word);

#endif
