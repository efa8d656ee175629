// SPDX-License-Identifier: MIT
#include "vmm/base/iso9660.h"

#include <archive.h>
#include <archive_entry.h>

#include "tests/unit/scratch.h"
#include "vmm/base/base64.h"

/* RFC 4648, 10, and what is none. */
static void base64_goes_there_and_back(void **state)
{
	static const struct {
		const char *plain, *text;
	} cases[] = {
		{ "", "" },
		{ "f", "Zg==\n" },
		{ "fo", "Zm8=\n" },
		{ "foo", "Zm9v\n" },
		{ "foob", "Zm9vYg==\n" },
		{ "\xff\xfe\xfb", "//77\n" },
		{ "012345678901234567890123456789012345678901234567890123456",
		  "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\n" },
		{ "0123456789012345678901234567890123456789012345678901234567",
		  "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\nNw=="
		  "\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *text = base64_encode(cases[i].plain, strlen(cases[i].plain));
		unsigned char *bytes = NULL;
		size_t length = 0;

		assert_string_equal(text, cases[i].text);
		if (strlen(text) > 77)
			continue;
		assert_true(base64_decode(text, strcspn(text, "\n"), &bytes, &length));
		assert_int_equal(length, strlen(cases[i].plain));
		assert_memory_equal(bytes, cases[i].plain, length);
		free(bytes);
	}
}

static void base64_is_strict(void **state)
{
	static const char *const cases[] = { "Z",    "Zg=",      "Zg",         "Z===",
					     "====", "Zg==Zg==", "Zm9v\nZm9v", "Zm 9",
					     "Zm9-", "=Zg=",     "Zg=v" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char *bytes = NULL;
		size_t length = 0;

		if (base64_decode(cases[i], strlen(cases[i]), &bytes, &length))
			fail_msg("\"%s\" was taken", cases[i]);
	}
}

struct built {
	unsigned char *bytes;
	size_t length;
};

static void built_cleanup(struct built *built)
{
	free(built->bytes);
}

static struct built build(const struct iso9660_file *files, size_t count)
{
	CLEANUP(fail) struct fail fail = { 0 };
	struct built built = { 0 };

	assert_works(iso9660_build("cidata", files, count, &built.bytes, &built.length, &fail),
		     &fail);
	return built;
}

/* What libarchive's own reader finds: it follows Rock Ridge. */
static void images_are_read_back(void **state)
{
	static const char large[100000] = "x";
	const struct iso9660_file files[] = { { "meta-data", "a\n", 2 },
					      { "user-data", large, sizeof large },
					      { "network-config", "", 0 } };
	CLEANUP(built) struct built built = build(files, COUNT(files));
	struct archive *from = archive_read_new();
	struct archive_entry *entry;
	size_t found = 0;

	(void)state;
	assert_int_equal(archive_read_support_format_iso9660(from), ARCHIVE_OK);
	assert_int_equal(archive_read_open_memory(from, built.bytes, built.length), ARCHIVE_OK);
	while (archive_read_next_header(from, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		CLEANUP(text) char *content = mem_alloc(sizeof large + 1, 1);

		for (size_t i = 0; i < COUNT(files); i++) {
			if (strcmp(files[i].name, name) != 0)
				continue;
			found++;
			assert_int_equal(archive_entry_size(entry), files[i].length);
			assert_int_equal(archive_entry_mtime(entry), 315532800);
			assert_int_equal(archive_read_data(from, content, sizeof large + 1),
					 files[i].length);
			assert_memory_equal(content, files[i].bytes, files[i].length);
		}
	}
	assert_int_equal(found, COUNT(files));
	archive_read_free(from);
}

/* blkid takes the label from the Joliet descriptor where there is one: in the case that cloud-init documents. */
static void images_have_their_label(void **state)
{
	static const unsigned char joliet[] = "\0c\0i\0d\0a\0t\0a\0 ";
	const struct iso9660_file file = { "meta-data", "a", 1 };
	CLEANUP(built) struct built built = build(&file, 1);

	(void)state;
	assert_int_equal(built.length % 2048, 0);
	assert_true(built.length < 100000);
	assert_memory_equal(built.bytes + 16 * 2048, "\1CD001\1", 7);
	assert_memory_equal(built.bytes + 16 * 2048 + 40, "CIDATA ", 7);
	assert_memory_equal(built.bytes + 17 * 2048, "\2CD001\1", 7);
	assert_memory_equal(built.bytes + 17 * 2048 + 40, joliet, sizeof joliet - 1);
}

/* Dates have seconds: the second image is begun in another one. */
static void images_are_the_same_again(void **state)
{
	const struct iso9660_file files[] = { { "meta-data", "a\n", 2 },
					      { "user-data", "b\n", 2 } };
	CLEANUP(built) struct built one = build(files, COUNT(files));
	CLEANUP(built) struct built other = { 0 };

	(void)state;
	usleep(1100000);
	other = build(files, COUNT(files));
	assert_int_equal(one.length, other.length);
	assert_memory_equal(one.bytes, other.bytes, one.length);
}

/* libarchive passes a file in $TMPDIR. */
static void failures_are_told(void **state)
{
	const struct iso9660_file file = { "meta-data", "a", 1 };
	CLEANUP(fail) struct fail fail = { 0 };
	unsigned char *bytes = NULL;
	size_t length = 0;

	(void)state;
	setenv("TMPDIR", "/nonexistent", 1);
	assert_int_equal(iso9660_build("cidata", &file, 1, &bytes, &length, &fail), -1);
	assert_fails(&fail, FAIL_FAIL, "libarchive: ");
	assert_null(bytes);
	unsetenv("TMPDIR");
}

/* An image that could not be written leaves libarchive's own buffer behind (3.6, archive_write_open2). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libarchive.so";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_goes_there_and_back),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(images_are_read_back),
		cmocka_unit_test(images_have_their_label),
		cmocka_unit_test(images_are_the_same_again),
		cmocka_unit_test(failures_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
