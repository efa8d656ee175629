// SPDX-License-Identifier: MIT
#include "vmm/seed_read.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/spec_type_cloud_init.h"

#define MIME_LOOK_BYTES 4096 /* of a file in which cloud-init looks for a MIME header */

/* What cloud-init knows a file by, the longer before the shorter (cloudinit/handlers/__init__.py). */
static const struct kind {
	const char *start; /* in lower case */
	const char *name;
} kinds[] = {
	{ "#cloud-config-archive", "cloud-config archive" },
	{ "#cloud-config-jsonp", "JSON patch of a cloud-config" },
	{ "## template: jinja", "Jinja template" },
	{ "#cloud-boothook", "boot hook" },
	{ "#cloud-config", "cloud-config" },
	{ "#part-handler", "part handler" },
	{ "#include", "list of URLs" },
	{ "#!", "script" },
};

struct bytes {
	char *text; /* NUL-terminated */
	size_t length;
};

static void bytes_cleanup(struct bytes *bytes)
{
	free(bytes->text);
}

/* What is wrong with the file at @path, or NULL; then @ret has it, one byte more than @most if it is larger. */
static const char *read_file(const char *path, size_t most, struct bytes *ret)
{
	/* O_NONBLOCK: a FIFO without a writer must not make us wait. */
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	CLEANUP(bytes) struct bytes bytes = { 0 };
	struct stat about;

	if (fd < 0 || fstat(fd, &about) < 0)
		return strerror(errno);
	if (S_ISDIR(about.st_mode))
		return "a folder, not a file";
	if (!S_ISREG(about.st_mode))
		return "not a regular file";
	bytes.text = mem_alloc(most + 2, 1);
	while (bytes.length <= most) {
		ssize_t got = read(fd, bytes.text + bytes.length, most + 1 - bytes.length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return strerror(errno);
		if (got == 0)
			break;
		bytes.length += (size_t)got;
	}
	*ret = (struct bytes){ STEAL(bytes.text), bytes.length };
	return NULL;
}

static int refuse(const struct spec *spec, unsigned line, const char *what, const char *cause,
		  const char *hint, struct fail *fail)
{
	CLEANUP(text) char *shown = text_printable(what, 0);

	fail_add(fail, FAIL_SPEC, "[cloud-init] %s", shown);
	if (cause != NULL)
		fail_cause(fail, "%s", cause);
	if (hint != NULL)
		fail_hint(fail, "%s", hint);
	return fail_at(fail, spec->file, line);
}

/* The line of @key, or of the section if it is not written. */
static unsigned line_of(const struct spec *spec, unsigned line)
{
	return line == 0 ? spec->cloud_init.line : line;
}

/* As the file's own mistake, which says where in it; the spec's line would hide that. */
static int read_key_file(const struct seed *seed, const char *path, struct sshkeys *keys,
			 struct fail *fail)
{
	const struct spec *spec = seed->spec;
	CLEANUP(bytes) struct bytes bytes = { 0 };
	const char *wrong = read_file(path, SSHKEY_FILE_MOST_BYTES, &bytes);

	if (wrong == NULL)
		return sshkey_read(path, bytes.text, bytes.length, keys, fail);
	{
		CLEANUP(text) char *what = text_format("ssh_key = %s: cannot be read", path);

		return refuse(spec, spec->cloud_init.ssh_key_line, what, wrong,
			      "name a file of public keys, or auto", fail);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in @folder of what may be public keys, sorted. Certificates are none. */
static char **list_public(const char *folder, size_t *ret_count)
{
	CLEANUP(dir) DIR *dir = opendir(folder);
	const struct dirent *entry;
	char **names = NULL;
	size_t count = 0;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (fnmatch("id_*.pub", entry->d_name, FNM_PERIOD) == 0 &&
		    fnmatch("*-cert.pub", entry->d_name, 0) != 0)
			*MEM_APPEND(names, count) = mem_strdup(entry->d_name);
	if (count > 1)
		qsort(names, count, sizeof *names, by_name);
	*ret_count = count;
	return names;
}

/* What is no key there is none of ours to refuse; without any that is, the caller says so. */
static void read_auto(const char *home, struct sshkeys *keys)
{
	CLEANUP(text) char *folder = text_format("%s/.ssh", home);
	size_t count = 0;
	char **names = list_public(folder, &count);

	for (size_t i = 0; i < count; i++) {
		CLEANUP(fail) struct fail ignored = { 0 };
		CLEANUP(text) char *path = text_format("%s/%s", folder, names[i]);
		CLEANUP(bytes) struct bytes bytes = { 0 };

		if (read_file(path, SSHKEY_FILE_MOST_BYTES, &bytes) == NULL)
			(void)sshkey_read(path, bytes.text, bytes.length, keys, &ignored);
		free(names[i]);
	}
	free(names);
}

static int refuse_no_key(const struct seed *seed, const struct seed_caller *caller,
			 struct fail *fail)
{
	const struct spec_cloud_init *wish = &seed->spec->cloud_init;
	CLEANUP(text)
	char *cause = text_format("%s has no %s/.ssh/id_*.pub that is a public key", caller->name,
				  caller->home == NULL ? "~" : caller->home);

	return refuse(seed->spec, line_of(seed->spec, wish->ssh_key_line),
		      "no SSH key: nobody could log in", cause,
		      "make one: ssh-keygen -t ed25519   or name a file: ssh_key = FILE   or do "
		      "without: ssh_key = none",
		      fail);
}

/* A user's own file may make its own accounts: then keys are asked for only by whoever writes so. */
static bool may_do_without(const struct spec_cloud_init *wish)
{
	return wish->user_data != NULL && wish->user == NULL && wish->ssh_key_line == 0;
}

const char *seed_account(const struct spec *spec, const char *owner)
{
	const struct spec_cloud_init *wish = &spec->cloud_init;

	if (!wish->is_written || wish->ssh_key == SPEC_SSH_KEY_NONE || may_do_without(wish))
		return NULL;
	if (wish->user != NULL)
		return wish->user;
	return owner != NULL && spec_login_is_valid(owner) ? owner : NULL;
}

static int name_user(struct seed *seed, const struct seed_caller *caller, struct fail *fail)
{
	const struct spec *spec = seed->spec;
	const char *user = spec->cloud_init.user;

	if (seed->keys.count == 0)
		return 0;
	if (user == NULL && !spec_login_is_valid(caller->name))
		return refuse(spec, spec->cloud_init.line,
			      "user is not written, and your own name will not do in the guest",
			      caller->name, "write user = NAME: a-z 0-9 _ -, up to 32", fail);
	seed->user = mem_strdup(user == NULL ? caller->name : user);
	return 0;
}

static int read_keys(struct seed *seed, const struct seed_caller *caller, struct fail *fail)
{
	const struct spec_cloud_init *wish = &seed->spec->cloud_init;

	switch (wish->ssh_key) {
	case SPEC_SSH_KEY_NONE:
		return 0;
	case SPEC_SSH_KEY_FILE:
		if (read_key_file(seed, wish->ssh_key_file, &seed->keys, fail) < 0)
			return -1;
		break;
	case SPEC_SSH_KEY_AUTO:
		if (caller->home != NULL)
			read_auto(caller->home, &seed->keys);
		if (seed->keys.count == 0 && !may_do_without(wish))
			return refuse_no_key(seed, caller, fail);
		break;
	}
	return name_user(seed, caller, fail);
}

static bool is_mime(const struct bytes *bytes)
{
	CLEANUP(text)
	char *start = mem_strndup(bytes->text, bytes->length < MIME_LOOK_BYTES ? bytes->length
									       : MIME_LOOK_BYTES);

	return text_contains(start, "mime-version:");
}

static const char *kind_of(const struct bytes *bytes)
{
	const char *start = bytes->text + strspn(bytes->text, " \t\r\n\f\v");

	if (is_mime(bytes))
		return "MIME";
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncasecmp(start, kinds[i].start, strlen(kinds[i].start)) == 0)
			return kinds[i].name;
	return NULL;
}

/* What is wrong with it, or NULL. */
static const char *wrong_with(const struct bytes *bytes, const char *kind, const char **ret_hint)
{
	size_t line = strcspn(bytes->text, "\n");

	*ret_hint = NULL;
	if (bytes->length > SEED_USER_DATA_MOST_BYTES)
		return "larger than 1 MiB";
	if (memchr(bytes->text, '\0', bytes->length) != NULL ||
	    !text_is_utf8(bytes->text, bytes->length)) {
		*ret_hint = "save it as UTF-8 text, not compressed";
		return "not plain UTF-8 text";
	}
	if (kind == NULL) {
		*ret_hint = "begin a cloud-config with the line #cloud-config, and a script with "
			    "#!/bin/sh";
		return "cloud-init would not know what it is by its first line";
	}
	/* The kernel would look for an interpreter whose name ends in a carriage return. */
	if (text_equal(kind, "script") && line > 0 && bytes->text[line - 1] == '\r') {
		*ret_hint = "save it with Unix line ends: sed -i 's/\\r$//' FILE";
		return "a script with the line ends of Windows, which no shell runs";
	}
	return NULL;
}

/* cloud-init does not take a byte order mark off. */
static void skip_mark(struct bytes *bytes)
{
	if (!text_starts(bytes->text, "\xef\xbb\xbf"))
		return;
	bytes->length -= 3;
	memmove(bytes->text, bytes->text + 3, bytes->length + 1);
}

static int read_user_data(struct seed *seed, struct fail *fail)
{
	const struct spec *spec = seed->spec;
	const char *path = spec->cloud_init.user_data;
	CLEANUP(bytes) struct bytes bytes = { 0 };
	CLEANUP(text) char *what = text_format("user_data = %s: cannot be used", path);
	const char *hint = NULL;
	const char *wrong = read_file(path, SEED_USER_DATA_MOST_BYTES, &bytes);
	const char *kind = NULL;

	if (wrong == NULL) {
		skip_mark(&bytes);
		kind = kind_of(&bytes);
		wrong = wrong_with(&bytes, kind, &hint);
	}
	if (wrong != NULL)
		return refuse(spec, spec->cloud_init.user_data_line, what, wrong, hint, fail);
	seed->user_data = STEAL(bytes.text);
	seed->user_data_length = bytes.length;
	seed->user_data_kind = kind;
	return 0;
}

char *seed_hostname(const char *name)
{
	char *result = mem_strdup(name);
	char *to = result;

	for (const char *from = name; *from != '\0'; from++)
		if (isalnum((unsigned char)*from))
			*to++ = *from;
		else if (to > result && to[-1] != '-')
			*to++ = '-';
	while (to > result && to[-1] == '-')
		to--;
	*to = '\0';
	return result;
}

int seed_read(const struct spec *spec, const struct seed_caller *caller, struct seed **ret_seed,
	      struct fail *fail)
{
	CLEANUP(seed) struct seed *seed = mem_alloc(1, sizeof *seed);
	const struct spec_cloud_init *wish = &spec->cloud_init;

	seed->spec = spec;
	seed->is_read = caller != NULL;
	seed->hostname = wish->hostname != NULL ? mem_strdup(wish->hostname)
						: seed_hostname(spec->name);
	seed->brings_agent = spec->network != SPEC_NETWORK_NONE;
	if (caller != NULL && read_keys(seed, caller, fail) < 0)
		return -1;
	if (caller != NULL && wish->user_data != NULL && read_user_data(seed, fail) < 0)
		return -1;
	*ret_seed = STEAL(seed);
	return 0;
}
