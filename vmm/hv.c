// SPDX-License-Identifier: MIT
#include "vmm/hv.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "vmm/base/clock.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hook.h"
#include "vmm/hv_internal.h"

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

int hv_fail(struct fail *fail, const char *what)
{
	CLEANUP(text) char *cause = text_printable(virGetLastErrorMessage(), 2000);

	fail_add(fail, FAIL_HV, "%s", what);
	return fail_cause(fail, "libvirt: %s", cause);
}

char *hv_timeout_words(unsigned timeout_s)
{
	return text_format("\ngpuvm: libvirt does not answer\n"
			   "  cause: not within %u s: a VM or a driver of this host hangs\n"
			   "  hint: see which: sudo dmesg | grep -i vfio   and: "
			   "sudo journalctl -n 20 -u libvirtd -u virtqemud\n",
			   timeout_s);
}

struct deadline *hv_deadline(const struct hv *hv)
{
	CLEANUP(text) char *last = hv_timeout_words(hv->timeout_s);

	return deadline_begin(&(struct deadline_words){
		.patience_s = hv->patience_s,
		.patience =
			"\ngpuvm: libvirt does not answer yet, as while it waits for the end of a "
			"VM that has much memory to give back, or a GPU that does not come "
			"back from its reset\n",
		.timeout_s = hv->timeout_s,
		.last = last,
		.exit_code = fail_kind_row(FAIL_HV)->exit_code,
	});
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

/* libvirt's URIs name a host between the slashes, or a transport behind a plus; a session's daemon is one
 * user's own, and does not know the VMs of the system's. */
static bool is_elsewhere(const char *uri)
{
	const char *authority = strstr(uri, "://");
	const char *transport = strchr(uri, '+');

	if (authority == NULL)
		return false;
	return authority[3] != '/' || text_starts(authority + 3, "/session") ||
	       (transport != NULL && transport < authority && !text_starts(transport, "+unix:"));
}

int hv_open(const char *uri, enum hv_access access, struct hv **ret_hv, struct fail *fail)
{
	CLEANUP(deadline) struct deadline *deadline = NULL;
	CLEANUP(hv) struct hv *hv = NULL;

	if (is_elsewhere(uri)) {
		fail_add(fail, FAIL_USAGE, "--connect %s: not this machine's system daemon", uri);
		fail_cause(fail, "GPUs, CPUs and what is taken are read on this machine");
		return fail_hint(fail,
				 "leave --connect out, or log in on the machine that is meant");
	}
	virSetErrorFunc(NULL, ignore_error);
	hv = mem_alloc(1, sizeof *hv);
	hv->uri = mem_strdup(uri);
	hv->patience_s = HV_PATIENCE_S;
	hv->timeout_s = HV_TIMEOUT_S;
	deadline = hv_deadline(hv);
	hv->connection = access == HV_READ ? virConnectOpenReadOnly(uri) : virConnectOpen(uri);
	if (hv->connection == NULL)
		return open_failed(uri, fail);
	*ret_hv = STEAL(hv);
	return 0;
}

void hv_close(struct hv *hv)
{
	if (hv == NULL)
		return;
	vir_domain_cleanup(&hv->defined);
	if (hv->connection != NULL)
		virConnectClose(hv->connection);
	free(hv->uri);
	free(hv);
}

const char *hv_uri(const struct hv *hv)
{
	return hv->uri;
}

bool hv_is_system(struct hv *hv)
{
	CLEANUP(text) char *uri = virConnectGetURI(hv->connection);

	return text_equal(uri, HV_URI_DEFAULT);
}

unsigned long hv_libvirt_version(struct hv *hv)
{
	if (hv->libvirt_version == 0 &&
	    virConnectGetLibVersion(hv->connection, &hv->libvirt_version) < 0)
		hv->libvirt_version = 0;
	return hv->libvirt_version;
}

unsigned long hv_qemu_version(struct hv *hv)
{
	unsigned long version = 0;

	return virConnectGetVersion(hv->connection, &version) < 0 ? 0 : version;
}

int hv_define(struct hv *hv, const char *xml, struct fail *fail)
{
	HV_WITHIN_DEADLINE(hv);
	vir_domain_cleanup(&hv->defined);
	hv->defined = virDomainDefineXMLFlags(hv->connection, xml, 0);
	return hv->defined == NULL ? hv_fail(fail, "libvirt does not accept the VM's definition")
				   : 0;
}

static int lookup(struct hv *hv, const char *uuid, virDomainPtr *ret_domain, struct fail *fail)
{
	char known[VIR_UUID_STRING_BUFLEN];

	if (hv->defined != NULL && virDomainGetUUIDString(hv->defined, known) == 0 &&
	    text_equal(known, uuid) && virDomainRef(hv->defined) == 0) {
		*ret_domain = hv->defined;
		return 0;
	}
	*ret_domain = virDomainLookupByUUIDString(hv->connection, uuid);
	if (*ret_domain != NULL)
		return 0;
	return hv_fail(fail, last_code() == VIR_ERR_NO_DOMAIN ? "the VM is gone from libvirt"
							      : "libvirt does not find the VM");
}

int hv_start(struct hv *hv, const char *uuid, double *ret_seconds, struct fail *fail)
{
	CLEANUP(vir_domain) virDomainPtr domain = NULL;
	double before;
	int result;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	before = clock_seconds();
	result = virDomainCreateWithFlags(domain, VIR_DOMAIN_START_FORCE_BOOT);
	if (ret_seconds != NULL)
		*ret_seconds = clock_seconds() - before;
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
	int active = virDomainIsActive(domain);

	if (active == 0 || (active < 0 && last_code() == VIR_ERR_NO_DOMAIN))
		return 0;
	fail_add(fail, FAIL_HV, "%s", what);
	return fail_cause(fail, "libvirt: %s", cause);
}

int hv_shutdown(struct hv *hv, const char *uuid, struct fail *fail)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = NULL;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	if (virDomainShutdownFlags(domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN) < 0)
		return fail_if_active(domain, "the guest cannot be asked to shut down", fail);
	return 0;
}

