// SPDX-License-Identifier: MIT
#include "vmm/hv.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hook.h"

struct hv {
	virConnectPtr connection;
};

static void domain_cleanup(virDomainPtr *domain)
{
	if (*domain != NULL)
		virDomainFree(*domain);
}

/* libvirt prints every error to standard error unless told otherwise. */
static void ignore_error(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

static int last_code(void)
{
	virErrorPtr error = virGetLastError();

	return error == NULL ? VIR_ERR_OK : error->code;
}

static int hv_fail(struct fail *fail, const char *what)
{
	CLEANUP(text) char *cause = text_printable(virGetLastErrorMessage(), 2000);

	fail_add(fail, FAIL_HV, "%s", what);
	return fail_cause(fail, "libvirt: %s", cause);
}

/* Whether the account is in group libvirt, and whether this very process is. */
static void group_membership(bool *ret_account, bool *ret_process)
{
	const struct group *group = getgrnam("libvirt");
	gid_t gids[1024];
	int count;

	*ret_account = *ret_process = false;
	if (group == NULL)
		return;
	count = getgroups((int)(sizeof gids / sizeof *gids), gids);
	for (int i = 0; i < count; i++)
		if (gids[i] == group->gr_gid)
			*ret_process = true;
	for (char **member = group->gr_mem; *member != NULL; member++) {
		const char *login = getlogin();
		const char *user = getenv("USER");

		if (text_equal(*member, user != NULL ? user : login))
			*ret_account = true;
	}
}

static int not_permitted(const char *uri, const char *cause, struct fail *fail)
{
	bool account, process;

	group_membership(&account, &process);
	fail_add(fail, FAIL_HOST, "you may not manage VMs on this host (%s)", uri);
	fail_cause(fail, "libvirt: %s", cause);
	if (account && !process)
		return fail_hint(fail, "you were put in group libvirt after this login: log out "
				       "and in again, or run: newgrp libvirt");
	return fail_hint(fail, "sudo adduser $USER libvirt   then log in again");
}

static int open_failed(const char *uri, struct fail *fail)
{
	CLEANUP(text) char *cause = text_printable(virGetLastErrorMessage(), 2000);
	int code = last_code();

	if (code == VIR_ERR_AUTH_FAILED || code == VIR_ERR_AUTH_CANCELLED ||
	    code == VIR_ERR_AUTH_UNAVAILABLE || code == VIR_ERR_ACCESS_DENIED ||
	    strstr(cause, strerror(EACCES)) != NULL)
		return not_permitted(uri, cause, fail);
	if (strstr(cause, strerror(ENOENT)) != NULL ||
	    strstr(cause, strerror(ECONNREFUSED)) != NULL) {
		fail_add(fail, FAIL_HOST, "libvirt's daemon does not answer at %s", uri);
		fail_cause(fail, "libvirt: %s", cause);
		return fail_hint(fail, "install it (Debian: sudo apt install "
				       "libvirt-daemon-system), or see why it is down: "
				       "systemctl status '*virt*.socket'");
	}
	fail_add(fail, FAIL_HV, "no connection to libvirt at %s", uri);
	fail_cause(fail, "libvirt: %s", cause);
	return -1;
}

int hv_open(const char *uri, enum hv_access access, struct hv **ret_hv, struct fail *fail)
{
	virConnectPtr connection;
	struct hv *hv;

	virSetErrorFunc(NULL, ignore_error);
	connection = access == HV_READ ? virConnectOpenReadOnly(uri) : virConnectOpen(uri);
	if (connection == NULL)
		return open_failed(uri, fail);
	hv = mem_alloc(1, sizeof *hv);
	hv->connection = connection;
	*ret_hv = hv;
	return 0;
}

void hv_close(struct hv *hv)
{
	if (hv == NULL)
		return;
	virConnectClose(hv->connection);
	free(hv);
}

unsigned long hv_libvirt_version(struct hv *hv)
{
	unsigned long version = 0;

	return virConnectGetLibVersion(hv->connection, &version) < 0 ? 0 : version;
}

unsigned long hv_qemu_version(struct hv *hv)
{
	unsigned long version = 0;

	return virConnectGetVersion(hv->connection, &version) < 0 ? 0 : version;
}

const char *hv_state_name(enum hv_state state)
{
	switch (state) {
	case HV_OFF:
		return "off";
	case HV_RUNNING:
		return "running";
	case HV_PAUSED:
		return "paused";
	case HV_STOPPING:
		return "stopping";
	case HV_CRASHED:
		return "crashed";
	}
	return "unknown";
}

static enum hv_state state_of(int state)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
	case VIR_DOMAIN_NOSTATE:
		return HV_RUNNING;
	case VIR_DOMAIN_PAUSED:
	case VIR_DOMAIN_PMSUSPENDED:
		return HV_PAUSED;
	case VIR_DOMAIN_SHUTDOWN:
		return HV_STOPPING;
	case VIR_DOMAIN_CRASHED:
		return HV_CRASHED;
	default:
		return HV_OFF;
	}
}

