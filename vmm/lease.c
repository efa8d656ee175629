// SPDX-License-Identifier: MIT
#include "vmm/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define GATE_FILE         "gate"
#define RECORD_MOST_BYTES 65536
#define CPU_MOST_DIGITS   5
#define LOCK_POLL_MS      20
#define SCAN_MOST_MS      2000 /* lease_scan() elsewhere holds a shared lock for a moment */

struct lease_gate {
	int directory; /* O_DIRECTORY */
	int lock;
	char *path;
};

struct lease_claim {
	int *files;
	size_t count;
};

static const char *directory_or_default(const char *directory)
{
	return directory == NULL ? LEASE_DIRECTORY : directory;
}

/* A claim's file is a plain file with one name, or nothing: other users may write in the directory. */
static int open_plain(int directory, const char *name, int flags)
{
	struct stat info;
	int fd = openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0660);

	if (fd < 0)
		return -1;
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* The user's umask must not keep the group out. */
static int open_for_claim(int directory, const char *name)
{
	mode_t before = umask(0);
	int fd = open_plain(directory, name, O_RDWR | O_CREAT);

	umask(before);
	if (fd >= 0)
		(void)fchmod(fd, 0660);
	return fd;
}

static int not_usable(const char *path, int error, struct fail *fail)
{
	fail_add(fail, FAIL_HOST, "GPUs cannot be reserved on this host");
	fail_cause(fail, "%s: %s", path, strerror(error));
	if (error == ENOENT)
		return fail_hint(fail, "sudo systemd-tmpfiles --create gpuvm.conf");
	if (error == EACCES || error == EPERM)
		return fail_hint(fail, "sudo adduser $USER libvirt   then log in again; if you "
				       "are in it: sudo systemd-tmpfiles --create gpuvm.conf");
	if (error == ELOOP || error == EINVAL || error == EISDIR)
		return fail_hint(fail, "something else than a reservation is there: sudo rm -r %s",
				 path);
	return fail_hint(fail, "see what is wrong there: ls -la %s; df %s", path, path);
}

/* Waits in steps: a blocking flock could not end at the deadline without signals. */
static int lock_within(int fd, unsigned timeout_ms)
{
	const struct timespec step = { .tv_nsec = LOCK_POLL_MS * 1000000L };

	for (unsigned waited_ms = 0;; waited_ms += LOCK_POLL_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK || waited_ms >= timeout_ms)
			return -1;
		nanosleep(&step, NULL);
	}
}

/* For those who wait; a help, not a record. */
static void sign(int lock)
{
	CLEANUP(text) char *text = text_format("%d\n", (int)getpid());

	if (ftruncate(lock, 0) == 0)
		(void)!pwrite(lock, text, strlen(text), 0);
}

static char *signature(int lock)
{
	char text[16] = "";
	unsigned long long pid = 0;

	if (pread(lock, text, sizeof text - 1, 0) <= 0 || !text_number(text_trim(text), &pid))
		return mem_strdup("");
	return text_format(" by process %llu", pid);
}

int lease_open(const char *directory, unsigned timeout_ms, struct lease_gate **ret_gate,
	       struct fail *fail)
{
	CLEANUP(lease_gate) struct lease_gate *gate = mem_alloc(1, sizeof *gate);

	gate->path = mem_strdup(directory_or_default(directory));
	gate->lock = -1;
	gate->directory = open(gate->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (gate->directory < 0)
		return not_usable(gate->path, errno, fail);
	gate->lock = open_for_claim(gate->directory, GATE_FILE);
	if (gate->lock < 0) {
		CLEANUP(text) char *file = text_format("%s/" GATE_FILE, gate->path);

		return not_usable(file, errno, fail);
	}
	if (lock_within(gate->lock, timeout_ms) < 0) {
		CLEANUP(text) char *by = signature(gate->lock);

		fail_add(fail, FAIL_BUSY, "another gpuvm has been choosing GPUs for %u s",
			 timeout_ms / 1000);
		fail_cause(fail, "%s/%s is locked%s", gate->path, GATE_FILE, by);
		return fail_hint(fail, "see who: fuser -v %s/%s", gate->path, GATE_FILE);
	}
	sign(gate->lock);
	*ret_gate = STEAL(gate);
	return 0;
}

void lease_close(struct lease_gate *gate)
{
	if (gate == NULL)
		return;
	if (gate->lock >= 0)
		close(gate->lock);
	if (gate->directory >= 0)
		close(gate->directory);
	free(gate->path);
	free(gate);
}

static char *printable_member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? NULL : text_printable(text, 200);
}

