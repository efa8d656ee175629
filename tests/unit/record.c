// SPDX-License-Identifier: MIT
#include "vmm/record.h"

#include <fcntl.h>
#include <sys/file.h>

#include "tests/unit/records.h"
#include "vmm/record_text.h"

#define GPU  "0000:17:00.0"
#define UUID "11111111-2222-3333-4444-555555555555"

static const struct record hold = { .kind = RECORD_HELD,
				    .address = GPU,
				    .vm = (char *)"train",
				    .uuid = (char *)UUID,
				    .section = (char *)"[gpu]",
				    .user = (char *)"alice",
				    .uid = 1000,
				    .since = 1790000000 };

static const struct record drain = { .kind = RECORD_DRAINED,
				     .address = GPU,
				     .user = (char *)"bob",
				     .uid = 1001,
				     .since = 1790000001,
				     .reason = (char *)"fan \"2\" & dust" };

static void records_come_back(void **state)
{
	struct record_function functions[] = { { GPU, (char *)"nvidia" },
					       { "0000:17:00.1", NULL } };
	const struct record quarantine = { .kind = RECORD_QUARANTINED,
					   .address = GPU,
					   .vm = (char *)"train",
					   .uuid = (char *)UUID,
					   .reason = (char *)"gone",
					   .functions = functions,
					   .function_count = 2 };
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(record_list) struct record_list *list = NULL;
	CLEANUP(text) char *path = records_path(root, RECORD_HELD, GPU);
	mode_t before = umask(077);
	struct stat info;

	(void)state;
	records_write(root, &quarantine);
	records_write(root, &drain);
	records_write(root, &hold);
	umask(before);
	list = record_scan(root);
	assert_int_equal(list->count, 3);
	for (int kind = 0; kind < RECORD_KINDS; kind++) {
		assert_int_equal(list->records[kind].kind, kind);
		assert_string_equal(list->records[kind].address, GPU);
		assert_null(list->records[kind].problem);
		assert_ptr_equal(record_find(list, (enum record_kind)kind, GPU),
				 &list->records[kind]);
	}
	assert_null(record_find(list, RECORD_HELD, "0000:18:00.0"));
	assert_string_equal(list->records[0].vm, "train");
	assert_string_equal(list->records[0].uuid, UUID);
	assert_string_equal(list->records[0].section, "[gpu]");
	assert_string_equal(list->records[0].user, "alice");
	assert_int_equal(list->records[0].uid, 1000);
	assert_int_equal(list->records[0].since, 1790000000);
	assert_string_equal(list->records[1].reason, "fan \"2\" & dust");
	assert_int_equal(list->records[2].function_count, 2);
	assert_string_equal(list->records[2].functions[0].driver, "nvidia");
	assert_string_equal(list->records[2].functions[1].address, "0000:17:00.1");
	assert_null(list->records[2].functions[1].driver);
	/* The group may write it, whatever the umask says. */
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0660);
}

enum planted {
	LINK,
	DANGLING,
	PIPE,
	FOLDER,
	SECOND_NAME,
	HUGE_FILE,
	PLANTED
};

/* Puts something in the place of a hold; what it leads to holds a good record. */
static void plant(const struct root *root, enum planted what, const char *path)
{
	CLEANUP(text) char *good = record_text_format(&hold);
	CLEANUP(text) char *elsewhere = scratch_write(root->dir, "elsewhere", good);
	CLEANUP(file) FILE *file = NULL;

	switch (what) {
	case LINK:
		assert_int_equal(symlink(elsewhere, path), 0);
		break;
	case DANGLING:
		assert_int_equal(symlink("/nonexistent", path), 0);
		break;
	case PIPE:
		assert_int_equal(mkfifo(path, 0666), 0);
		break;
	case FOLDER:
		assert_int_equal(mkdir(path, 0777), 0);
		break;
	case SECOND_NAME:
		assert_int_equal(link(elsewhere, path), 0);
		break;
	case HUGE_FILE:
		file = fopen(path, "w");
		assert_non_null(file);
		fprintf(file, "%s%*s", good, RECORD_TEXT_MOST_BYTES, "");
		break;
	case PLANTED:
		break;
	}
}

