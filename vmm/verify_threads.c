// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/verify_internal.h"

enum {
	NO_VCPU = -1,
	MOST_ROWS = 64, /* of threads that are wrong */
};

/* "CPU 3/KVM" is vCPU 3's, as QEMU names them with debug-threads=on, which libvirt asks for. */
static int vcpu_of(const struct thread *thread)
{
	unsigned number;
	char end;

	return sscanf(thread->name, "CPU %5u/KVM%c", &number, &end) == 1 ? (int)number : NO_VCPU;
}

static bool is_iothread(const struct thread *thread)
{
	return text_starts(thread->name, "IO ");
}

static const struct thread *thread_of(const struct thread_list *threads, size_t vcpu)
{
	for (size_t i = 0; i < threads->count; i++)
		if (vcpu_of(&threads->threads[i]) == (int)vcpu)
			return &threads->threads[i];
	return NULL;
}

void verify_check_process(const struct verify_evidence *evidence, struct findings *findings)
{
	struct finding *row = findings_add(findings, FINDING_OK, NULL);

	row->source = mem_strdup(evidence->pid_source);
	row->expected = text_format("a process with -uuid %s", evidence->uuid);
	if (evidence->pid != 0) {
		row->found = text_format("process %d", (int)evidence->pid);
		return;
	}
	row->state = FINDING_NOT_CHECKED;
	row->found = mem_strdup("none that the caller may see");
	row->hint = text_format("sudo gpuvm verify %s", evidence->name);
}

/* The affinity of a vCPU, from its thread, else from libvirt; NULL: not known. */
static hwloc_const_bitmap_t affinity_of(const struct verify_evidence *evidence, size_t vcpu,
					char **ret_source)
{
	const struct thread *thread = thread_of(evidence->threads, vcpu);

	if (thread != NULL) {
		*ret_source = thread_path(evidence->pid, thread->tid);
		return thread->cpus;
	}
	*ret_source = mem_strdup("virsh vcpuinfo");
	return evidence->threads->count == 0 && vcpu < evidence->affinity.count
		       ? evidence->affinity.vcpus[vcpu]
		       : NULL;
}

static hwloc_const_bitmap_t planned(const struct guest_plan *plan, size_t vcpu)
{
	return vcpu < plan->vcpu_count ? plan->vcpus[vcpu] : NULL;
}

/* Whether it is on its CPUs; else a row tells. */
static bool check_vcpu(const struct verify_evidence *evidence, size_t vcpu,
		       struct findings *findings)
{
	hwloc_const_bitmap_t want = planned(evidence->plan, vcpu);
	CLEANUP(text) char *source = NULL;
	hwloc_const_bitmap_t have = affinity_of(evidence, vcpu, &source);
	CLEANUP(text) char *subject = text_format("vCPU %zu", vcpu);
	struct finding *row;

	if (have != NULL && want != NULL && hwloc_bitmap_isequal(have, want))
		return true;
	row = findings_add(findings, FINDING_FAILED, subject);
	row->source = STEAL(source);
	row->expected = want == NULL ? mem_strdup("a planned CPU") : machine_cpus_format(want);
	row->found = have == NULL ? mem_strdup("no such thread") : machine_cpus_format(have);
	if (want == NULL) {
		row->found = mem_strdup("no CPU was planned for it");
		row->state = FINDING_WARNING;
	}
	row->hint = have == NULL || want == NULL ? text_format("gpuvm show %s", evidence->name)
						 : text_format("virsh vcpupin %s %zu %s --live",
							       evidence->name, vcpu, row->expected);
	return false;
}

