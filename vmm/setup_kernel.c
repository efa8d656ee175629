// SPDX-License-Identifier: MIT
/*
 * Kernel arguments. For GRUB what is new goes into a file of gpuvm's own in /etc/default/grub.d, which Debian's
 * grub-mkconfig reads after /etc/default/grub: nobody else's line has to change for it, and it can be taken away
 * again. It adds to GRUB_CMDLINE_LINUX_DEFAULT, so that the recovery entries stay a way out. What is old has to be
 * taken out where it stands. For systemd-boot it is /etc/kernel/cmdline, from which kernel-install(8) writes entries.
 */
#include <stdlib.h>
#include <string.h>

#include "topo/memory.h"
#include "vmm/base/mem.h"
#include "vmm/base/size.h"
#include "vmm/base/text.h"
#include "vmm/setup_internal.h"
#include "vmm/setup_words.h"

#define GRUB         "/etc/default/grub"
#define GRUB_DROPINS "/etc/default/grub.d"
#define GRUB_OURS    GRUB_DROPINS "/zz-gpuvm.cfg" /* behind the others */
#define CMDLINE      "/etc/kernel/cmdline"
#define MOST_BYTES   ((size_t)64 << 10)

/* Memory of a node that pages set aside at boot must leave, or the kernel does not come up. */
#define LEFT_BYTES (2 * SIZE_GIB)

/* What is wanted of any command line. */
struct arguments {
	struct setup_words_rule rule;
	char **added; /* words, NULL-terminated */
	size_t added_count;
	char **ids;
	size_t id_count;
};

static void arguments_done(struct arguments *arguments)
{
	root_names_free(arguments->added);
	root_names_free(arguments->ids);
}

/* Where the host's loaders are: any of these is systemd-boot's (Boot Loader Specification). */
static bool has_systemd_boot(const struct root *root)
{
	static const char *const places[] = { "/boot/efi", "/efi", "/boot" };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (root_exists(root, "%s/loader/entries", places[i]))
			return true;
	return false;
}

static void add(struct arguments *arguments, char *word)
{
	arguments->added[arguments->added_count] = word;
	arguments->added = mem_grow(arguments->added, arguments->added_count + 1,
				    sizeof *arguments->added);
	arguments->added_count++;
}

/* It depends on what runs, and not on files, so that a second run before the reboot comes to the same. */
static void want_iommu(struct setup *setup, struct arguments *arguments)
{
	const struct iommu *iommu = setup->iommu;

	if (iommu->state == IOMMU_ON)
		return;
	if (!iommu->has_table) {
		setup_note(
			setup->plan,
			"The IOMMU is off in the firmware, where no kernel argument helps: switch on VT-d "
			"or AMD-Vi there (there is neither DMAR nor IVRS in /sys/firmware/acpi/tables)");
		return;
	}
	/* A kernel that was told off says nothing of its default, unless its configuration does. */
	if (!iommu->is_amd && !(iommu->is_default && iommu->state == IOMMU_OFF_BY_ARGUMENT))
		add(arguments, mem_strdup("intel_iommu=on"));
}

static int bad_pages(const char *typed, const char *why, struct fail *fail)
{
	fail_add(fail, FAIL_USAGE, "--gib-pages %s: %s", typed, why);
	return fail_hint(fail, "a number of pages of 1 GiB for the only node, or NODE:COUNT,...: "
			       "gpuvm setup-host --gib-pages 0:16,1:16");
}

static int check_node(const struct setup *setup, unsigned long long node, unsigned long long count,
		      struct fail *fail)
{
	uint64_t bytes = node > 1023 ? 0 : memory_node_bytes(setup->root, (unsigned)node);
	CLEANUP(text) char *shown = size_format_about(bytes);

