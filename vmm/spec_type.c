// SPDX-License-Identifier: MIT
#include "vmm/spec_type.h"

#include <ctype.h>
#include <string.h>

#include "topo/device.h"
#include "topo/gpu.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/keys_value.h"
#include "vmm/share.h"
#include "vmm/spec.h"

#define NAME_MOST_BYTES      63
#define LOWER                "abcdefghijklmnopqrstuvwxyz"
#define DIGITS               "0123456789"
#define INTERFACE_MOST_BYTES 15 /* IFNAMSIZ less the NUL */
#define BRIDGE_PREFIX        "bridge:"
#define NETWORK_LETTERS      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static void replace(char **owner, char *text)
{
	free(*owner);
	*owner = text;
}

bool spec_name_is_valid(const char *name)
{
	size_t length = strspn(name, LOWER DIGITS "._-");

	return length > 0 && name[length] == '\0' && length <= NAME_MOST_BYTES &&
	       strchr("._-", name[0]) == NULL;
}

static int store_name(const struct keys_value *value, void *target, struct fail *fail)
{
	CLEANUP(text) char *better = mem_strdup(value->text);

	if (spec_name_is_valid(value->text)) {
		replace(keys_value_field(value, target), STEAL(better));
		return 0;
	}
	if (strlen(value->text) > NAME_MOST_BYTES)
		return keys_value_refuse(value, fail, "longer than %d bytes", NAME_MOST_BYTES);
	keys_value_refuse(value, fail,
			  "a name has a-z 0-9 . _ - only and starts with a letter or digit");
	for (char *at = better; *at != '\0'; at++) {
		*at = (char)tolower((unsigned char)*at);
		if (strchr(LOWER DIGITS "._-", *at) == NULL)
			*at = '-';
	}
	return spec_name_is_valid(better) ? fail_hint(fail, "write %s", better) : -1;
}

static int store_match(const struct keys_value *value, void *target, struct fail *fail)
{
	if (strchr(value->text, '#') != NULL)
		return keys_value_refuse(value, fail, "no name of a GPU has a #");
	if (!gpu_match_is_valid(value->text)) {
		keys_value_refuse(
			value, fail,
			"neither vendor:device (10de:2330), nor words of a name, nor any");
		return fail_hint(fail, "see what there is: gpuvm gpus");
	}
	replace(keys_value_field(value, target), mem_strdup(value->text));
	return 0;
}

/* The piece of *@at up to the next comma, without blanks; NULL behind the last. The caller frees. */
static char *next_piece(const char **at)
{
	CLEANUP(text) char *piece = NULL;
	size_t length;

	if (*at == NULL)
		return NULL;
	length = strcspn(*at, ",");
	piece = mem_strndup(*at, length);
	*at = (*at)[length] == '\0' ? NULL : *at + length + 1;
	return mem_strdup(text_trim(piece));
}

static void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static int store_addresses(const struct keys_value *value, void *target, struct fail *fail)
{
	struct spec_gpu *gpu = target;
	const char *at = value->text;
	char **addresses = NULL;
	size_t count = 0;

	while (at != NULL) {
		CLEANUP(text) char *piece = next_piece(&at);
		char address[DEVICE_ADDRESS_BYTES];

		if (!device_parse_address(piece, address)) {
			CLEANUP(text) char *shown = text_printable(piece, 0);

			free_texts(addresses, count);
			keys_value_refuse(value, fail, "\"%s\" is not a PCI address", shown);
			return fail_hint(fail, "for example: address = %s", value->row->example);
		}
		*MEM_APPEND(addresses, count) = mem_strdup(address);
	}
	free_texts(gpu->addresses, gpu->address_count);
	gpu->addresses = addresses;
	gpu->address_count = count;
	return 0;
}

/* @path without empty and "." components; ".." stays, because links give it a meaning of its own. */
static char *path_collapse(const char *path)
{
	CLEANUP(text) char *copy = mem_strdup(path);
	char *rest = NULL;
	char *result = NULL;

	for (char *part = strtok_r(copy, "/", &rest); part != NULL;
	     part = strtok_r(NULL, "/", &rest))
		if (strcmp(part, ".") != 0)
			text_add(&result, "/%s", part);
	return result == NULL ? mem_strdup("/") : result;
}

char *spec_type_absolute(const struct keys_value *value, const char *path, struct fail *fail)
{
	size_t length = strlen(path);
	CLEANUP(text) char *joined = NULL;
	CLEANUP(text) char *shown = NULL;

	if (length == 0) {
		keys_value_refuse(value, fail, "a path is missing");
		return NULL;
	}
	if (path[0] == '~') {
		keys_value_refuse(value, fail, "~ is not expanded");
		fail_hint(fail, "write the whole path");
		return NULL;
	}
	if (path[length - 1] == '/') {
		keys_value_refuse(value, fail, "names a folder");
		fail_hint(fail, "name a file in it");
		return NULL;
	}
	joined = path[0] == '/' ? mem_strdup(path) : text_format("%s/%s", value->directory, path);
	/* The spec's own folder can be called anything; XML and terminals cannot hold everything. */
	shown = text_printable(joined, 0);
	if (strcmp(shown, joined) != 0) {
		keys_value_refuse(value, fail,
				  "the spec's folder has a name that is not plain UTF-8");
		fail_cause(fail, "%s", shown);
		return NULL;
	}
	return path_collapse(joined);
}

static int store_path(const struct keys_value *value, void *target, struct fail *fail)
{
	char *path = spec_type_absolute(value, value->text, fail);
	char **field = (char **)((char *)target + value->row->offset);

	if (path == NULL)
		return -1;
	free(*field);
	*field = path;
	return 0;
}

