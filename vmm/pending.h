/* SPDX-License-Identifier: MIT */
/* What waits for a VM's next start: its spec was changed in its file. */
#ifndef GPUVM_VMM_PENDING_H
#define GPUVM_VMM_PENDING_H

#include "vmm/guest.h"

/* The path of the file that @guest was started from; NULL if its record is lost. The caller frees. */
char *pending_file(const struct guest *guest);

/*
 * The text of that file, if it differs from the recorded one. NULL if not, or if the file cannot be read, is
 * neither the VM's owner's nor root's (somebody may have put his own in its place), or is another VM's by now.
 * The text may be wrong as a spec. The caller frees.
 */
char *pending_spec(const struct guest *guest);

#endif
