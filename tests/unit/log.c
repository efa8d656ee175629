// SPDX-License-Identifier: MIT
/* Logs as files, and as libvirt's volumes: pools in the place of libvirt's, over a folder of the test's own. */
#include "vmm/log.h"

#include <fcntl.h>

#include "tests/unit/testhv.h"
#include "vmm/hv_log.h"

/* The one pool that a folder can have. */
static struct {
	bool is_there;
	char name[100];
	unsigned made, destroyed;
	unsigned vanishes_in; /* this many looks at it, if it is another's; 0: never */
	int error_code;
	char *directory;
	char *download; /* what is left of a stream */
	size_t download_bytes;
} libvirt;

static int object; /* stands for all of libvirt's */

static void look(void)
{
	if (libvirt.vanishes_in > 0 && --libvirt.vanishes_in == 0)
		libvirt.is_there = false;
}

virStoragePoolPtr virStoragePoolCreateXML(virConnectPtr connection, const char *xml, unsigned flags)
{
	const char *name = strstr(xml, "<name>");

	assert_non_null(connection);
	assert_int_equal(flags, 0);
	assert_non_null(strstr(xml, "<pool type=\"dir\">"));
	assert_non_null(strstr(xml, libvirt.directory));
	libvirt.error_code = VIR_ERR_OPERATION_FAILED;
	if (libvirt.is_there)
		return NULL;
	sscanf(name, "<name>%99[^<]", libvirt.name);
	libvirt.is_there = true;
	libvirt.made++;
	return (virStoragePoolPtr)&object;
}

virStoragePoolPtr virStoragePoolLookupByTargetPath(virConnectPtr connection, const char *path)
{
	assert_non_null(connection);
	assert_string_equal(path, libvirt.directory);
	return libvirt.is_there ? (virStoragePoolPtr)&object : NULL;
}

const char *virStoragePoolGetName(virStoragePoolPtr pool)
{
	assert_non_null(pool);
	return libvirt.name;
}

int virStoragePoolDestroy(virStoragePoolPtr pool)
{
	assert_non_null(pool);
	libvirt.destroyed++;
	libvirt.is_there = false;
	return 0;
}

int virStoragePoolFree(virStoragePoolPtr pool)
{
	assert_non_null(pool);
	return 0;
}

int virStoragePoolRefresh(virStoragePoolPtr pool, unsigned flags)
{
	assert_non_null(pool);
	assert_int_equal(flags, 0);
	return libvirt.is_there ? 0 : -1;
}

virStorageVolPtr virStorageVolLookupByName(virStoragePoolPtr pool, const char *name)
{
	CLEANUP(text) char *path = text_format("%s/%s", libvirt.directory, name);

	assert_non_null(pool);
	look();
	libvirt.error_code = libvirt.is_there ? VIR_ERR_NO_STORAGE_VOL : VIR_ERR_NO_STORAGE_POOL;
	return libvirt.is_there && access(path, F_OK) == 0 ? (virStorageVolPtr)mem_strdup(path)
							   : NULL;
}

int virStorageVolFree(virStorageVolPtr volume)
{
	free(volume);
	return 0;
}

int virStorageVolGetInfoFlags(virStorageVolPtr volume, virStorageVolInfoPtr info, unsigned flags)
{
	struct stat status;

	assert_int_equal(flags, VIR_STORAGE_VOL_GET_PHYSICAL);
	look();
	if (!libvirt.is_there)
		return -1;
	assert_int_equal(stat((const char *)volume, &status), 0);
	info->capacity = 77; /* what the guest made libvirt believe */
	info->allocation = (unsigned long long)status.st_size;
	return 0;
}

int virStorageVolDownload(virStorageVolPtr volume, virStreamPtr stream, unsigned long long offset,
			  unsigned long long length, unsigned flags)
{
	CLEANUP(fd) int fd = open((const char *)volume, O_RDONLY);
	ssize_t count;

	assert_non_null(stream);
	assert_int_equal(flags, 0);
	look();
	if (!libvirt.is_there)
		return -1;
	free(libvirt.download);
	libvirt.download = mem_alloc(length, 1);
	count = pread(fd, libvirt.download, length, (off_t)offset);
	assert_true(count >= 0);
	libvirt.download_bytes = (size_t)count;
	return 0;
}

/* In pieces, as a stream may. */
int virStreamRecv(virStreamPtr stream, char *bytes, size_t size)
{
	size_t count = libvirt.download_bytes < 7 ? libvirt.download_bytes : 7;

	assert_non_null(stream);
	count = count < size ? count : size;
	memcpy(bytes, libvirt.download, count);
	memmove(libvirt.download, libvirt.download + count, libvirt.download_bytes - count);
	libvirt.download_bytes -= count;
	return (int)count;
}

int virStreamAbort(virStreamPtr stream)
{
	assert_non_null(stream);
	return 0;
}

int virGetLastErrorCode(void)
{
	return libvirt.error_code;
}

struct world {
	char *directory;
	struct hv *hv;
	struct log *log;
	struct fail fail;
};

