// SPDX-License-Identifier: MIT
/* gpuvm's directories, and who may use libvirt. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"

#define INSTALLED "/usr/lib/tmpfiles.d/gpuvm.conf"
#define OWN       "/etc/tmpfiles.d/gpuvm.conf"
#define GROUP     "libvirt"

/* configs/gpuvm.tmpfiles, for a host on which gpuvm was copied and not installed; a test compares the two. */
static const char tmpfiles[] = SETUP_MARK
	"# gpuvm's reservations: members of group libvirt may make them, nobody else may look.\n"
	"d /run/gpuvm 2770 root libvirt -\n"
	"# Of root, so that no member can make it something else first.\n"
	"f /run/gpuvm/gate 0660 root libvirt -\n"
	"# What is kept of GPUs over reboots: held for a VM that is off, drained, quarantined.\n"
	"d /var/lib/gpuvm 0755 root root -\n"
	"d /var/lib/gpuvm/held 2770 root libvirt -\n"
	"d /var/lib/gpuvm/drained 2770 root libvirt -\n"
	"d /var/lib/gpuvm/quarantined 2770 root libvirt -\n";

int setup_tmpfiles(struct setup *setup, struct fail *fail)
{
	struct setup_edit *edit;

	if (root_exists(setup->root, INSTALLED))
		return 0;
	edit = setup_edit(setup, OWN, fail);
	if (edit == NULL)
		return -1;
	setup_edit_ensure(edit, tmpfiles, 0644, SETUP_TMPFILES);
	return 0;
}

static bool is_name(const char *user)
{
	for (const char *at = user; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == ':' || *at == ',')
			return false;
	return *user != '\0' && *user != '-';
}

/* The line of @name in a file of lines NAME:...; its length without the end in *@ret_length. */
static const char *line_of(const char *text, const char *name, size_t *ret_length)
{
	size_t length = strlen(name);

	while (*text != '\0') {
		*ret_length = strcspn(text, "\n");
		if (strncmp(text, name, length) == 0 && text[length] == ':')
			return text;
		text += *ret_length;
		text += *text == '\n';
	}
	return NULL;
}

/* Field @number, from 0, of that line; "" if it has no such. The caller frees. */
static char *field_of(const char *line, size_t length, unsigned number)
{
	CLEANUP(text) char *copy = mem_strndup(line, length);
	char *rest = copy;
	char *field = strsep(&rest, ":");

	while (number-- > 0 && field != NULL)
		field = strsep(&rest, ":");
	return mem_strdup(field == NULL ? "" : field);
}

static bool is_listed(const char *members, const char *user)
{
	CLEANUP(text) char *copy = mem_strdup(members);
	char *rest = NULL;

	for (char *member = strtok_r(copy, ",", &rest); member != NULL;
	     member = strtok_r(NULL, ",", &rest))
		if (text_equal(member, user))
			return true;
	return false;
}

static bool has_fields(const char *line, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		if (line[i] == ':')
			count++;
	return count == 3 && memchr(line, '\r', length) == NULL;
}

/* Puts @user behind the members, who are the last of the line's 4 fields (group(5), gshadow(5)). */
static int add_member(struct setup *setup, const char *path, const char *user, unsigned needs,
		      struct fail *fail)
{
	struct setup_edit *edit = setup_edit(setup, path, fail);
	CLEANUP(text) char *members = NULL;
	const char *line;
	size_t length = 0;
	size_t at;

	if (edit == NULL)
		return -1;
	line = line_of(edit->after.text, GROUP, &length);
	if (line == NULL)
		return 0;
	if (!has_fields(line, length)) {
		fail_add(fail, FAIL_HOST, "%s: the line of the group " GROUP " is damaged", path);
		fail_cause(fail, "it has not 4 fields, or ends in a carriage return");
		return fail_hint(fail, "see what is wrong with it: sudo grpck");
	}
	members = field_of(line, length, 3);
	if (is_listed(members, user))
		return 0;
	at = (size_t)(line - edit->after.text) + length;
	setup_edit_set(edit,
		       text_format("%.*s%s%s%s", (int)at, edit->after.text,
				   *members == '\0' ? "" : ",", user, edit->after.text + at),
		       0644, needs);
	return 0;
}

/* Whether it is the user's primary group. */
static bool is_primary(const char *passwd, const char *user, const char *gid)
{
	size_t length = 0;
	const char *line = line_of(passwd, user, &length);
	CLEANUP(text) char *primary = line == NULL ? NULL : field_of(line, length, 3);

	return line != NULL && text_equal(primary, gid);
}

static int check_user(struct setup *setup, const char *user, const char *passwd, struct fail *fail)
{
	size_t length = 0;

	if (!is_name(user)) {
		fail_add(fail, FAIL_USAGE, "--user %s: no user's name", user);
		return fail_hint(fail, "gpuvm help setup-host");
	}
	if (line_of(passwd, user, &length) == NULL)
		setup_note(setup->plan,
			   "User %s is not in /etc/passwd: if it comes from a directory service, "
			   "that is right",
			   user);
	return 0;
}

int setup_group(struct setup *setup, struct fail *fail)
{
	const char *user = setup->options->user;
	CLEANUP(text) char *passwd = root_bytes(setup->root, NULL, "/etc/passwd");
	struct setup_edit *edit;
	const char *line;
	size_t length = 0;
	CLEANUP(text) char *gid = NULL;

	if (user == NULL)
		return 0;
	if (check_user(setup, user, passwd == NULL ? "" : passwd, fail) < 0)
		return -1;
	edit = setup_edit(setup, "/etc/group", fail);
	if (edit == NULL)
		return -1;
	line = line_of(edit->after.text, GROUP, &length);
	if (line == NULL) {
		setup_note(setup->plan,
			   "There is no group libvirt, into which %s is to come: "
			   "sudo apt install libvirt-daemon-system, then again",
			   user);
		return 0;
	}
	gid = field_of(line, length, 2);
	if (is_primary(passwd == NULL ? "" : passwd, user, gid))
		return 0;
	if (add_member(setup, "/etc/group", user, SETUP_LOGIN, fail) < 0)
		return -1;
	if (!root_exists(setup->root, "/etc/gshadow"))
		return 0;
	if (geteuid() != 0 && setup->root->live) {
		setup_note(setup->plan, "/etc/gshadow gets the same member; only root sees it");
		return 0;
	}
	return add_member(setup, "/etc/gshadow", user, 0, fail);
}