void verify_check_vcpus(const struct verify_evidence *evidence, struct findings *findings)
{
	size_t vcpus = evidence->guest->vcpus;
	size_t right = 0;
	size_t wrong = 0;
	struct finding *row;

	if (evidence->threads->count == 0 && evidence->affinity.count == 0) {
		row = findings_add(findings, FINDING_NOT_CHECKED, NULL);
		row->found = mem_strdup("neither /proc nor libvirt shows its threads");
		row->hint = text_format("sudo gpuvm verify %s", evidence->name);
		return;
	}
	for (size_t i = 0; i < vcpus && wrong < MOST_ROWS; i++)
		if (check_vcpu(evidence, i, findings))
			right++;
		else
			wrong++;
	if (right == 0)
		return;
	row = findings_add(findings, FINDING_OK, NULL);
	row->source = evidence->threads->count == 0 ? mem_strdup("virsh vcpuinfo")
						    : thread_paths(evidence->pid);
	row->found = text_format("%zu of %zu vCPUs are on their planned CPU alone", right, vcpus);
}

/*
 * Whether a vCPU's thread has made it, and it is on the CPU of that one and none other's:
 * - the kernel's own for the VM ("kvm-nx-lpage-recovery", Linux 6.14 and 6.12's later ones), made by the first vCPU
 *   that runs. It sleeps.
 * - a "worker" of QEMU's, which writes a block for the guest's firmware while the vCPU waits for it (QEMU 10.0,
 *   hw/block/pflash_cfi01.c and util/thread-pool.c), and ends when idle for ten seconds.
 */
static bool is_inherited(const struct verify_evidence *evidence, const struct thread *thread)
{
	if (!text_starts(thread->name, "kvm-") && !text_equal(thread->name, "worker"))
		return false;
	for (size_t i = 0; i < evidence->plan->vcpu_count; i++)
		if (evidence->plan->vcpus[i] != NULL &&
		    hwloc_bitmap_isincluded(thread->cpus, evidence->plan->vcpus[i]))
			return true;
	return false;
}

/* Threads that QEMU names by what they do come and go; the first is QEMU itself. */
static bool check_thread(const struct verify_evidence *evidence, const struct thread *thread,
			 struct findings *findings)
{
	hwloc_const_bitmap_t want = is_iothread(thread) ? evidence->plan->iothreads
							: evidence->plan->emulator;
	CLEANUP(text)
	char *subject = text_format("thread %d (%s)", (int)thread->tid, thread->name);
	struct finding *row;

	if (hwloc_bitmap_iszero(want) || hwloc_bitmap_isincluded(thread->cpus, want))
		return true;
	row = findings_add(findings, FINDING_FAILED, subject);
	row->source = thread_path(evidence->pid, thread->tid);
	row->found = machine_cpus_format(thread->cpus);
	row->expected = machine_cpus_format(want);
	row->hint = is_iothread(thread) ? text_format("virsh iothreadpin %s 1 %s --live",
						      evidence->name, row->expected)
					: text_format("virsh emulatorpin %s %s --live",
						      evidence->name, row->expected);
	return false;
}

void verify_check_emulator(const struct verify_evidence *evidence, struct findings *findings)
{
	size_t right = 0;
	size_t wrong = 0;
	struct finding *row;
	CLEANUP(text) char *cpus = NULL;

	if (evidence->threads->count == 0) {
		row = findings_add(findings, FINDING_NOT_CHECKED, NULL);
		row->found = mem_strdup("/proc does not show its threads");
		row->hint = text_format("sudo gpuvm verify %s", evidence->name);
		return;
	}
	if (hwloc_bitmap_iszero(evidence->plan->emulator)) {
		row = findings_add(findings, FINDING_WARNING, NULL);
		row->found = mem_strdup("no CPUs were planned for QEMU's own threads");
		row->hint = text_format("gpuvm show %s", evidence->name);
		return;
	}
	for (size_t i = 0; i < evidence->threads->count && wrong < MOST_ROWS; i++) {
		const struct thread *thread = &evidence->threads->threads[i];

		if (vcpu_of(thread) != NO_VCPU || is_inherited(evidence, thread))
			continue;
		if (check_thread(evidence, thread, findings))
			right++;
		else
			wrong++;
	}
	if (right == 0)
		return;
	cpus = machine_cpus_format(evidence->plan->emulator);
	row = findings_add(findings, FINDING_OK, NULL);
	row->source = thread_paths(evidence->pid);
	row->found = text_format("%zu of QEMU's own threads are on CPUs %s, as planned", right,
				 cpus);
}