static void read_memory(const json_t *object, struct lease_record *record)
{
	size_t i;
	json_t *entry;

	json_array_foreach(json_object_get(object, "memory"), i, entry)
	{
		json_int_t node = json_integer_value(json_object_get(entry, "node"));
		json_int_t page_bytes = json_integer_value(json_object_get(entry, "page_bytes"));
		json_int_t bytes = json_integer_value(json_object_get(entry, "bytes"));
		struct lease_memory *memory;

		if (node < 0 || node > UINT16_MAX || page_bytes < 0 || bytes < 0)
			continue;
		memory = MEM_APPEND(record->memory, record->memory_count);
		*memory = (struct lease_memory){ .node = (unsigned)node,
						 .page_bytes = (uint64_t)page_bytes,
						 .bytes = (uint64_t)bytes };
	}
}

/* hwloc would make room for CPU 4000000000; it reads hexadecimal too. */
static bool cpus_are_bounded(const char *list)
{
	while (*list != '\0') {
		size_t digits = strspn(list, "0123456789abcdefABCDEFxX");

		if (digits > CPU_MOST_DIGITS)
			return false;
		list += digits == 0 ? 1 : digits;
	}
	return true;
}

static void read_cpus(const char *list, hwloc_bitmap_t cpus)
{
	if (list == NULL || !cpus_are_bounded(list))
		return;
	if (hwloc_bitmap_list_sscanf(cpus, list) < 0 || hwloc_bitmap_weight(cpus) < 0)
		hwloc_bitmap_zero(cpus);
}

/* Whatever is not as gpuvm writes it is left unknown: the lock counts, not the text. */
static void read_record(int fd, struct lease_record *record)
{
	CLEANUP(text) char *text = mem_alloc(RECORD_MOST_BYTES + 1, 1);
	ssize_t length = pread(fd, text, RECORD_MOST_BYTES, 0);
	json_t *object = length <= 0 ? NULL : json_loadb(text, (size_t)length, 0, NULL);
	json_int_t pid = json_integer_value(json_object_get(object, "pid"));

	record->cpus = hwloc_bitmap_alloc();
	record->name = printable_member(object, "name");
	record->uuid = printable_member(object, "uuid");
	record->user = printable_member(object, "user");
	record->pid = pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
	read_cpus(json_string_value(json_object_get(object, "cpus")), record->cpus);
	read_memory(object, record);
	json_decref(object);
}

static void record_done(struct lease_record *record)
{
	free(record->name);
	free(record->uuid);
	free(record->user);
	free(record->gpus);
	free(record->memory);
	hwloc_bitmap_free(record->cpus);
}

/* Files of one start carry one UUID: they become one record. */
static void add_record(struct lease_records *records, struct lease_record *record,
		       const char *address)
{
	struct lease_record *into = NULL;

	for (size_t i = 0; record->uuid != NULL && i < records->count; i++)
		if (text_equal(records->records[i].uuid, record->uuid))
			into = &records->records[i];
	if (into == NULL) {
		into = MEM_APPEND(records->records, records->count);
		*into = *record;
	} else {
		record_done(record);
	}
	memcpy(MEM_APPEND(into->gpus, into->gpu_count), address, DEVICE_ADDRESS_BYTES);
}

/*
 * Whether a start holds the file @name, which is then open in *@ret_fd. What the caller could not look at for want
 * of descriptors or memory counts, as does a file with a second name; the text of neither is read: -1.
 */
static bool is_claimed(int directory, const char *name, int *ret_fd)
{
	CLEANUP(fd)
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
		return false;
	/* A shared lock is refused exactly while a start holds its exclusive one. */
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return false;
	if (info.st_nlink == 1) {
		*ret_fd = fd;
		fd = -1;
	}
	return true;
}