	if (bytes == 0) {
		fail_add(fail, FAIL_USAGE, "--gib-pages: there is no NUMA node %llu", node);
		return fail_hint(fail, "gpuvm topo");
	}
	if (count <= bytes / SIZE_GIB && bytes - count * SIZE_GIB >= LEFT_BYTES)
		return 0;
	fail_add(fail, FAIL_HOST, "node %llu has no place for %llu pages of 1 GiB", node, count);
	fail_cause(fail, "it has %s, of which 2 GiB at least have to stay for the host to boot",
		   shown);
	return fail_hint(fail, "gpuvm topo shows the memory of each node");
}

/* "0:16,1:16", or NULL with @fail; a bare number is for node 0. Counts of 0 are left out. */
static char *parse_pages(const struct setup *setup, const char *typed, struct fail *fail)
{
	CLEANUP(text) char *copy = mem_strdup(typed);
	CLEANUP(text) char *pages = mem_strdup("");
	char *rest = NULL;
	size_t parts = 0;

	for (char *part = strtok_r(copy, ",", &rest); part != NULL;
	     part = strtok_r(NULL, ",", &rest), parts++) {
		char *colon = strchr(part, ':');
		unsigned long long node = 0;
		unsigned long long count;

		if (colon != NULL)
			*colon = '\0';
		if (!text_number(colon == NULL ? part : colon + 1, &count) ||
		    (colon != NULL && !text_number(part, &node)))
			return bad_pages(typed, "not NODE:COUNT", fail), NULL;
		if (colon == NULL && memory_node_bytes(setup->root, 1) > 0)
			return bad_pages(typed, "the host has several nodes", fail), NULL;
		if (check_node(setup, node, count, fail) < 0)
			return NULL;
		if (count > 0)
			text_add(&pages, "%s%llu:%llu", *pages == '\0' ? "" : ",", node, count);
	}
	if (parts == 0)
		return bad_pages(typed, "empty", fail), NULL;
	return STEAL(pages);
}

static int want_pages(struct setup *setup, struct arguments *arguments, struct fail *fail)
{
	CLEANUP(text) char *pages = NULL;

	if (setup->options->gib_pages == NULL)
		return 0;
	pages = parse_pages(setup, setup->options->gib_pages, fail);
	if (pages == NULL)
		return -1;
	arguments->rule.drops_gib_pages = true;
	if (*pages == '\0')
		return 0;
	add(arguments, mem_strdup("hugepagesz=1G"));
	add(arguments, text_format("hugepages=%s", pages));
	return 0;
}

/* The ids of the GPUs that an address chooses: by id vfio-pci would take every card of the model. */
static void drop_ids(const struct setup *setup, struct arguments *arguments)
{
	arguments->ids = mem_alloc(1, sizeof *arguments->ids);
	for (size_t i = 0; i < setup->chosen_count; i++) {
		for (size_t j = 0; j < setup->devices->count; j++) {
			const struct device *device = &setup->devices->devices[j];

			if (!device_same_slot(device, setup->chosen[i]->device))
				continue;
			arguments->ids[arguments->id_count] = text_format(
				"%04x:%04x", device->vendor_id, device->device_id);
			arguments->ids = mem_grow(arguments->ids, arguments->id_count + 1,
						  sizeof *arguments->ids);
			arguments->id_count++;
		}
	}
	arguments->rule.ids = (const char *const *)arguments->ids;
}

static int not_readable(const char *path, unsigned line, struct fail *fail)
{
	fail_add(fail, FAIL_HOST, "a quote has no end here");
	fail_at(fail, path, line);
	fail_cause(fail, "a shell would not read %s either", path);
	return fail_hint(fail, "close it, then run gpuvm setup-host again");
}

static int check_size(const struct setup_edit *edit, struct fail *fail)
{
	if (edit->before.length <= MOST_BYTES)
		return 0;
	fail_add(fail, FAIL_HOST, "%s cannot be edited", edit->path);
	return fail_cause(fail, "it has more than 64 KiB");
}

