/* SPDX-License-Identifier: MIT */
/*
 * libvirt, as little of it as gpuvm needs. Only the hv files include its headers. Every failure is
 * FAIL_HV with libvirt's own text as the cause, except where first contact fails for a reason that the
 * host's admin can mend: those are FAIL_HOST with the next command.
 * Source: libvirt 9.0 API reference (libvirt-domain, libvirt-network, libvirt-nodedev).
 */
#ifndef GPUVM_VMM_HV_H
#define GPUVM_VMM_HV_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

#define HV_URI_DEFAULT "qemu:///system"

struct hv; /* a connection */

/*
 * Connecting, and what is asked here of domains, all but hv_start(), says after HV_PATIENCE_S seconds on standard error
 * that libvirt does not answer yet, and after HV_TIMEOUT_S ends the process (deadline.h).
 *
 * While libvirt kills a QEMU that does not end, as one whose GPU does not come back from its reset, it keeps everybody
 * waiting who asks for that domain, or for a list: 40 s, and 2 for each of its PCI functions; and when its monitor has
 * ended once more, one domain after the other (libvirt 11.3; seen: 84 s for one, 161 s for three). HV_TIMEOUT_S is
 * enough for eight.
 */
#define HV_PATIENCE_S 10
#define HV_TIMEOUT_S  420

/*
 * What a process says that ends because libvirt has not answered for @timeout_s. It sends nobody to virsh, which would
 * wait for the same. The caller frees.
 */
char *hv_timeout_words(unsigned timeout_s);

enum hv_access {
	HV_READ, /* virConnectOpenReadOnly: what any user may do */
	HV_WRITE,
};

/* The connection to @uri. FAIL_HOST: no daemon, or the caller may not talk to it. Close with hv_close(). */
int hv_open(const char *uri, enum hv_access access, struct hv **ret_hv, struct fail *fail);
void hv_close(struct hv *hv);
CLEANUP_DEFINE(hv, struct hv, hv_close)

/* The URI that it was opened at, for commands of virsh. Borrows. */
const char *hv_uri(const struct hv *hv);

/* Whether it is the daemon of this machine's system, HV_URI_DEFAULT: what it does not define nobody does. */
bool hv_is_system(struct hv *hv);

/* Versions as major * 1000000 + minor * 1000 + micro; 0: unknown. */
unsigned long hv_libvirt_version(struct hv *hv);
unsigned long hv_qemu_version(struct hv *hv);

enum hv_state {
	HV_OFF,
	HV_RUNNING,
	HV_PAUSED,   /* its vCPUs stand still, its GPU does not */
	HV_STOPPING, /* shutting down */
	HV_CRASHED,
};

const char *hv_state_name(enum hv_state state);

struct hv_domain {
	char *name, *uuid;
	unsigned id; /* while active: larger than those of all that started before */
	enum hv_state state;
	bool is_active; /* holds its devices */
	bool is_starting; /* active, and QEMU does not run yet: it may be taking its memory just now */
	bool is_transient, has_managed_save; /* after hv_domains_mark() */
	char *paused_reason;                 /* "user", "I/O error", ...; NULL unless HV_PAUSED */
	char *xml;                           /* live if active, else the definition */
};

struct hv_domains {
	struct hv_domain *domains; /* by name */
	size_t count;
};

/* All domains of the connection's driver, gpuvm's or not. One that vanishes meanwhile is left out.
 * Release with hv_domains_free(). */
int hv_domains_read(struct hv *hv, struct hv_domains **ret_domains, struct fail *fail);
void hv_domains_free(struct hv_domains *domains);
CLEANUP_DEFINE(hv_domains, struct hv_domains, hv_domains_free)

/* Asks which of them have no definition, and which a state saved by virsh managedsave. What libvirt does not tell is
 * taken for false. */
void hv_domains_mark(struct hv *hv, struct hv_domains *domains);

/* Whether libvirt may have a domain named @name: false if it says that it has none. */
bool hv_may_have(struct hv *hv, const char *name);

/* The definition of @uuid: what its next start would use, if gpuvm did not write it anew. NULL if it has none, or is
 * gone. The caller frees. */
char *hv_definition(struct hv *hv, const char *uuid);

/* The one named @name, or NULL. Borrows. */
const struct hv_domain *hv_domains_find(const struct hv_domains *domains, const char *name);

/*
 * Memory of the host that the active domain @uuid has taken so far, huge pages not counted (virDomainMemoryStats,
 * RSS). 0 if libvirt does not tell. Can wait for another job of that domain.
 */
uint64_t hv_resident_bytes(struct hv *hv, const char *uuid);

/*
 * The CPUs (os indexes) that each of the first @vcpus vCPUs of the active domain @uuid may run on, as the kernel
 * has it (virDomainGetVcpus). Returns for how many, 0 if libvirt does not tell. The caller frees the bitmaps and the
 * array.
 */
size_t hv_vcpu_affinity(struct hv *hv, const char *uuid, unsigned vcpus, hwloc_bitmap_t **ret_cpus);

/* Defines or redefines. Not checked against libvirt's schema, which costs more than all of gpuvm's own work: the
 * tests do that for every shape of domain. */
int hv_define(struct hv *hv, const char *xml, struct fail *fail);

/* Starts the defined domain @uuid; returns when QEMU runs. A stale saved state is discarded (it could
 * not contain the GPU's). What gpuvm's hook vetoes fails as the hook said (FAIL_BUSY, FAIL_HOST). Seconds spent inside libvirt's call go to @ret_seconds unless NULL. */
int hv_start(struct hv *hv, const char *uuid, double *ret_seconds, struct fail *fail);

/* Presses the power button. */
int hv_shutdown(struct hv *hv, const char *uuid, struct fail *fail);

/*
 * Cuts the power. Success too if it is off already. 1 if its QEMU was killed and does not end, as while the kernel
 * resets its GPU: libvirt waits some 15 s for it (virProcessKillPainfullyDelay), and sees its end whenever that comes.
 */
int hv_destroy(struct hv *hv, const char *uuid, struct fail *fail);

/* Forgets the definition, its saved state and snapshots' metadata; its UEFI variables unless @keep_nvram. */
int hv_undefine(struct hv *hv, const char *uuid, bool keep_nvram, struct fail *fail);

/* Puts the element @xml of namespace @uri, written @key, into the metadata of the definition of @uuid, in place of
 * the one of that namespace, if any. */
int hv_set_metadata(struct hv *hv, const char *uuid, const char *xml, const char *key,
		    const char *uri, struct fail *fail);

/* Whether @uuid is active. An unknown domain is not. */
int hv_is_active(struct hv *hv, const char *uuid, bool *ret_active, struct fail *fail);

/* What libvirt calls the PCI function at @address. The caller frees. */
char *hv_node_name(const char *address);

/* Tells the host's driver to take the PCI function back (virNodeDeviceReAttach). */
int hv_reattach(struct hv *hv, const char *address, struct fail *fail);

enum hv_network {
	HV_NETWORK_ABSENT,
	HV_NETWORK_INACTIVE,
	HV_NETWORK_ACTIVE,
};

int hv_network_state(struct hv *hv, const char *name, enum hv_network *ret_state,
		     struct fail *fail);

#endif
