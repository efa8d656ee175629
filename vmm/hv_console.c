// SPDX-License-Identifier: MIT
#include "vmm/hv_console.h"

#include <libvirt/virterror.h>

#include "vmm/hv_internal.h"

bool hv_console_is_taken(struct hv *hv, const char *uuid)
{
	CLEANUP(vir_domain) virDomainPtr domain = virDomainLookupByUUIDString(hv->connection, uuid);
	virStreamPtr stream = domain == NULL ? NULL : virStreamNew(hv->connection, 0);
	bool taken = false;

	if (stream == NULL)
		return false;
	/* Told safe, libvirt opens it only for one at a time, as virsh's console does without a word. */
	if (virDomainOpenConsole(domain, NULL, stream, VIR_DOMAIN_CONSOLE_SAFE) == 0)
		virStreamAbort(stream);
	else
		taken = virGetLastErrorCode() == VIR_ERR_OPERATION_FAILED;
	virStreamFree(stream);
	return taken;
}
