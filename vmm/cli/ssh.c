// SPDX-License-Identifier: MIT
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/address.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/inside.h"
#include "vmm/seed_read.h"

/* ssh's options that have an argument (ssh(1), OpenSSH 9.2 and 9.9). */
#define WITH_ARGUMENT "BbcDEeFIiJLlmOopPQRSWw"

struct words {
	char **items; /* NULL-terminated; owned */
	size_t count;
};

static void words_cleanup(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
}

/* Takes @word. */
static void add(struct words *words, char *word)
{
	*MEM_APPEND(words->items, words->count) = word;
}

static void add_option(struct words *words, char *value)
{
	add(words, mem_strdup("-o"));
	add(words, value);
}

/* Whether the option word @word has its argument in the next one. */
static bool takes_next(const char *word)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++)
		if (strchr(WITH_ARGUMENT, *letter) != NULL)
			return letter[1] == '\0';
	return false;
}

/* How many of @words are options of ssh: up to the first that is a command's. */
static size_t option_count(char *const *words, size_t count)
{
	size_t i = 0;

	while (i < count && words[i][0] == '-' && words[i][1] != '\0' &&
	       !text_equal(words[i], "--"))
		i += takes_next(words[i]) ? 2 : 1;
	return i < count ? i : count;
}

/* The folder for what gpuvm keeps of this user (XDG Base Directory Specification 0.8, XDG_STATE_HOME). NULL: he has no
 * home. The caller frees. */
static char *state_directory(void)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	const struct passwd *account;

	if (state != NULL && *state == '/')
		return text_format("%s/gpuvm", state);
	if (home == NULL || *home != '/') {
		account = getpwuid(getuid());
		home = account == NULL ? NULL : account->pw_dir;
	}
	return home == NULL ? NULL : text_format("%s/.local/state/gpuvm", home);
}

static int make_directories(char *path, struct fail *fail)
{
	for (char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
		int made;

		if (at != NULL)
			*at = '\0';
		made = mkdir(path, 0700);
		if (made < 0 && errno != EEXIST &&
		    (at == NULL || errno == EACCES || errno == EROFS) && access(path, F_OK) < 0) {
			fail_add(fail, FAIL_FAIL, "the VM's host key cannot be kept");
			fail_cause(fail, "%s: %s", path, strerror(errno));
			return fail_hint(
				fail, "choose another folder: XDG_STATE_HOME=/tmp/state gpuvm ssh");
		}
		if (at == NULL)
			return 0;
		*at = '/';
	}
}

/* A file name as ssh's configuration wants it: %% for %, in quotes (ssh_config(5), "Tokens"). The caller frees. */
static char *quoted(const char *path)
{
	char *text = NULL;

	text_add(&text, "\"");
	for (; *path != '\0'; path++)
		text_add(&text,
			 *path == '%'                    ? "%%%%"
			 : *path == '"' || *path == '\\' ? "\\%c"
							 : "%c",
			 *path);
	text_add(&text, "\"");
	return text;
}

/*
 * A new VM has a new host key, often under an address that an old one had: known by the VM's UUID in a file of
 * gpuvm's own, neither is ssh's check switched off nor the user's own file filled with strangers.
 */
static int add_host_key(struct words *words, const char *uuid, struct fail *fail)
{
	CLEANUP(text) char *directory = state_directory();
	CLEANUP(text) char *path = NULL;
	CLEANUP(text) char *word = NULL;

	if (directory == NULL)
		return fail_add(fail, FAIL_FAIL,
				"the VM's host key cannot be kept: you have no home");
	if (make_directories(directory, fail) < 0)
		return -1;
	path = text_format("%s/known_hosts", directory);
	word = quoted(path);
	add_option(words, text_format("UserKnownHostsFile=%s", word));
	add_option(words, text_format("HostKeyAlias=gpuvm-%s", uuid));
	add_option(words, mem_strdup("StrictHostKeyChecking=accept-new"));
	return 0;
}

/* Whom the guest's first boot made an account for; NULL: unknown, ssh decides. The caller frees. */
static char *user_of(const struct guest *guest)
{
	CLEANUP(spec) struct spec *spec = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	const char *account;

	if (guest->spec_text == NULL ||
	    spec_parse(guest->spec_file, guest->spec_directory, guest->spec_text, &spec, &fail) < 0)
		return NULL;
	account = seed_account(spec, guest->user);
	return account == NULL ? NULL : mem_strdup(account);
}

