// SPDX-License-Identifier: MIT
#include "vmm/inside.h"

#include <stdlib.h>

#include "vmm/absent.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"

static int refuse_foreign(const struct inside *inside, struct fail *fail)
{
	CLEANUP(text) char *uri = text_shell(hv_uri(inside->hv));

	fail_add(fail, FAIL_USAGE, "gpuvm has no VM named \"%s\"", inside->domain->name);
	fail_cause(fail, "a libvirt domain of that name exists that gpuvm did not make");
	return fail_hint(fail, "virsh -c %s dominfo -- %s", uri, inside->word);
}

int inside_open(const char *uri, const char *name, const char *verb, struct inside **ret_inside,
		struct fail *fail)
{
	CLEANUP(inside) struct inside *inside = mem_alloc(1, sizeof *inside);

	if (hv_open(uri == NULL ? HV_URI_DEFAULT : uri, HV_WRITE, &inside->hv, fail) < 0 ||
	    hv_domains_read(inside->hv, &inside->domains, fail) < 0)
		return -1;
	inside->domain = hv_domains_find(inside->domains, name);
	if (inside->domain == NULL)
		return absent_refuse(name, verb, fail);
	inside->name = text_printable(inside->domain->name, 0);
	inside->word = text_shell(inside->domain->name);
	if (guest_parse(inside->domain->xml, &inside->guest, fail) < 0)
		return -1;
	if (!inside->guest->is_ours)
		return refuse_foreign(inside, fail);
	*ret_inside = STEAL(inside);
	return 0;
}

void inside_free(struct inside *inside)
{
	if (inside == NULL)
		return;
	guest_free(inside->guest);
	hv_domains_free(inside->domains);
	hv_close(inside->hv);
	free(inside->name);
	free(inside->word);
	free(inside);
}

int inside_must_run(const struct inside *inside, struct fail *fail)
{
	if (inside->domain->is_active)
		return 0;
	fail_add(fail, FAIL_BUSY, "VM \"%s\" is off", inside->name);
	return fail_hint(fail, "gpuvm start %s", inside->word);
}