static const char *paused_reason(int reason)
{
	static const char *const names[] = {
		[VIR_DOMAIN_PAUSED_USER] = "by a user",
		[VIR_DOMAIN_PAUSED_MIGRATION] = "for a migration",
		[VIR_DOMAIN_PAUSED_SAVE] = "for a save",
		[VIR_DOMAIN_PAUSED_DUMP] = "for a dump",
		[VIR_DOMAIN_PAUSED_IOERROR] = "after a disk I/O error",
		[VIR_DOMAIN_PAUSED_WATCHDOG] = "by its watchdog",
		[VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "while shutting down",
		[VIR_DOMAIN_PAUSED_SNAPSHOT] = "for a snapshot",
		[VIR_DOMAIN_PAUSED_CRASHED] = "after a crash",
		[VIR_DOMAIN_PAUSED_STARTING_UP] = "while starting",
	};

	if (reason < 0 || (size_t)reason >= sizeof names / sizeof *names || names[reason] == NULL)
		return "for an unknown reason";
	return names[reason];
}

/* False if the domain vanished while it was read. */
static bool read_domain(virDomainPtr from, struct hv_domain *ret)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	int state = 0;
	int reason = 0;
	char *xml;

	if (virDomainGetState(from, &state, &reason, 0) < 0 ||
	    virDomainGetUUIDString(from, uuid) < 0)
		return false;
	xml = virDomainGetXMLDesc(from, 0);
	if (xml == NULL)
		return false;
	ret->xml = xml;
	ret->name = mem_strdup(virDomainGetName(from));
	ret->uuid = mem_strdup(uuid);
	ret->state = state_of(state);
	ret->is_active = virDomainIsActive(from) == 1;
	ret->is_persistent = virDomainIsPersistent(from) == 1;
	ret->has_managed_save = virDomainHasManagedSaveImage(from, 0) == 1;
	if (ret->state == HV_PAUSED)
		ret->paused_reason = mem_strdup(paused_reason(reason));
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct hv_domain *)a)->name, ((const struct hv_domain *)b)->name);
}

int hv_domains_read(struct hv *hv, struct hv_domains **ret_domains, struct fail *fail)
{
	struct hv_domains *result;
	virDomainPtr *all = NULL;
	int count = virConnectListAllDomains(hv->connection, &all, 0);

	if (count < 0)
		return hv_fail(fail, "libvirt does not list its domains");
	result = mem_alloc(1, sizeof *result);
	result->domains = mem_alloc((size_t)count, sizeof *result->domains);
	for (int i = 0; i < count; i++) {
		if (read_domain(all[i], &result->domains[result->count]))
			result->count++;
		virDomainFree(all[i]);
	}
	free(all);
	qsort(result->domains, result->count, sizeof *result->domains, by_name);
	*ret_domains = result;
	return 0;
}

void hv_domains_free(struct hv_domains *domains)
{
	if (domains == NULL)
		return;
	for (size_t i = 0; i < domains->count; i++) {
		free(domains->domains[i].name);
		free(domains->domains[i].uuid);
		free(domains->domains[i].paused_reason);
		free(domains->domains[i].xml);
	}
	free(domains->domains);
	free(domains);
}

const struct hv_domain *hv_domains_find(const struct hv_domains *domains, const char *name)
{
	for (size_t i = 0; i < domains->count; i++)
		if (text_equal(domains->domains[i].name, name))
			return &domains->domains[i];
	return NULL;
}

int hv_define(struct hv *hv, const char *xml, struct fail *fail)
{
	CLEANUP(domain)
	virDomainPtr domain = virDomainDefineXMLFlags(hv->connection, xml,
						      VIR_DOMAIN_DEFINE_VALIDATE);

	return domain == NULL ? hv_fail(fail, "libvirt does not accept the VM's definition") : 0;
}

