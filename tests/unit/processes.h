/* SPDX-License-Identifier: MIT */
/* For unit tests: processes of a host's snapshot, and what they have open. */
#ifndef GPUVM_TESTS_PROCESSES_H
#define GPUVM_TESTS_PROCESSES_H

#include "tests/unit/hosts.h"
#include "tests/unit/scratch.h"

/* The flags of a process, and of a kernel thread. */
#define PROCESSES_USER   "4194304"
#define PROCESSES_KERNEL "2129984"

/* As /proc/PID/stat and status have it; @ticks: when it started, since the boot. */
#define PROCESSES_STAT(pid, name, flags, ticks)                                                    \
	pid " (" name ") S 1 1 1 0 -1 " flags " 1 2 3 4 5 6 7 8 20 0 1 0 " ticks " 1 2\n"
#define PROCESSES_STATUS(name, uid)                                                                \
	"Name:\\t" name "\\nUid:\\t" uid "\\t" uid "\\t" uid "\\t" uid "\n"

/* Lines for hosts_write(): a process; one that has files; a daemon of @uid. */
#define PROCESSES_LINE(pid, name, text) "proc/" pid "/" name "\t" text
#define PROCESSES_BARE(pid, name, flags)                                                           \
	PROCESSES_LINE(pid, "stat", PROCESSES_STAT(pid, name, flags, "5000"))
#define PROCESSES_WITH_FILES(pid, name, flags) PROCESSES_BARE(pid, name, flags) "proc/" pid "/fd/\n"
#define PROCESSES_DAEMON(pid, name, uid, ticks)                                                    \
	PROCESSES_LINE(pid, "stat", PROCESSES_STAT(pid, name, PROCESSES_USER, ticks))              \
	PROCESSES_LINE(pid, "status", PROCESSES_STATUS(name, uid))
#define PROCESSES_SLEEP PROCESSES_WITH_FILES("812", "sleep", PROCESSES_USER)

/* The file @fd of the process @pid of the host in @directory is @target. */
static inline void processes_open(const char *directory, const char *pid, const char *fd,
				  const char *target)
{
	CLEANUP(text) char *path = text_format("%s/proc/%s/fd/%s", directory, pid, fd);

	assert_int_equal(symlink(target, path), 0);
}

/* PROCESSES_SLEEP on a host that is there already. */
static inline void processes_add_sleep(const char *directory)
{
	CLEANUP(text) char *process = text_format("%s/proc/812", directory);
	CLEANUP(text) char *files = text_format("%s/fd", process);

	scratch_make_directories(files);
	free(scratch_write(process, "stat",
			   PROCESSES_STAT("812", "sleep", PROCESSES_USER, "5000")));
}

#endif
