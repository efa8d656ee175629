// SPDX-License-Identifier: MIT
/*
 * Values from a spec can never become XML structure, a path outside the directory that is meant, or an option or
 * a command of a program: hostile ones in every text key, to the XML and to the commands that hints propose.
 */
#include "vmm/launch.h"

#include <string.h>
#include <wordexp.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "tests/unit/hosts.h"
#include "tests/unit/livehost.h"
#include "vmm/spec.h"

/* None has a newline: that ends the value in its file. */
static const char *const hostile[] = {
	"-rf",
	"--connect",
	"../x",
	"../../../etc/passwd",
	"/etc/../etc/passwd",
	"a/b",
	"..",
	".hidden",
	"a</name><x>",
	"a'/><hostdev mode='subsystem'/><x y='",
	"a\"/><hostdev/><x y=\"",
	"a&b",
	"&lt;x&gt;&#10;",
	"]]><x/>",
	"<!-- -->",
	"%s%n%99999d",
	"$(touch owned)",
	"`touch owned`",
	"a;touch owned",
	"a'b",
	"a b",
	"a|b>c",
	"*",
	"\x1b[2Jx",
	"\xff\xfe",
};

/* A spec with a hole for one value. */
struct slot {
	const char *about;
	const char *before, *after;
	const char *benign;
	const char *where; /* the value in the XML; NULL: it is not there */
};

#define VM(name)   "[vm]\nname = " name "\nvcpus = 2\nmemory = 2 GiB\n"
#define END        "\n[network]\nsource = none\n"
#define GPU_MATCH  "[gpu]\nmatch = any\n"
#define DISK_IMAGE "[disk]\nimage = a.raw\n"

static const struct slot slots[] = {
	{ "name",
	  "[vm]\nname = ", "\nvcpus = 2\nmemory = 2 GiB\n" GPU_MATCH "[disk]\nimage = a.raw" END,
	  "vm", "string(/domain/name)" },
	{ "match", VM("vm") "[gpu]\nmatch = ", "\n[disk]\nimage = a.raw" END, "any", NULL },
	{ "address", VM("vm") "[gpu]\naddress = ", "\n[disk]\nimage = a.raw" END, "0000:17:00.0",
	  NULL },
	{ "image", VM("vm") GPU_MATCH "[disk]\nimage = ", END, "a.raw",
	  "string(//disk/source/@file)" },
	{ "network", VM("vm") GPU_MATCH DISK_IMAGE "[network]\nsource = ", "\n", "default",
	  "string(//interface/source/@network)" },
	{ "bridge", VM("vm") GPU_MATCH DISK_IMAGE "[network]\nsource = bridge:", "\n", "br0",
	  "string(//interface/source/@bridge)" },
	{ "code", VM("vm") GPU_MATCH DISK_IMAGE "[firmware]\nuefi = ", ", /v.fd" END, "/c.fd",
	  "string(//loader)" },
	{ "variables", VM("vm") GPU_MATCH DISK_IMAGE "[firmware]\nuefi = /c.fd, ", END, "/v.fd",
	  "string(//nvram/@template)" },
};

/* Names of elements and attributes, in their order, without any text. */
static void add_structure(const xmlNode *node, char **text)
{
	for (; node != NULL; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		text_add(text, "<%s", (const char *)node->name);
		for (const xmlAttr *attr = node->properties; attr != NULL; attr = attr->next)
			text_add(text, " %s", (const char *)attr->name);
		text_add(text, ">");
		add_structure(node->children, text);
		text_add(text, "</>");
	}
}

struct planned {
	bool is_accepted;
	char *structure;
	char *found; /* at slot.where; NULL: nowhere */
	char *log;   /* the file that gets the guest's serial console */
};

static void planned_done(struct planned *planned)
{
	free(planned->structure);
	free(planned->found);
	free(planned->log);
}

static char *evaluate(xmlDoc *document, const char *path)
{
	xmlXPathContext *context = xmlXPathNewContext(document);
	xmlXPathObject *object = xmlXPathEvalExpression((const xmlChar *)path, context);
	char *text;

	assert_non_null(object);
	text = mem_strdup((const char *)object->stringval);
	xmlXPathFreeObject(object);
	xmlXPathFreeContext(context);
	return text;
}

static void read_xml(const char *xml, const struct slot *slot, struct planned *planned)
{
	xmlDoc *document = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);

	assert_non_null(document);
	add_structure(xmlDocGetRootElement(document), &planned->structure);
	planned->log = evaluate(document, "string(//serial/log/@file)");
	if (slot->where != NULL)
		planned->found = evaluate(document, slot->where);
	xmlFreeDoc(document);
}

/* A value in a proposed command is one word of it. */
static void check_hints(const struct fail *fail, const char *value)
{
	CLEANUP(text) char *word = text_shell(value);

	for (size_t i = 0; i < fail->item_count; i++) {
		const char *hint = fail->items[i].hint;

		if (hint != NULL && strstr(hint, value) != NULL && strstr(hint, word) == NULL)
			fail_msg("not one word in: %s", hint);
	}
}