static int lookup(struct hv *hv, const char *uuid, virDomainPtr *ret_domain, struct fail *fail)
{
	*ret_domain = virDomainLookupByUUIDString(hv->connection, uuid);
	return *ret_domain == NULL ? hv_fail(fail, "the VM is gone from libvirt") : 0;
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int hv_start(struct hv *hv, const char *uuid, double *ret_seconds, struct fail *fail)
{
	CLEANUP(domain) virDomainPtr domain = NULL;
	double before;
	int result;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	before = now_seconds();
	result = virDomainCreateWithFlags(domain, VIR_DOMAIN_START_FORCE_BOOT);
	if (ret_seconds != NULL)
		*ret_seconds = now_seconds() - before;
	/* gpuvm's own words, from the other end of libvirt. */
	if (result < 0 && last_code() == VIR_ERR_HOOK_SCRIPT_FAILED &&
	    hook_read_veto(virGetLastErrorMessage(), fail))
		return -1;
	return result < 0 ? hv_fail(fail, "libvirt could not start the VM") : 0;
}

/* Turning off what is off already is no failure. Asking for that forgets the first call's error. */
static int fail_if_active(virDomainPtr domain, const char *what, struct fail *fail)
{
	CLEANUP(text) char *cause = text_printable(virGetLastErrorMessage(), 2000);

	if (virDomainIsActive(domain) != 1)
		return 0;
	fail_add(fail, FAIL_HV, "%s", what);
	return fail_cause(fail, "libvirt: %s", cause);
}

int hv_shutdown(struct hv *hv, const char *uuid, struct fail *fail)
{
	CLEANUP(domain) virDomainPtr domain = NULL;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	if (virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) < 0)
		return fail_if_active(domain, "the guest cannot be asked to shut down", fail);
	return 0;
}

int hv_destroy(struct hv *hv, const char *uuid, struct fail *fail)
{
	CLEANUP(domain) virDomainPtr domain = NULL;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	if (virDomainDestroy(domain) < 0)
		return fail_if_active(domain, "libvirt could not stop the VM", fail);
	return 0;
}

int hv_undefine(struct hv *hv, const char *uuid, struct fail *fail)
{
	CLEANUP(domain) virDomainPtr domain = NULL;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	if (virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
						   VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
						   VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
						   VIR_DOMAIN_UNDEFINE_NVRAM) < 0)
		return hv_fail(fail, "libvirt could not delete the VM");
	return 0;
}

int hv_is_active(struct hv *hv, const char *uuid, bool *ret_active, struct fail *fail)
{
	CLEANUP(domain) virDomainPtr domain = virDomainLookupByUUIDString(hv->connection, uuid);
	int active;

	if (domain == NULL && last_code() == VIR_ERR_NO_DOMAIN) {
		*ret_active = false;
		return 0;
	}
	active = domain == NULL ? -1 : virDomainIsActive(domain);
	if (active < 0 && last_code() == VIR_ERR_NO_DOMAIN)
		active = 0;
	if (active < 0)
		return hv_fail(fail, "libvirt does not tell the VM's state");
	*ret_active = active == 1;
	return 0;
}

int hv_reattach(struct hv *hv, const char *address, struct fail *fail)
{
	CLEANUP(text) char *name = text_format("pci_%s", address);
	CLEANUP(text) char *what = text_format("%s cannot be given back to the host", address);
	virNodeDevicePtr device;
	int result;

	for (char *at = name; *at != '\0'; at++)
		if (*at == ':' || *at == '.')
			*at = '_';
	device = virNodeDeviceLookupByName(hv->connection, name);
	if (device == NULL)
		return hv_fail(fail, what);
	result = virNodeDeviceReAttach(device);
	virNodeDeviceFree(device);
	return result < 0 ? hv_fail(fail, what) : 0;
}

int hv_network_state(struct hv *hv, const char *name, enum hv_network *ret_state, struct fail *fail)
{
	virNetworkPtr network = virNetworkLookupByName(hv->connection, name);
	int active;

	if (network == NULL) {
		if (last_code() != VIR_ERR_NO_NETWORK)
			return hv_fail(fail, "libvirt does not tell about its networks");
		*ret_state = HV_NETWORK_ABSENT;
		return 0;
	}
	active = virNetworkIsActive(network);
	virNetworkFree(network);
	if (active < 0)
		return hv_fail(fail, "libvirt does not tell about its networks");
	*ret_state = active == 1 ? HV_NETWORK_ACTIVE : HV_NETWORK_INACTIVE;
	return 0;
}
