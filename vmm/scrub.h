/* SPDX-License-Identifier: MIT */
/* A libvirt domain's XML without what is nobody else's business, for snapshots. */
#ifndef GPUVM_VMM_SCRUB_H
#define GPUVM_VMM_SCRUB_H

#include <stddef.h>

/* Owners seen so far: the first is "user1". Initialise with { 0 }, release with scrub_users_done(). */
struct scrub_users {
	char **names;
	size_t count;
};

void scrub_users_done(struct scrub_users *users);

static inline void scrub_users_cleanup(struct scrub_users *users)
{
	scrub_users_done(users);
}

/*
 * What says which CPUs, memory and functions @xml's domain has, and of gpuvm's metadata the owner, renamed by
 * @users, and the functions. Nothing else is kept: no UUID, MAC address, password, path or spec; names of VMs
 * are. NULL if it is no domain's XML. The caller frees.
 */
char *scrub_domain(const char *xml, struct scrub_users *users);

/* The owner named @name as scrub_domain() renames him, "user1"; NULL for NULL. The caller frees. */
char *scrub_user(const char *name, struct scrub_users *users);

#endif
