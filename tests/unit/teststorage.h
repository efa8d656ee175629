/* SPDX-License-Identifier: MIT */
/*
 * For unit tests: what libvirt's test driver lacks of storage. Its pools and volumes live in memory alone; here it
 * also learns to enlarge a volume, and to be sent one's bytes, which are kept in teststorage_sent.
 */
#ifndef GPUVM_TESTS_TESTSTORAGE_H
#define GPUVM_TESTS_TESTSTORAGE_H

#include "tests/unit/testhv.h"
#include "vmm/hv_storage.h"

/* The pool that the driver begins with. */
#define TESTSTORAGE_POOL "default-pool"

static char teststorage_sent[1 << 20];
static size_t teststorage_sent_bytes;
static bool teststorage_breaks; /* the stream does, at its first piece */

/* Some call that the driver refuses, so that there is an error to read. */
static inline int teststorage_fail(void)
{
	assert_int_equal(virConnectRef(NULL), -1);
	return -1;
}

/* Takes the first <@name> of @xml out: the test driver sets it itself, and loses what it was given (libvirt 9.0). */
static void teststorage_cut(char *xml, const char *name)
{
	CLEANUP(text) char *open = text_format("<%s>", name);
	CLEANUP(text) char *close = text_format("</%s>", name);
	char *from = strstr(xml, open);
	char *to = from == NULL ? NULL : strstr(from, close);

	if (to != NULL)
		memmove(from, to + strlen(close), strlen(to + strlen(close)) + 1);
}

int virStorageVolResize(virStorageVolPtr volume, unsigned long long capacity, unsigned flags)
{
	CLEANUP(text) char *xml = virStorageVolGetXMLDesc(volume, 0);
	CLEANUP(text) char *larger = NULL;
	virStoragePoolPtr pool = virStoragePoolLookupByVolume(volume);
	const char *from = strstr(xml, "<capacity");
	const char *to = strstr(xml, "</capacity>");
	virStorageVolInfo info;

	assert_int_equal(flags, 0);
	assert_int_equal(virStorageVolGetInfo(volume, &info), 0);
	if (capacity < info.capacity)
		return teststorage_fail();
	larger = text_format("%.*s<capacity>%llu%s", (int)(from - xml), xml, capacity, to);
	teststorage_cut(larger, "key");
	teststorage_cut(larger, "path");
	assert_int_equal(virStorageVolDelete(volume, 0), 0);
	virStorageVolFree(virStorageVolCreateXML(pool, larger, 0));
	virStoragePoolFree(pool);
	return 0;
}

int virStorageVolUpload(virStorageVolPtr volume, virStreamPtr stream, unsigned long long offset,
			unsigned long long length, unsigned flags)
{
	assert_non_null(volume);
	assert_non_null(stream);
	assert_int_equal(offset, 0);
	assert_true(length <= sizeof teststorage_sent);
	assert_int_equal(flags, 0);
	teststorage_sent_bytes = 0;
	return 0;
}

int virStreamSend(virStreamPtr stream, const char *bytes, size_t length)
{
	assert_non_null(stream);
	if (teststorage_breaks)
		return teststorage_fail();
	/* A stream need not take all that it is given. */
	length = length > 1000 ? length - 1 : length;
	memcpy(teststorage_sent + teststorage_sent_bytes, bytes, length);
	teststorage_sent_bytes += length;
	return (int)length;
}

int virStreamFinish(virStreamPtr stream)
{
	assert_non_null(stream);
	return 0;
}

int virStreamAbort(virStreamPtr stream)
{
	assert_non_null(stream);
	return 0;
}

/* All volumes in one text, to be compared. The caller frees. */
static inline char *teststorage_everything(void)
{
	virConnectPtr connection = virConnectOpen(TESTHV);
	virStoragePoolPtr *pools = NULL;
	int pool_count = virConnectListAllStoragePools(connection, &pools, 0);
	char *text = mem_strdup("");

	for (int i = 0; i < pool_count; i++) {
		virStorageVolPtr *volumes = NULL;
		int count = virStoragePoolIsActive(pools[i]) == 1
				    ? virStoragePoolListAllVolumes(pools[i], &volumes, 0)
				    : 0;

		for (int j = 0; j < count; j++) {
			CLEANUP(text) char *xml = virStorageVolGetXMLDesc(volumes[j], 0);

			text_add(&text, "%s", xml);
			virStorageVolFree(volumes[j]);
		}
		free(volumes);
		virStoragePoolFree(pools[i]);
	}
	free(pools);
	virConnectClose(connection);
	return text;
}

#endif