static int store_folder(const struct keys_value *value, void *target, struct fail *fail)
{
	CLEANUP(text) char *folder = mem_strdup(value->text);
	size_t length = strlen(folder);
	char *path;

	while (length > 1 && folder[length - 1] == '/')
		folder[--length] = '\0';
	/* Without the slash that a folder's name may have; "/" is the one that is nothing else. */
	path = text_equal(folder, "/") ? mem_strdup("/") : spec_type_absolute(value, folder, fail);
	if (path == NULL)
		return -1;
	replace(keys_value_field(value, target), path);
	return 0;
}

static int store_tag(const struct keys_value *value, void *target, struct fail *fail)
{
	const char *tag = value->text;

	if (strchr(tag, '/') != NULL) {
		keys_value_refuse(value, fail, "a tag is no path");
		return fail_hint(fail, "write %s; the guest mounts it where it likes",
				 value->row->example);
	}
	if (tag[strspn(tag, NETWORK_LETTERS)] != '\0' || tag[0] == '.' || tag[0] == '-')
		return keys_value_refuse(
			value, fail,
			"a tag has a-z A-Z 0-9 . _ - only and starts with none of . -");
	if (strlen(tag) > SHARE_TAG_MOST_BYTES)
		return keys_value_refuse(value, fail, "a tag has at most %d bytes",
					 SHARE_TAG_MOST_BYTES);
	replace(keys_value_field(value, target), mem_strdup(tag));
	return 0;
}

static void set_firmware(struct spec *spec, char *code, char *vars)
{
	free(spec->firmware_code);
	free(spec->firmware_vars);
	spec->firmware_code = code;
	spec->firmware_vars = vars;
}

static int store_firmware(const struct keys_value *value, void *target, struct fail *fail)
{
	const char *at = value->text;
	CLEANUP(text) char *code = next_piece(&at);
	CLEANUP(text) char *vars = next_piece(&at);
	CLEANUP(text) char *code_path = NULL;
	CLEANUP(text) char *vars_path = NULL;

	if (strcmp(value->text, "auto") == 0) {
		set_firmware(target, NULL, NULL);
		return 0;
	}
	if (vars == NULL || at != NULL) {
		keys_value_refuse(value, fail, "must be auto, or two files: CODE.fd, VARS.fd");
		return fail_hint(fail, "write auto");
	}
	code_path = spec_type_absolute(value, code, fail);
	if (code_path == NULL)
		return -1;
	vars_path = spec_type_absolute(value, vars, fail);
	if (vars_path == NULL)
		return -1;
	if (strcmp(code_path, vars_path) == 0)
		return keys_value_refuse(value, fail, "code and variables are the same file");
	set_firmware(target, STEAL(code_path), STEAL(vars_path));
	return 0;
}

static int check_network(const struct keys_value *value, bool is_bridge, const char *name,
			 struct fail *fail)
{
	const char *what = is_bridge ? "a bridge's name" : "a network's name";
	const char *colon = strchr(name, ':');

	if (*name == '\0')
		return keys_value_refuse(value, fail, "%s is missing", what);
	if (colon != NULL && !is_bridge) {
		keys_value_refuse(value, fail, "\"%.*s:\" is not known", (int)(colon - name), name);
		return fail_hint(fail, "write a libvirt network, bridge:NAME or none");
	}
	if (name[strspn(name, NETWORK_LETTERS)] != '\0' || name[0] == '.' || name[0] == '-')
		return keys_value_refuse(
			value, fail, "%s has a-z A-Z 0-9 . _ - only and starts with none of . -",
			what);
	if (is_bridge && strlen(name) > INTERFACE_MOST_BYTES)
		return keys_value_refuse(value, fail, "%s is longer than %d bytes", what,
					 INTERFACE_MOST_BYTES);
	return 0;
}

static int store_pool(const struct keys_value *value, void *target, struct fail *fail)
{
	if (value->text[strspn(value->text, NETWORK_LETTERS)] != '\0') {
		keys_value_refuse(value, fail, "a storage pool has a-z A-Z 0-9 . _ - only");
		return fail_hint(fail,
				 "see what there is: virsh -c qemu:///system pool-list --all");
	}
	replace(keys_value_field(value, target), mem_strdup(value->text));
	return 0;
}

static int store_network(const struct keys_value *value, void *target, struct fail *fail)
{
	struct spec *spec = target;
	bool is_bridge = text_starts(value->text, BRIDGE_PREFIX);
	const char *name = value->text + (is_bridge ? strlen(BRIDGE_PREFIX) : 0);
	bool is_none = strcmp(value->text, "none") == 0;

	if (!is_none && check_network(value, is_bridge, name, fail) < 0)
		return -1;
	free(spec->network_source);
	spec->network_source = is_none ? NULL : mem_strdup(name);
	spec->network = is_none     ? SPEC_NETWORK_NONE
			: is_bridge ? SPEC_NETWORK_BRIDGE
				    : SPEC_NETWORK_LIBVIRT;
	return 0;
}

const struct keys_type spec_type_name = { "name", store_name };
const struct keys_type spec_type_match = { "vendor:device, words, or any", store_match };
const struct keys_type spec_type_addresses = { "PCI addresses, comma separated", store_addresses };
const struct keys_type spec_type_path = { "path", store_path };
const struct keys_type spec_type_folder = { "folder", store_folder };
const struct keys_type spec_type_tag = { "tag", store_tag };
const struct keys_type spec_type_firmware = { "auto | CODE.fd, VARS.fd", store_firmware };
const struct keys_type spec_type_pool = { "storage pool", store_pool };
const struct keys_type spec_type_network = { "NAME | bridge:NAME | none", store_network };