int hv_destroy(struct hv *hv, const char *uuid, struct fail *fail)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = NULL;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	if (virDomainDestroy(domain) == 0)
		return 0;
	if (last_code() == VIR_ERR_SYSTEM_ERROR && virGetLastError()->int1 == EBUSY)
		return 1;
	return fail_if_active(domain, "libvirt could not stop the VM", fail);
}

int hv_undefine(struct hv *hv, const char *uuid, bool keep_nvram, struct fail *fail)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = NULL;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	if (virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
						   VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
						   VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA |
						   (keep_nvram ? VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
							       : VIR_DOMAIN_UNDEFINE_NVRAM)) < 0)
		return hv_fail(fail, "libvirt could not delete the VM");
	return 0;
}

int hv_set_metadata(struct hv *hv, const char *uuid, const char *xml, const char *key,
		    const char *uri, struct fail *fail)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = NULL;

	if (lookup(hv, uuid, &domain, fail) < 0)
		return -1;
	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, xml, key, uri,
				 VIR_DOMAIN_AFFECT_CONFIG) < 0)
		return hv_fail(fail, "libvirt does not keep what gpuvm notes about the VM");
	return 0;
}

int hv_is_active(struct hv *hv, const char *uuid, bool *ret_active, struct fail *fail)
{
	HV_WITHIN_DEADLINE(hv);
	CLEANUP(vir_domain) virDomainPtr domain = virDomainLookupByUUIDString(hv->connection, uuid);
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

char *hv_node_name(const char *address)
{
	char *name = text_format("pci_%s", address);

	for (char *at = name; *at != '\0'; at++)
		if (*at == ':' || *at == '.')
			*at = '_';
	return name;
}

int hv_reattach(struct hv *hv, const char *address, struct fail *fail)
{
	CLEANUP(text) char *name = hv_node_name(address);
	CLEANUP(text) char *what = text_format("%s cannot be given back to the host", address);
	virNodeDevicePtr device;
	int result;

	device = virNodeDeviceLookupByName(hv->connection, name);
	if (device == NULL)
		return hv_fail(fail, what);
	result = virNodeDeviceReAttach(device);
	virNodeDeviceFree(device);
	return result < 0 ? hv_fail(fail, what) : 0;
}

bool hv_may_have(struct hv *hv, const char *name)
{
	HV_WITHIN_DEADLINE(hv);
	virDomainPtr domain = virDomainLookupByName(hv->connection, name);

	if (domain == NULL)
		return last_code() != VIR_ERR_NO_DOMAIN;
	virDomainFree(domain);
	return true;
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
