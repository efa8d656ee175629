// SPDX-License-Identifier: MIT
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/check_internal.h"
#include "vmm/preflight.h"

#define CPUINFO "/proc/cpuinfo"
#define SLICE   "/sys/fs/cgroup/machine.slice/cpuset.cpus.effective"

static bool has_flag(const char *cpuinfo, const char *flag)
{
	size_t length = strlen(flag);
	const char *line = strstr(cpuinfo, "\nflags");
	const char *end = line == NULL ? NULL : line + 1 + strcspn(line + 1, "\n");

	for (const char *at = line; at != NULL && (at = strstr(at, flag)) != NULL && at < end;
	     at += length)
		if (at[-1] == ' ' && strchr(" \n", at[length]) != NULL)
			return true;
	return false;
}

static bool has_amd_cpus(const struct check *check)
{
	return text_equal(check->host->machine->cpu_vendor, "AuthenticAMD");
}

/* Why there is no KVM: the processor cannot, or was not told to; or the module is not there. */
static void tell_missing(const struct check *check, struct findings *findings)
{
	CLEANUP(text) char *cpuinfo = root_text(check->root, CPUINFO);
	bool is_amd = has_amd_cpus(check);
	const char *flag = is_amd ? "svm" : "vmx";

	if (cpuinfo != NULL && !has_flag(cpuinfo, flag)) {
		check_add(findings, FINDING_FAILED, NULL, CPUINFO,
			  text_format("no flag %s: %s is off, or this host is itself a VM without "
				      "nested virtualisation",
				      flag, is_amd ? "AMD-V (SVM)" : "VT-x"),
			  text_format("enable %s in the firmware's setup and reboot; in a VM give "
				      "it the host's CPU (host-passthrough)",
				      is_amd ? "SVM" : "VT-x"));
		return;
	}
	check_add(findings, FINDING_FAILED, NULL, check->root->live ? "/dev/kvm" : "/sys/module",
		  text_format("the processor can (flag %s), but %s is not loaded", flag,
			      is_amd ? "kvm_amd" : "kvm_intel"),
		  text_format("sudo modprobe %s   or, if that fails, see: sudo dmesg | grep -i kvm",
			      is_amd ? "kvm_amd" : "kvm_intel"));
}

void check_kvm(const struct check *check, struct findings *findings)
{
	if (!check->host->has_kvm) {
		tell_missing(check, findings);
		return;
	}
	if (check->root->live)
		check_add(findings, FINDING_OK, NULL, "/dev/kvm", mem_strdup("it is there"), NULL);
	else
		check_add(
			findings, FINDING_OK, NULL, "/sys/module",
			text_format("%s is loaded", has_amd_cpus(check) ? "kvm_amd" : "kvm_intel"),
			NULL);
}

void check_machine_slice(const struct check *check, struct findings *findings)
{
	const struct machine *machine = check->host->machine;
	hwloc_bitmap_t closed = hwloc_bitmap_alloc();
	CLEANUP(text) char *cpus = NULL;

	for (size_t i = 0; i < machine->cpu_count; i++)
		if (!machine->cpus[i].usable)
			hwloc_bitmap_set(closed, machine->cpus[i].os_index);
	cpus = machine_cpus_format(closed);
	if (hwloc_bitmap_iszero(closed))
		check_add(findings, FINDING_OK, NULL, SLICE,
			  text_format("all %zu CPUs", machine->cpu_count), NULL);
	else
		check_add(findings, FINDING_WARNING, NULL, SLICE,
			  text_format("VMs may not use CPUs %s", cpus),
			  mem_strdup("if that is not wanted: sudo systemctl set-property "
				     "machine.slice AllowedCPUs="));
	hwloc_bitmap_free(closed);
}