/* Takes what is old out of a file of somebody else's, and adds to @words what stands there. */
static int filter_grub(struct setup *setup, const char *path, const struct arguments *arguments,
		       char **words, struct fail *fail)
{
	struct setup_edit *edit = setup_edit(setup, path, fail);
	CLEANUP(text) char *values = NULL;
	unsigned line = 0;
	char *text;

	if (edit == NULL || check_size(edit, fail) < 0)
		return -1;
	if (!edit->after.exists)
		return 0;
	text = setup_words_filter_shell(edit->after.text, &arguments->rule, &line);
	if (text == NULL)
		return not_readable(path, line, fail);
	values = setup_words_of_shell(text);
	text_join(words, " ", values);
	setup_edit_set(edit, text, 0644, SETUP_GRUB | SETUP_REBOOT);
	return 0;
}

/* What is in gpuvm's own file already, without what is old; "" at first. The caller frees. */
static char *own_words(const struct setup_edit *edit, const struct arguments *arguments)
{
	CLEANUP(text) char *values = setup_words_of_shell(edit->after.text);
	const char *variable = "$GRUB_CMDLINE_LINUX_DEFAULT";

	if (values == NULL)
		return mem_strdup("");
	return setup_words_filter(text_starts(values, variable) ? values + strlen(variable)
								: values,
				  &arguments->rule);
}

/* Then it stays as it is, somebody's comments included. */
static bool has_values(const struct setup_edit *edit, const char *values)
{
	CLEANUP(text) char *now = setup_words_of_shell(edit->after.text);

	return text_equal(now, values);
}

static int add_grub(struct setup *setup, const struct arguments *arguments, const char *others,
		    struct fail *fail)
{
	struct setup_edit *edit = setup_edit(setup, GRUB_OURS, fail);
	CLEANUP(text) char *words = NULL;
	CLEANUP(text) char *values = NULL;

	if (edit == NULL || check_size(edit, fail) < 0)
		return -1;
	words = own_words(edit, arguments);
	for (size_t i = 0; i < arguments->added_count; i++) {
		const char *word = arguments->added[i];
		char *more;

		/* A size and its number stay together. */
		if (!text_starts(word, "hugepages") &&
		    (setup_words_has(words, word) || setup_words_has(others, word)))
			continue;
		more = setup_words_add(words, word);
		free(words);
		words = more;
	}
	values = text_format("$GRUB_CMDLINE_LINUX_DEFAULT%s%s",
			     *words == '\0' || *words == ' ' ? "" : " ", words);
	if (edit->before.exists ? has_values(edit, values) : *words == '\0')
		return 0;
	setup_edit_set(edit, text_format(SETUP_MARK "GRUB_CMDLINE_LINUX_DEFAULT=\"%s\"\n", values),
		       0644, SETUP_GRUB | SETUP_REBOOT);
	return 0;
}

static int edit_grub(struct setup *setup, const struct arguments *arguments, struct fail *fail)
{
	CLEANUP(root_names) char **names = root_names(setup->root, GRUB_DROPINS);
	CLEANUP(text) char *words = mem_strdup("");

	if (filter_grub(setup, GRUB, arguments, &words, fail) < 0)
		return -1;
	for (char **name = names; *name != NULL; name++) {
		CLEANUP(text) char *path = text_format(GRUB_DROPINS "/%s", *name);
		size_t length = strlen(*name);

		if (**name != '.' && length > 4 && text_equal(*name + length - 4, ".cfg") &&
		    !text_equal(path, GRUB_OURS) &&
		    filter_grub(setup, path, arguments, &words, fail) < 0)
			return -1;
	}
	return add_grub(setup, arguments, words, fail);
}