static void assert_elsewhere_is_untouched(const struct root *root)
{
	CLEANUP(text) char *good = record_text_format(&hold);
	CLEANUP(text) char *now = root_text(root, "/elsewhere");

	assert_string_equal(now, good);
}

static void what_is_planted_is_never_followed(void **state)
{
	static const char *const problems[PLANTED] = {
		[LINK] = "it is a link",
		[DANGLING] = "it is a link",
		[PIPE] = "it is not a file",
		[FOLDER] = "it is not a file",
		[SECOND_NAME] = "it has a second name",
		[HUGE_FILE] = "it is too long",
	};

	(void)state;
	for (int what = 0; what < PLANTED; what++) {
		CLEANUP(records_host) struct root *root = records_host();
		CLEANUP(text) char *path = records_path(root, RECORD_HELD, GPU);
		CLEANUP(record_list) struct record_list *list = NULL;
		CLEANUP(record_list) struct record_list *after = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		print_message("  %s\n", problems[what]);
		plant(root, (enum planted)what, path);
		list = record_scan(root);
		assert_int_equal(list->count, 1);
		assert_string_equal(list->records[0].problem, problems[what]);
		assert_true(list->records[0].is_damaged);
		assert_null(list->records[0].uuid);
		assert_int_equal(record_remove(root, &list->records[0], &fail), 0);
		after = record_scan(root);
		assert_int_equal(after->count, 0);
		assert_elsewhere_is_untouched(root);
	}
}

static void what_is_planted_is_replaced(void **state)
{
	(void)state;
	for (int what = 0; what < PLANTED; what++) {
		CLEANUP(records_host) struct root *root = records_host();
		CLEANUP(text) char *path = records_path(root, RECORD_DRAINED, GPU);
		CLEANUP(record_list) struct record_list *list = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		plant(root, (enum planted)what, path);
		if (what == FOLDER) {
			assert_int_equal(record_write(root, &drain, &fail), -1);
			assert_fails(&fail, FAIL_HOST, "sudo rm -r");
			continue;
		}
		records_write(root, &drain);
		list = record_scan(root);
		assert_int_equal(list->count, 1);
		assert_null(list->records[0].problem);
		assert_string_equal(list->records[0].user, "bob");
		assert_elsewhere_is_untouched(root);
	}
}

/* Neither is a directory that is a link. */
static void a_directory_is_not_followed(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text)
	char *command = text_format("cd '%s/var/lib/gpuvm' && mv held real && ln -s real held",
				    root->dir);
	CLEANUP(record_list) struct record_list *list = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(fail) struct fail written = { 0 };

	(void)state;
	records_write(root, &hold);
	assert_int_equal(system(command), 0);
	list = record_scan(root);
	assert_int_equal(list->count, 0);
	assert_int_equal(record_check(root, &fail), -1);
	assert_fails(&fail, FAIL_HOST, "/var/lib/gpuvm/held");
	assert_int_equal(record_write(root, &hold, &written), -1);
}

static void other_names_are_no_records(void **state)
{
	static const char *const names[] = { "README", "17:00.0", "0000:17:00.8", "0000:17:00.0~",
					     "0000:AB:00.0" };
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(record_list) struct record_list *list = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		CLEANUP(text) char *path = records_path(root, RECORD_HELD, "");

		free(scratch_write(path, names[i], "{}"));
	}
	list = record_scan(root);
	assert_int_equal(list->count, 0);
}