static void world_done(struct world *world)
{
	log_close(world->log);
	fail_done(&world->fail);
	hv_close(world->hv);
	scratch_free(world->directory);
	free(libvirt.download);
	libvirt.download = NULL;
}

static struct world world_new(const char *text)
{
	struct world world = { .directory = scratch_new(), .hv = testhv_open(TESTHV) };

	memset(&libvirt, 0, sizeof libvirt);
	libvirt.directory = world.directory;
	if (text != NULL) {
		CLEANUP(text) char *path = scratch_write(world.directory, "a-serial.log", text);
	}
	return world;
}

#define WORLD(text) __attribute__((cleanup(world_done))) struct world world = world_new(text)

static char *tail(struct world *world, unsigned lines)
{
	char buffer[400] = "";
	uint64_t offset = 0;
	size_t count = 0;

	assert_works(log_tail(world->log, lines, &offset, &world->fail), &world->fail);
	assert_works(log_read(world->log, offset, buffer, sizeof buffer - 1, &count, &world->fail),
		     &world->fail);
	return mem_strdup(buffer);
}

static void the_last_lines(void **state)
{
	static const struct {
		const char *text;
		unsigned lines;
		const char *tail;
	} cases[] = {
		{ "a\nb\nc\n", 1, "c\n" },
		{ "a\nb\nc\n", 2, "b\nc\n" },
		{ "a\nb\nc\n", 3, "a\nb\nc\n" },
		{ "a\nb\nc\n", 9, "a\nb\nc\n" },
		{ "a\nb\nlogin: ", 1, "login: " },
		{ "", 1, "" },
		{ "\n", 1, "\n" },
		{ "\n\n", 1, "\n" },
		{ "a", 1, "a" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		WORLD(cases[i].text);
		CLEANUP(text) char *seen = NULL;

		assert_works(log_open(world.hv, world.directory, "a", LOG_SERIAL, &world.log,
				      &world.fail),
			     &world.fail);
		seen = tail(&world, cases[i].lines);
		assert_string_equal(seen, cases[i].tail);
		assert_int_equal(libvirt.made, 0); /* one's own file needs no libvirt */
	}
}

static void lines_beyond_a_block(void **state)
{
	char *text = mem_alloc(300001, 1);
	WORLD(NULL);
	CLEANUP(text) char *seen = NULL;
	CLEANUP(text) char *path = NULL;

	(void)state;
	memset(text, 'x', 300000);
	text[299900] = text[100000] = '\n';
	path = scratch_write(world.directory, "a.log", text);
	assert_works(log_open(world.hv, world.directory, "a", LOG_QEMU, &world.log, &world.fail),
		     &world.fail);
	assert_string_equal(log_path(world.log), path);
	seen = tail(&world, 1);
	assert_int_equal(strlen(seen), 99);
	{
		uint64_t offset = 0;

		assert_works(log_tail(world.log, 2, &offset, &world.fail), &world.fail);
		assert_int_equal(offset, 100001);
	}
	free(text);
}

static void what_is_no_log(void **state)
{
	WORLD(NULL);
	CLEANUP(text) char *link = text_format("%s/a-serial.log", world.directory);
	CLEANUP(text) char *folder = text_format("%s/b-serial.log", world.directory);
	uint64_t bytes = 1;
	bool exists = true;

	(void)state;
	assert_works(
		log_open(world.hv, world.directory, "absent", LOG_SERIAL, &world.log, &world.fail),
		&world.fail);
	assert_works(log_size(world.log, &bytes, &exists, &world.fail), &world.fail);
	assert_false(exists);
	assert_int_equal(bytes, 0);
	log_close(STEAL(world.log));

	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_works(log_open(world.hv, world.directory, "a", LOG_SERIAL, &world.log, &world.fail),
		     &world.fail);
	assert_int_equal(log_size(world.log, &bytes, &exists, &world.fail), -1);
	assert_int_equal(world.fail.kind, FAIL_FAIL);
	log_close(STEAL(world.log));
	fail_done(&world.fail);
	assert_works(log_open(world.hv, world.directory, "b", LOG_SERIAL, &world.log, &world.fail),
		     &world.fail);
	assert_int_equal(log_size(world.log, &bytes, &exists, &world.fail), -1);
	log_close(STEAL(world.log));
	fail_done(&world.fail);
	assert_int_equal(
		log_open(world.hv, world.directory, "../b", LOG_SERIAL, &world.log, &world.fail),
		-1);
}

static void a_guest_does_not_steer_the_terminal(void **state)
{
	static const struct {
		const char *line;
		size_t length;
		const char *shown;
	} cases[] = {
		{ "plain\ttext", 10, "plain\ttext" },
		{ "\x1b[0;32mok\x1b[0m", 13, "ok" },
		{ "\x1b[2J\x1b[01;01H\x1b[=3hboot", 21, "boot" },
		{ "\x1b]0;title\x07x", 11, "x" },
		{ "\x1b]3008;id=1\x1b\\x", 14, "x" },
		{ "\x1b]0;never ended", 15, "\\x1b]0;never ended" },
		{ "\x1b]0;\x1b[31mx", 10, "\\x1b]0;x" },
		{ "\x1b[31", 4, "\\x1b[31" },
		{ "\x1b[3\x01m", 5, "\\x1b[3\\x01m" },
		{ "\x1b", 1, "\\x1b" },
		{ "\x1b"
		  "c",
		  2, "\\x1bc" },
		{ "a\0b", 3, "a\\x00b" },
		{ "\x9b"
		  "2J",
		  3, "\\x9b2J" },
		{ "\xc2\x9b"
		  "2J",
		  4, "\\xc2\\x9b2J" },
		{ "gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f" },
		{ "a\rb\r\r", 5, "a\\x0db" },
		{ "", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(text) char *shown = log_printable(cases[i].line, cases[i].length);

		assert_string_equal(shown, cases[i].shown);
	}
}

static void the_last_lines_in_one_text(void **state)
{
	WORLD("one\ntwo\r\n\x1b[31mthree\x1b[0m\n");
	CLEANUP(text) char *two = log_last(world.hv, world.directory, "a", LOG_SERIAL, 2);
	CLEANUP(text) char *none = log_last(world.hv, world.directory, "b", LOG_SERIAL, 2);

	(void)state;
	assert_string_equal(two, "two\nthree");
	assert_null(none);
}

static void read_by_volumes(struct world *world, struct hv_log *log)
{
	char buffer[100] = "";
	uint64_t bytes = 0;
	size_t count = 0;
	bool exists = false;

	assert_works(hv_log_size(log, "a-serial.log", &bytes, &exists, &world->fail), &world->fail);
	assert_true(exists);
	assert_int_equal(bytes, 16);
	assert_works(hv_log_read(log, "a-serial.log", 3, buffer, 9, &count, &world->fail),
		     &world->fail);
	assert_int_equal(count, 9);
	assert_string_equal(buffer, "is a log ");
	assert_works(hv_log_read(log, "a-serial.log", 13, buffer, 99, &count, &world->fail),
		     &world->fail);
	assert_int_equal(count, 3);
	assert_works(hv_log_size(log, "nosuch", &bytes, &exists, &world->fail), &world->fail);
	assert_false(exists);
	assert_int_equal(bytes, 0);
}

#define TEXT "it is a log abc\n"

static void a_pool_that_lasts_as_long_as_the_reader(void **state)
{
	WORLD(TEXT);
	CLEANUP(hv_log) struct hv_log *log = NULL;
	sigset_t before, within, after;

	(void)state;
	sigprocmask(SIG_BLOCK, NULL, &before);
	assert_works(hv_log_open(world.hv, world.directory, &log, &world.fail), &world.fail);
	sigprocmask(SIG_BLOCK, NULL, &within);
	assert_true(sigismember(&within, SIGINT) && sigismember(&within, SIGTERM) &&
		    sigismember(&within, SIGPIPE));
	assert_true(text_starts(libvirt.name, "gpuvm-log-"));
	read_by_volumes(&world, log);
	hv_log_close(STEAL(log));
	sigprocmask(SIG_BLOCK, NULL, &after);
	assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
	assert_int_equal(libvirt.made, 1);
	assert_int_equal(libvirt.destroyed, 1);
}

/* Another's pool is used and left; if it goes meanwhile, there is one of one's own. */
static void another_readers_pool(void **state)
{
	(void)state;
	for (unsigned vanishes_in = 0; vanishes_in < 8; vanishes_in++) {
		WORLD(TEXT);
		CLEANUP(hv_log) struct hv_log *log = NULL;

		libvirt.is_there = true;
		snprintf(libvirt.name, sizeof libvirt.name,
			 vanishes_in == 0 ? "logs" : "gpuvm-log-%d", getppid());
		libvirt.vanishes_in = vanishes_in;
		assert_works(hv_log_open(world.hv, world.directory, &log, &world.fail),
			     &world.fail);
		read_by_volumes(&world, log);
		hv_log_close(STEAL(log));
		assert_int_equal(libvirt.made, vanishes_in > 0);
		assert_int_equal(libvirt.destroyed, vanishes_in > 0);
	}
}

static void a_dead_readers_pool(void **state)
{
	WORLD(TEXT);
	CLEANUP(hv_log) struct hv_log *log = NULL;
	pid_t dead = fork();

	(void)state;
	if (dead == 0)
		_exit(0);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	libvirt.is_there = true;
	snprintf(libvirt.name, sizeof libvirt.name, "gpuvm-log-%d", (int)dead);
	assert_works(hv_log_open(world.hv, world.directory, &log, &world.fail), &world.fail);
	read_by_volumes(&world, log);
	hv_log_close(STEAL(log));
	assert_int_equal(libvirt.made, 1);
	assert_int_equal(libvirt.destroyed, 2);
	assert_false(libvirt.is_there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_lines),
		cmocka_unit_test(lines_beyond_a_block),
		cmocka_unit_test(what_is_no_log),
		cmocka_unit_test(a_guest_does_not_steer_the_terminal),
		cmocka_unit_test(the_last_lines_in_one_text),
		cmocka_unit_test(a_pool_that_lasts_as_long_as_the_reader),
		cmocka_unit_test(another_readers_pool),
		cmocka_unit_test(a_dead_readers_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
