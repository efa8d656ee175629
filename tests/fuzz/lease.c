// SPDX-License-Identifier: MIT
/*
 * Fuzzes the reader of reservations: a file in the shared directory that somebody has locked and filled as he
 * likes.
 */
#include <fcntl.h>
#include <sys/file.h>

#include "tests/fuzz/messages.h"
#include "vmm/lease.h"

#define ADDRESS "0000:17:00.0"

/* It counts for its GPU alone; what it says is bounded, and can be shown. */
static void check_record(const struct lease_record *record)
{
	must(record->gpu_count == 1 && strcmp(record->gpus[0], ADDRESS) == 0,
	     "another GPU than the file's");
	messages_check_text(record->name);
	messages_check_text(record->uuid);
	messages_check_text(record->user);
	must(record->pid >= 0, "a negative process");
	must(hwloc_bitmap_weight(record->cpus) >= 0 && hwloc_bitmap_last(record->cpus) < 0x100000,
	     "CPUs without end");
	for (size_t i = 0; i < record->memory_count; i++)
		must(record->memory[i].node <= UINT16_MAX && record->memory[i].bytes <= INT64_MAX,
		     "memory that cannot be");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	char directory[] = "/tmp/gpuvm-fuzz-XXXXXX";
	CLEANUP(text)
	char *path = text_format("%s/" ADDRESS, mkdtemp(directory) == NULL ? "" : directory);
	CLEANUP(fd) int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CLEANUP(lease_records) struct lease_records *records = NULL;

	must(file >= 0 && flock(file, LOCK_EX) == 0 && write(file, data, length) == (ssize_t)length,
	     "no file for the input");
	records = lease_scan(directory);
	unlink(path);
	rmdir(directory);
	must(records->count == 1, "a claim that does not count");
	check_record(&records->records[0]);
	return 0;
}