static void only_what_was_seen_is_removed(void **state)
{
	struct record since = hold;
	struct record other = hold;
	struct record others = hold;
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(fail) struct fail fail = { 0 };
	struct {
		const char *about;
		const struct record *seen;
		size_t left;
	} cases[] = { { "written anew since", &since, 1 },
		      { "another VM's by now", &other, 1 },
		      { "another user's by now", &others, 1 },
		      { "the same", &hold, 0 },
		      { "gone already", &hold, 0 } };

	(void)state;
	since.since++;
	other.uuid = (char *)"99999999-2222-3333-4444-555555555555";
	others.uid++;
	records_write(root, &hold);
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(record_list) struct record_list *list = NULL;

		print_message("  %s\n", cases[i].about);
		assert_int_equal(record_remove(root, cases[i].seen, &fail), 0);
		list = record_scan(root);
		assert_int_equal(list->count, cases[i].left);
	}
}

static void what_killed_writers_left_is_swept(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text) char *held = records_path(root, RECORD_HELD, "");
	CLEANUP(text) char *drained = records_path(root, RECORD_DRAINED, "");
	CLEANUP(record_list) struct record_list *list = NULL;

	(void)state;
	free(scratch_write(held, ".unfinished-" GPU, "{\"form"));
	free(scratch_write(drained, ".unfinished-0000:18:00.0", ""));
	assert_int_equal(record_sweep(root), 2);
	assert_int_equal(record_sweep(root), 0);
	free(scratch_write(held, ".unfinished-" GPU, "{\"form"));
	free(scratch_write(held, ".unfinished-0000:18:00.0", ""));
	records_write(root, &hold);
	assert_int_equal(record_sweep(root), 0);
	list = record_scan(root);
	assert_int_equal(list->count, 1);
	assert_null(list->records[0].problem);
}

/* Behind the lock somebody may be writing: it is not swept. */
static void a_live_writer_is_left_alone(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(text) char *held = records_path(root, RECORD_HELD, "");
	CLEANUP(fd) int lock = open(held, O_RDONLY | O_DIRECTORY);
	CLEANUP(fail) struct fail fail = { 0 };

	(void)state;
	free(scratch_write(held, ".unfinished-" GPU, ""));
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(record_sweep(root), 0);
	assert_int_equal(record_write(root, &hold, &fail), -1);
	assert_fails(&fail, FAIL_BUSY, "fuser -v");
	assert_true(root_exists(root, RECORD_DIRECTORY "/held/.unfinished-" GPU));
}

static int nobody_cannot(const void *data)
{
	const struct root *root = data;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(record_list) struct record_list *list = record_scan(root);

	if (list->count != 1 || list->records[0].problem == NULL || list->records[0].is_damaged)
		return 1;
	if (record_check(root, &fail) == 0 || fail.kind != FAIL_HOST ||
	    !text_contains(fail.items[0].hint, "adduser"))
		return 2;
	return 0;
}

static void rights_are_checked(void **state)
{
	CLEANUP(records_host) struct root *root = records_host();
	CLEANUP(fail) struct fail none = { 0 };
	CLEANUP(fail) struct fail missing = { 0 };
	CLEANUP(fail) struct fail unwritten = { 0 };
	CLEANUP(text) char *drained = records_path(root, RECORD_DRAINED, "");

	(void)state;
	assert_int_equal(record_check(root, &none), 0);
	if (scratch_is_root()) {
		records_write(root, &hold);
		assert_int_equal(scratch_as(SCRATCH_NOBODY, nobody_cannot, root), 0);
	}
	assert_int_equal(rmdir(drained), 0);
	assert_int_equal(record_check(root, &missing), -1);
	assert_fails(&missing, FAIL_HOST, "sudo systemd-tmpfiles --create gpuvm.conf");
	assert_int_equal(record_write(root, &drain, &unwritten), -1);
	assert_fails(&unwritten, FAIL_HOST, "/var/lib/gpuvm/drained");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_back),
		cmocka_unit_test(what_is_planted_is_never_followed),
		cmocka_unit_test(what_is_planted_is_replaced),
		cmocka_unit_test(a_directory_is_not_followed),
		cmocka_unit_test(other_names_are_no_records),
		cmocka_unit_test(only_what_was_seen_is_removed),
		cmocka_unit_test(what_killed_writers_left_is_swept),
		cmocka_unit_test(a_live_writer_is_left_alone),
		cmocka_unit_test(rights_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
