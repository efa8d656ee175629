// SPDX-License-Identifier: MIT
#include "vmm/owner.h"

#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv.h"

static unsigned caller_uid(void)
{
	const char *sudo_uid = getenv("SUDO_UID");
	unsigned long long uid;

	/* Only root may speak for others. */
	if (getuid() == 0 && sudo_uid != NULL && text_number(sudo_uid, &uid) && uid < UINT32_MAX)
		return (unsigned)uid;
	return getuid();
}

struct owner *owner_of_caller(void)
{
	struct owner *owner = mem_alloc(1, sizeof *owner);
	const struct passwd *account;

	owner->uid = caller_uid();
	account = getpwuid(owner->uid);
	owner->name = account != NULL ? text_printable(account->pw_name, 64)
				      : text_format("uid %u", owner->uid);
	return owner;
}

void owner_free(struct owner *owner)
{
	if (owner == NULL)
		return;
	free(owner->name);
	free(owner);
}

int owner_may(const struct owner *owner, const struct guest *guest, const char *uri,
	      const char *verb, bool force, struct fail *fail)
{
	CLEANUP(text) char *name = text_printable(guest->name, 80);
	CLEANUP(text) char *word = text_shell(name);

	if (!guest->is_ours) {
		fail_add(fail, FAIL_REFUSED, "VM \"%s\" is not gpuvm's", name);
		fail_cause(fail, "its definition carries no gpuvm metadata: somebody made it with "
				 "another tool");
		return fail_hint(fail, "virsh -c %s dominfo %s", uri == NULL ? HV_URI_DEFAULT : uri,
				 word);
	}
	if (guest->uid == owner->uid || force)
		return 0;
	fail_add(fail, FAIL_REFUSED, "VM \"%s\" belongs to %s", name, guest->user);
	fail_cause(fail, "you are %s", owner->name);
	return fail_hint(fail, "ask %s, or insist: gpuvm %s --force %s", guest->user, verb, word);
}
