// SPDX-License-Identifier: MIT
#include "vmm/hv_log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv_internal.h"
#include "vmm/storage_xml.h"

#define POOL_PREFIX "gpuvm-log-" /* and the process id of who made it */

enum {
	TRIES = 40, /* of 50 ms: another reader's pool may come and go */
	TRY_MS = 50,
};

struct hv_log {
	virConnectPtr connection; /* borrowed */
	char *directory;
	virStoragePoolPtr pool; /* NULL: lost */
	bool is_own;
	sigset_t signals; /* as they were */
};

static inline void volume_cleanup(virStorageVolPtr *volume)
{
	if (*volume != NULL)
		virStorageVolFree(*volume);
}

/* Whether the pool is what a gpuvm that is dead left. */
static bool is_left(virStoragePoolPtr pool)
{
	const char *name = virStoragePoolGetName(pool);
	unsigned long long pid;

	return text_starts(name, POOL_PREFIX) && text_number(name + strlen(POOL_PREFIX), &pid) &&
	       kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static void pause_ms(unsigned ms)
{
	struct timespec time = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&time, NULL);
}

/* A pool of one's own, or another's on the same folder. Whether there is one now. */
static bool attach(struct hv_log *log)
{
	CLEANUP(text) char *name = text_format(POOL_PREFIX "%ld", (long)getpid());
	CLEANUP(text) char *xml = storage_xml_pool(name, log->directory);

	log->pool = virStoragePoolCreateXML(log->connection, xml, 0);
	log->is_own = log->pool != NULL;
	if (log->pool != NULL)
		return true;
	log->pool = virStoragePoolLookupByTargetPath(log->connection, log->directory);
	if (log->pool == NULL)
		return false;
	if (!is_left(log->pool))
		return true;
	virStoragePoolDestroy(log->pool);
	virStoragePoolFree(log->pool);
	log->pool = NULL;
	return false;
}

static int attach_again(struct hv_log *log, struct fail *fail)
{
	CLEANUP(text) char *what = NULL;

	for (int i = 0; i < TRIES; i++) {
		if (attach(log))
			return 0;
		if (virGetLastErrorCode() == VIR_ERR_ACCESS_DENIED ||
		    virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
			break;
		pause_ms(TRY_MS);
	}
	what = text_format("libvirt does not open %s for reading", log->directory);
	return hv_fail(fail, what);
}

static void detach(struct hv_log *log)
{
	if (log->pool == NULL)
		return;
	if (log->is_own)
		virStoragePoolDestroy(log->pool);
	virStoragePoolFree(log->pool);
	log->pool = NULL;
}

int hv_log_open(struct hv *hv, const char *directory, struct hv_log **ret_log, struct fail *fail)
{
	struct hv_log *log = mem_alloc(1, sizeof *log);
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGPIPE);
	sigprocmask(SIG_BLOCK, &ends, &log->signals);
	log->connection = hv->connection;
	log->directory = mem_strdup(directory);
	if (attach_again(log, fail) < 0) {
		hv_log_close(log);
		return -1;
	}
	*ret_log = log;
	return 0;
}

void hv_log_close(struct hv_log *log)
{
	if (log == NULL)
		return;
	detach(log);
	sigprocmask(SIG_SETMASK, &log->signals, NULL);
	free(log->directory);
	free(log);
}

/* NULL: there is none, or an error, which is libvirt's last. A file made since is found by reading the folder anew. */
static virStorageVolPtr look_up(struct hv_log *log, const char *name)
{
	virStorageVolPtr volume = virStorageVolLookupByName(log->pool, name);

	if (volume != NULL || virGetLastErrorCode() != VIR_ERR_NO_STORAGE_VOL)
		return volume;
	if (virStoragePoolRefresh(log->pool, 0) < 0)
		return NULL;
	return virStorageVolLookupByName(log->pool, name);
}

/* What is done with a file; -1 with libvirt's error. */
typedef int volume_use(struct hv_log *log, virStorageVolPtr volume, void *data);

/*
 * 1: done; 0: no such file; -1 with @fail. If the pool is another reader's, it can be gone at any moment; then there is
 * another.
 */
static int with_file(struct hv_log *log, const char *name, volume_use *use, void *data,
		     struct fail *fail)
{
	for (int i = 1;; i++) {
		CLEANUP(volume)
		virStorageVolPtr volume = log->pool == NULL ? NULL : look_up(log, name);

		if (volume != NULL && use(log, volume, data) == 0)
			return 1;
		if (volume == NULL && log->pool != NULL &&
		    virGetLastErrorCode() == VIR_ERR_NO_STORAGE_VOL)
			return 0;
		if (log->is_own || i == TRIES)
			return hv_fail(fail, "libvirt does not read the log");
		detach(log);
		if (attach_again(log, fail) < 0)
			return -1;
	}
}

/* The physical size: a guest that writes the header of a disk image on its console chooses the capacity. */
static int ask_size(struct hv_log *log, virStorageVolPtr volume, void *data)
{
	virStorageVolInfo info;

	(void)log;
	if (virStorageVolGetInfoFlags(volume, &info, VIR_STORAGE_VOL_GET_PHYSICAL) < 0)
		return -1;
	*(uint64_t *)data = info.allocation;
	return 0;
}

int hv_log_size(struct hv_log *log, const char *name, uint64_t *ret_bytes, bool *ret_exists,
		struct fail *fail)
{
	int found;

	*ret_bytes = 0;
	found = with_file(log, name, ask_size, ret_bytes, fail);
	*ret_exists = found > 0;
	return found < 0 ? -1 : 0;
}

struct piece {
	uint64_t offset;
	char *buffer;
	size_t size, count;
	virStreamPtr stream; /* its end would erase libvirt's last error */
};

static inline void piece_cleanup(struct piece *piece)
{
	if (piece->stream != NULL)
		virStreamFree(piece->stream);
	piece->stream = NULL;
}

static int receive(struct piece *piece)
{
	while (piece->count < piece->size) {
		int got = virStreamRecv(piece->stream, piece->buffer + piece->count,
					piece->size - piece->count);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		piece->count += (size_t)got;
	}
	virStreamAbort(piece->stream); /* the rest, if there is any, is not wanted */
	return 0;
}

static int download(struct hv_log *log, virStorageVolPtr volume, void *data)
{
	struct piece *piece = data;

	piece_cleanup(piece);
	piece->count = 0;
	piece->stream = virStreamNew(log->connection, 0);
	if (piece->stream == NULL ||
	    virStorageVolDownload(volume, piece->stream, piece->offset, piece->size, 0) < 0)
		return -1;
	return receive(piece);
}

int hv_log_read(struct hv_log *log, const char *name, uint64_t offset, char *buffer, size_t size,
		size_t *ret_count, struct fail *fail)
{
	CLEANUP(piece) struct piece piece = { .offset = offset, .buffer = buffer, .size = size };
	int found = with_file(log, name, download, &piece, fail);

	*ret_count = found > 0 ? piece.count : 0;
	return found < 0 ? -1 : 0;
}