static struct planned plan(const struct root *root, const char *directory, const struct slot *slot,
			   const char *value)
{
	const struct launch_options options = { .root_directory = root->dir };
	CLEANUP(text) char *text = text_format("%s%s%s", slot->before, value, slot->after);
	CLEANUP(text) char *path = scratch_write(directory, "vm.ini", text);
	CLEANUP(launch) struct launch *launch = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	struct planned planned = { 0 };

	planned.is_accepted = launch_plan(&options, path, &launch, &fail) == 0;
	check_hints(&fail, value);
	if (planned.is_accepted)
		read_xml(launch->xml, slot, &planned);
	return planned;
}

static bool is_path(const struct slot *slot)
{
	return text_equal(slot->about, "image") || text_equal(slot->about, "code") ||
	       text_equal(slot->about, "variables");
}

static void check_value(const struct planned *planned, const struct slot *slot, const char *value)
{
	static const char log_directory[] = "/var/log/libvirt/qemu/";

	const char *name = strrchr(value, '/');

	assert_true(text_starts(planned->log, log_directory));
	assert_null(strchr(planned->log + strlen(log_directory), '/'));
	if (is_path(slot)) {
		assert_int_equal(planned->found[0], '/');
		assert_string_equal(strrchr(planned->found, '/') + 1,
				    name == NULL ? value : name + 1);
	} else if (slot->where != NULL) {
		assert_string_equal(planned->found, value);
		assert_int_not_equal(*value, '-');
		assert_null(strchr(value, '/'));
	}
}

static void values_stay_values(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	CLEANUP(root) struct root *root = hosts_open("gpu8");
	size_t accepted = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(slots); i++) {
		struct planned benign = plan(root, directory, &slots[i], slots[i].benign);

		assert_true(benign.is_accepted);
		if (slots[i].where != NULL)
			assert_true(*benign.found != '\0');
		for (size_t j = 0; j < COUNT(hostile); j++) {
			struct planned planned = plan(root, directory, &slots[i], hostile[j]);

			if (planned.is_accepted) {
				print_message("  %s = %s\n", slots[i].about, hostile[j]);
				assert_string_equal(planned.structure, benign.structure);
				check_value(&planned, &slots[i], hostile[j]);
				accepted++;
			}
			planned_done(&planned);
		}
		planned_done(&benign);
	}
	assert_true(accepted > 20);
}

/* The command behind @before in a hint, as a shell reads it: word number @at is @expected. */
static void assert_word(const char *hint, const char *before, size_t at, const char *expected)
{
	const char *command = strstr(hint, before);
	wordexp_t words;

	assert_non_null(command);
	assert_int_equal(wordexp(command, &words, WRDE_NOCMD | WRDE_UNDEF), 0);
	assert_true(at < words.we_wordc);
	assert_string_equal(words.we_wordv[at], expected);
	wordfree(&words);
}

static void a_file_named_like_a_command_is_one_word(void **state)
{
	CLEANUP(scratch) char *directory = scratch_new();
	const struct launch_options options = { .uri = TESTHV, .lease_directory = directory };

	(void)state;
	assert_int_equal(chdir(directory), 0);
	for (size_t i = 0; i < COUNT(hostile); i++) {
		CLEANUP(text) char *path = text_format("./%s", hostile[i]);
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		if (strpbrk(hostile[i], "/\x1b\xff") != NULL || text_starts(hostile[i], ".."))
			continue;
		free(scratch_write(directory, hostile[i], ""));
		assert_int_equal(launch_start(&options, hostile[i], &launch, &fail), -1);
		assert_word(fail.items[0].hint, "gpuvm start", 2, path);
	}
	assert_int_not_equal(access("owned", F_OK), 0);
	assert_int_equal(chdir("/"), 0);
}

/* Libvirt's names can be anything that has no slash: renamed by somebody, it is started by that name. */
static void a_vm_renamed_to_a_command_is_one_word(void **state)
{
	static const char *const names[] = { "-rf", "a b", "$(touch owned)", "a;b", "a'b", "*" };
	CLEANUP(scratch) char *directory = scratch_new();
	const struct launch_options options = { .uri = TESTHV, .lease_directory = directory };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		CLEANUP(hv) struct hv *hv = testhv_open(TESTHV);
		CLEANUP(text)
		char *metadata = testhv_metadata(testhv_uid(),
						 LIVEHOST_METADATA(LIVEHOST_SPEC("vm", "a")));
		CLEANUP(text) char *name = text_format("<![CDATA[%s]]>", names[i]);
		CLEANUP(text)
		char *xml = testhv_xml(name, "11111111-2222-3333-4444-555555555555", metadata, "");
		CLEANUP(launch) struct launch *launch = NULL;
		CLEANUP(fail) struct fail fail = { 0 };

		testhv_define(hv, xml);
		assert_int_equal(launch_start(&options, names[i], &launch, &fail), -1);
		assert_fails(&fail, FAIL_SPEC, "was renamed");
		assert_word(fail.items[0].hint, "virsh", 4, "--");
		assert_word(fail.items[0].hint, "virsh", 5, names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_stay_values),
		cmocka_unit_test(a_file_named_like_a_command_is_one_word),
		cmocka_unit_test(a_vm_renamed_to_a_command_is_one_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