/* Programs that speak vsock for ssh, the best first: "PATH BEFORE<CID>AFTER". */
static const struct proxy {
	const char *path, *before, *after;
	bool passes_fd; /* ssh's ProxyUseFdpass: it opens the connection and is gone */
} proxies[] = {
	/* systemd-ssh-proxy(1), systemd 256. */
	{ "/usr/lib/systemd/systemd-ssh-proxy", "vsock/", " 22", true },
	/* socat(1), 1.7.4. */
	{ "/usr/bin/socat", "- VSOCK-CONNECT:", ":22", false },
	{ NULL, NULL, NULL, false },
};

static int add_proxy(struct words *words, const struct address *address, struct fail *fail)
{
	const struct proxy *proxy = proxies;

	while (proxy->path != NULL && access(proxy->path, X_OK) < 0)
		proxy++;
	if (proxy->path == NULL) {
		fail_add(fail, FAIL_HOST, "ssh cannot reach the VM");
		fail_cause(fail, "its only address is %s, and neither %s nor %s is there",
			   address->text, proxies[0].path, proxies[1].path);
		return fail_hint(fail, "sudo apt install socat");
	}
	add_option(words, text_format("ProxyCommand=%s %s%u%s", proxy->path, proxy->before,
				      address->vsock_cid, proxy->after));
	add_option(words, text_format("ProxyUseFdpass=%s", proxy->passes_fd ? "yes" : "no"));
	return 0;
}

static int no_address(const struct inside *inside, struct fail *fail)
{
	const char *silent = inside->guest->vsock_cid == 0
				     ? ""
				     : "; no ssh server in it answers on vsock";

	if (inside->guest->mac == NULL) {
		fail_add(fail, FAIL_FAIL, "VM \"%s\" has no network", inside->name);
		fail_cause(fail, "its spec says [network] source = none%s", silent);
		if (inside->guest->vsock_cid == 0)
			return fail_hint(fail, "gpuvm console %s", inside->word);
		return fail_hint(fail,
				 "it may still boot: gpuvm start --wait %s; or: gpuvm console %s",
				 inside->word, inside->word);
	}
	fail_add(fail, FAIL_BUSY, "no address of VM \"%s\" is known", inside->name);
	fail_cause(fail, "no DHCP lease, no guest agent and no ARP entry tells one for %s%s",
		   inside->guest->mac, silent);
	return fail_hint(fail, "it may still boot: gpuvm start --wait %s; or see: gpuvm log %s",
			 inside->word, inside->word);
}

/* What the user says stands first: ssh takes the first value that it gets (ssh_config(5)). */
static int make_words(const struct cli *cli, const struct inside *inside,
		      const struct address *address, struct words *words, struct fail *fail)
{
	char *const *rest = cli->args + 1;
	size_t count = cli->arg_count - 1;
	size_t options = option_count(rest, count);
	CLEANUP(text) char *user = user_of(inside->guest);

	add(words, mem_strdup("ssh"));
	for (size_t i = 0; i < options; i++)
		add(words, mem_strdup(rest[i]));
	if (user != NULL)
		add_option(words, text_format("User=%s", user));
	if (add_host_key(words, inside->domain->uuid, fail) < 0)
		return -1;
	if (address->vsock_cid != 0 && add_proxy(words, address, fail) < 0)
		return -1;
	add(words, mem_strdup("--"));
	add(words, mem_strdup(address->text));
	if (options < count && text_equal(rest[options], "--"))
		options++;
	for (size_t i = options; i < count; i++)
		add(words, mem_strdup(rest[i]));
	add(words, NULL);
	return 0;
}

static bool find_address(const struct inside *inside, struct address *ret)
{
	const struct guest *guest = inside->guest;

	return (guest->mac != NULL &&
		address_find(inside->hv, inside->domain->uuid, guest->mac, true, ret)) ||
	       address_of_vsock(guest, ret);
}

int ssh_run(const struct cli *cli, struct fail *fail)
{
	CLEANUP(inside) struct inside *inside = NULL;
	__attribute__((cleanup(words_cleanup))) struct words words = { 0 };
	struct address address;

	if (inside_open(cli->uri, cli->args[0], "ssh", &inside, fail) < 0 ||
	    inside_must_run(inside, fail) < 0)
		return -1;
	if (!find_address(inside, &address))
		return no_address(inside, fail);
	if (make_words(cli, inside, &address, &words, fail) < 0)
		return -1;
	fflush(stdout);
	execvp(words.items[0], words.items);
	fail_add(fail, FAIL_HOST, "ssh cannot be run");
	fail_cause(fail, "%s", strerror(errno));
	return fail_hint(fail, "sudo apt install openssh-client");
}
