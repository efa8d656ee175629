// SPDX-License-Identifier: MIT
/*
 * Fuzzes the reader of reservations: a file in the shared directory that somebody has locked and filled as he
 * likes. With clang, -fsanitize=fuzzer -DGPUVM_LIBFUZZER; else it is a program of its own: fuzz-lease SECONDS
 * SEED... (mutate.h).
 */
#include <fcntl.h>
#include <sys/file.h>

#include "tests/fuzz/messages.h"
#include "vmm/lease.h"

#define ADDRESS "0000:17:00.0"

static const char *const words[] = {
	"{\"name\":\"",
	"\",\"cpus\":\"",
	"0-4000000000",
	",\"memory\":[",
	"{\"node\":",
	"\"bytes\":",
	"-1",
	"1e99",
	"\\u0000",
	"\\ud800",
	"\x1b[2J",
	"]",
	"}",
	"[[[[[[[[",
	"9223372036854775808",
	NULL,
};

/* It counts for its GPU alone; what it says is bounded, and can be shown. */
static void check_record(const struct lease_record *record)
{
	mutate_must(record->gpu_count == 1 && strcmp(record->gpus[0], ADDRESS) == 0,
		    "another GPU than the file's");
	messages_check_text(record->name);
	messages_check_text(record->uuid);
	messages_check_text(record->user);
	mutate_must(record->pid >= 0, "a negative process");
	mutate_must(hwloc_bitmap_weight(record->cpus) >= 0 &&
			    hwloc_bitmap_last(record->cpus) < 0x100000,
		    "CPUs without end");
	for (size_t i = 0; i < record->memory_count; i++)
		mutate_must(record->memory[i].node <= UINT16_MAX &&
				    record->memory[i].bytes <= INT64_MAX,
			    "memory that cannot be");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	char directory[] = "/tmp/gpuvm-fuzz-XXXXXX";
	CLEANUP(text)
	char *path = text_format("%s/" ADDRESS, mkdtemp(directory) == NULL ? "" : directory);
	CLEANUP(fd) int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CLEANUP(lease_records) struct lease_records *records = NULL;

	mutate_must(file >= 0 && flock(file, LOCK_EX) == 0 &&
			    write(file, data, length) == (ssize_t)length,
		    "no file for the input");
	records = lease_scan(directory);
	unlink(path);
	rmdir(directory);
	mutate_must(records->count == 1, "a claim that does not count");
	check_record(&records->records[0]);
	return 0;
}

MUTATE_MAIN(words)