struct lease_records *lease_scan(const char *directory)
{
	struct lease_records *records = mem_alloc(1, sizeof *records);
	CLEANUP(dir) DIR *dir = opendir(directory_or_default(directory));
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct lease_record record = { 0 };
		char address[DEVICE_ADDRESS_BYTES];
		CLEANUP(fd) int fd = -1;

		if (!device_parse_address(entry->d_name, address) ||
		    !text_equal(address, entry->d_name))
			continue;
		if (!is_claimed(dirfd(dir), entry->d_name, &fd))
			continue;
		read_record(fd, &record);
		add_record(records, &record, address);
	}
	return records;
}

void lease_records_free(struct lease_records *records)
{
	if (records == NULL)
		return;
	for (size_t i = 0; i < records->count; i++)
		record_done(&records->records[i]);
	free(records->records);
	free(records);
}

static char *record_format(const struct lease_record *record)
{
	json_t *memory = json_array();
	json_t *object;
	char *cpus = NULL;
	char *text;

	for (size_t i = 0; i < record->memory_count; i++)
		json_array_append_new(
			memory, json_pack("{s:i, s:I, s:I}", "node", (int)record->memory[i].node,
					  "page_bytes", (json_int_t)record->memory[i].page_bytes,
					  "bytes", (json_int_t)record->memory[i].bytes));
	hwloc_bitmap_list_asprintf(&cpus, record->cpus);
	object = json_pack("{s:s*, s:s*, s:s*, s:i, s:s*, s:o}", "name", record->name, "uuid",
			   record->uuid, "user", record->user, "pid", (int)record->pid, "cpus",
			   cpus, "memory", memory);
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	free(cpus);
	return text;
}

static int refuse_claimed(const struct lease_gate *gate, const char *address, struct fail *fail)
{
	CLEANUP(lease_records) struct lease_records *records = lease_scan(gate->path);

	fail_add(fail, FAIL_BUSY, "%s is being taken by another start", address);
	for (size_t i = 0; i < records->count; i++) {
		const struct lease_record *start = &records->records[i];

		for (size_t j = 0; j < start->gpu_count; j++)
			if (text_equal(start->gpus[j], address) && start->name != NULL)
				fail_cause(fail, "of VM \"%s\" by %s (pid %d)", start->name,
					   start->user == NULL ? "somebody" : start->user,
					   (int)start->pid);
	}
	return fail_hint(fail, "gpuvm list");
}

static int claim_one(struct lease_gate *gate, const char *address, const char *text,
		     struct lease_claim *claim, struct fail *fail)
{
	CLEANUP(fd) int fd = open_for_claim(gate->directory, address);
	size_t length = strlen(text);

	if (fd < 0) {
		CLEANUP(text) char *path = text_format("%s/%s", gate->path, address);

		if (errno == EACCES && faccessat(gate->directory, address, F_OK, 0) == 0) {
			not_usable(path, EACCES, fail);
			return fail_hint(fail,
					 "it was made by hand; give it its rights: sudo chmod "
					 "0660 %s",
					 path);
		}
		return not_usable(path, errno, fail);
	}
	if (lock_within(fd, SCAN_MOST_MS) != 0)
		return refuse_claimed(gate, address, fail);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, length, 0) != (ssize_t)length) {
		fail_add(fail, FAIL_FAIL, "the reservation of %s cannot be written", address);
		return fail_cause(fail, "%s/%s: %s", gate->path, address, strerror(errno));
	}
	*MEM_APPEND(claim->files, claim->count) = fd;
	fd = -1;
	return 0;
}

int lease_take(struct lease_gate *gate, const struct lease_record *record,
	       struct lease_claim **ret_claim, struct fail *fail)
{
	CLEANUP(lease_claim) struct lease_claim *claim = mem_alloc(1, sizeof *claim);
	CLEANUP(text) char *text = record_format(record);

	for (size_t i = 0; i < record->gpu_count; i++)
		if (claim_one(gate, record->gpus[i], text, claim, fail) < 0)
			return -1;
	*ret_claim = STEAL(claim);
	return 0;
}

void lease_release(struct lease_claim *claim)
{
	if (claim == NULL)
		return;
	for (size_t i = 0; i < claim->count; i++)
		close(claim->files[i]);
	free(claim->files);
	free(claim);
}