/* Without the file kernel-install takes the arguments of the running kernel, less those of its loader. */
static char *running_arguments(const char *running)
{
	CLEANUP(text) char *copy = mem_strdup(running == NULL ? "" : running);
	char *words = mem_strdup("");
	char *rest = NULL;

	for (char *word = strtok_r(copy, " \n", &rest); word != NULL;
	     word = strtok_r(NULL, " \n", &rest))
		if (!text_starts(word, "BOOT_IMAGE=") && !text_starts(word, "initrd="))
			text_add(&words, "%s%s", *words == '\0' ? "" : " ", word);
	text_add(&words, "\n");
	return words;
}

static int edit_cmdline(struct setup *setup, const struct arguments *arguments, struct fail *fail)
{
	struct setup_edit *edit = setup_edit(setup, CMDLINE, fail);
	CLEANUP(text) char *before = NULL;
	char *words;

	if (edit == NULL || check_size(edit, fail) < 0)
		return -1;
	before = edit->after.exists ? mem_strdup(edit->after.text)
				    : running_arguments(setup->running);
	words = setup_words_filter(before, &arguments->rule);
	for (size_t i = 0; i < arguments->added_count; i++) {
		char *more;

		if (!text_starts(arguments->added[i], "hugepages") &&
		    setup_words_has(words, arguments->added[i]))
			continue;
		more = setup_words_add(words, arguments->added[i]);
		free(words);
		words = more;
	}
	if (text_equal(words, before)) {
		free(words);
		return 0;
	}
	if (!edit->after.exists && setup->running == NULL) {
		free(words);
		fail_add(fail, FAIL_HOST,
			 "the kernel's arguments are in no file that can be edited");
		fail_cause(fail, "there is no " CMDLINE ", and /proc/cmdline cannot be read");
		return fail_hint(fail, "write the arguments of the host's kernel into " CMDLINE);
	}
	setup_edit_set(edit, words, 0644, SETUP_KERNEL_INSTALL | SETUP_REBOOT);
	return 0;
}

static int no_loader(const struct arguments *arguments, struct fail *fail)
{
	CLEANUP(text) char *words = NULL;

	for (size_t i = 0; i < arguments->added_count; i++)
		text_join(&words, " ", arguments->added[i]);
	fail_add(fail, FAIL_HOST, "the host's boot loader is neither GRUB nor systemd-boot");
	fail_cause(fail, "there is neither " GRUB
			 " nor a folder loader/entries in /boot/efi, /efi or /boot");
	return fail_hint(fail,
			 "give the kernel these arguments by hand, and leave --gib-pages away: %s",
			 words);
}

/* One whose words stand in none of the files comes from elsewhere, and stays. */
static void tell_left(struct setup *setup)
{
	if (setup->iommu->argument == NULL)
		return;
	for (size_t i = 0; i < setup->plan->edit_count; i++)
		if ((setup->plan->edits[i].needs & (SETUP_GRUB | SETUP_KERNEL_INSTALL)) != 0)
			return;
	setup_note(setup->plan,
		   "The running kernel was told to switch the IOMMU off (/proc/cmdline). No file "
		   "that is read here says so: either it was taken out already, and the host "
		   "has to be rebooted, or it comes from elsewhere");
}

int setup_kernel(struct setup *setup, struct fail *fail)
{
	__attribute__((cleanup(arguments_done))) struct arguments arguments = {
		.added = mem_alloc(1, sizeof(char *))
	};
	bool has_entries = has_systemd_boot(setup->root);
	/* Its settings outlive GRUB where systemd-boot has taken its place. */
	bool has_grub = root_exists(setup->root, GRUB) &&
			(!has_entries || root_exists(setup->root, "/boot/grub"));

	want_iommu(setup, &arguments);
	drop_ids(setup, &arguments);
	if (want_pages(setup, &arguments, fail) < 0)
		return -1;
	if (has_grub && edit_grub(setup, &arguments, fail) < 0)
		return -1;
	if (has_entries && edit_cmdline(setup, &arguments, fail) < 0)
		return -1;
	if (!has_grub && !has_entries && arguments.added_count > 0)
		return no_loader(&arguments, fail);
	tell_left(setup);
	return 0;
}
