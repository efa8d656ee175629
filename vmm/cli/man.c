// SPDX-License-Identifier: MIT
/* The pages of the manual: prose is here, everything else is in the tables that the program runs by. */
#include <stdlib.h>
#include <string.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/text.h"
#include "vmm/check.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/help.h"
#include "vmm/cli/man_page.h"
#include "vmm/cli/refused.h"
#include "vmm/policy.h"
#include "vmm/spec_keys.h"

#define ITEM(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct term {
	const char *term, *text;
};

static const struct term environment[] = {
	{ "NO_COLOR", "If it is set and not empty nothing is bold (https://no-color.org)." },
	{ "TERM",
	  "On a terminal that is dumb, or not said, nothing is bold and no line is replaced." },
	{ "TMPDIR", "Where --root unpacks a snapshot; by default /tmp." },
	{ NULL, NULL },
};

static const struct term files[] = {
	{ "/etc/gpuvm/host.ini", "The host's policy, see gpuvm-host.ini(5)." },
	{ "/usr/share/doc/gpuvm/examples", "Specs to begin with." },
	{ GPUVM_HOOK, "libvirt's hook, which vetoes a VM whose GPU somebody else has." },
	{ "/run/gpuvm", "Claims of starts that are under way." },
	{ "/var/lib/gpuvm", "GPUs that are held, drained or quarantined, over reboots." },
	{ "/var/lib/gpuvm/setup", "Backups and journal of setup-host, for --undo." },
	{ NULL, NULL },
};

/* Each line of a program is run, or read, by tests/man. */
static const char *const command_examples[][2] = {
	{ "The first VM: see what there is, have a spec written, look at what would happen, start it.",
	  "gpuvm gpus\n"
	  "gpuvm init train --image /var/lib/libvirt/images/train.qcow2\n"
	  "gpuvm plan train.ini\n"
	  "gpuvm start train.ini" },
	{ "From then on its name will do.", "gpuvm show train\n"
					    "gpuvm stop train\n"
					    "gpuvm start train" },
	{ "Plan for another host, from its snapshot.",
	  "gpuvm snapshot server.tar.zst\n"
	  "gpuvm plan --root server.tar.zst train.ini" },
	{ "Keep a GPU from new VMs while its fan is changed.",
	  "gpuvm drain 0000:17:00.0 --reason 'fan is loud'\n"
	  "gpuvm undrain 0000:17:00.0" },
	{ "Keep a GPU for VMs from the next boot on: look first, then do it as root.",
	  "gpuvm setup-host --dry-run 0000:17:00.0\n"
	  "sudo gpuvm setup-host 0000:17:00.0" },
	{ "A VM did not start: why?", "gpuvm log --qemu train | gpuvm explain -\n"
				      "sudo dmesg | gpuvm explain -" },
	{ "The addresses of the free GPUs, for a script.",
	  "gpuvm gpus --json | jq -r '.gpus[] | select(.state == \"free\").address'" },
};

static const char spec_example[] =
	"[vm]\n"
	"name   = train\n"
	"vcpus  = 16\n"
	"memory = 64 GiB\n"
	"\n"
	"[gpu]\n"
	"count = 2\n"
	"match = H100                 ; words of the name, or ids: 10de:2330\n"
	"\n"
	"[disk]\n"
	"image = /var/lib/libvirt/images/train.qcow2";

static const char host_example[] = "[host]\n"
				   "cores_per_node  = 2\n"
				   "memory_per_node = 4 GiB\n"
				   "\n"
				   "[gpus]\n"
				   "cpus_per_free_gpu   = 4\n"
				   "memory_per_free_gpu = 16 GiB";

static void terms(const char *heading, const struct term *term)
{
	man_page_heading(heading, NULL);
	for (; term->term != NULL; term++)
		man_page_item(term->term, ITEM(term->text));
}

static void commands(void)
{
	man_page_heading("COMMANDS", NULL);
	for (const struct cli_command *row = cli_commands(); row->name != NULL; row++) {
		CLEANUP(text)
		char *term = text_format("gpuvm %s%s%s", row->name,
					 *row->arguments == '\0' ? "" : " ", row->arguments);
		CLEANUP(text) char *own = NULL;

		for (const struct cli_option *option = cli_options(); option->name != NULL;
		     option++)
			if (option->bit != CLI_FOR_ALL && help_is_option_of(option, row))
				text_add(&own, "%s--%s", own == NULL ? "Its own options: " : ", ",
					 option->name);
		if (!row->hidden)
			man_page_item(term, ITEM(row->summary, row->more, own == NULL ? "" : own));
	}
}

static void options(void)
{
	man_page_heading(
		"OPTIONS",
		"Every command takes the first ones, and --root unless it works on this "
		"host's VMs. Options and arguments may stand in any order; behind -- there "
		"are no options.");
	for (const struct cli_option *row = cli_options(); row->name != NULL; row++) {
		CLEANUP(text) char *term = NULL;

		if (row->letter != 0)
			text_add(&term, "-%c, ", row->letter);
		text_add(&term, "--%s", row->name);
		if (row->argument != NULL)
			text_add(&term, " %s", row->argument);
		if (row->optional != NULL)
			text_add(&term, "[=%s]", row->optional);
		man_page_item(term, ITEM(row->doc));
	}
}

static void exit_status(void)
{
	man_page_heading("EXIT STATUS", NULL);
	for (int kind = FAIL_NONE; kind < FAIL_KINDS; kind++) {
		const struct fail_kind_row *row = fail_kind_row((enum fail_kind)kind);
		CLEANUP(text)
		char *term = kind == FAIL_NONE ? text_format("%d", row->exit_code)
					       : text_format("%d  %s", row->exit_code, row->title);

		man_page_item(term, ITEM(row->meaning));
	}
	man_page_paragraph("A failure says on standard error where it is, what is wrong, the cause "
			   "that was seen, and the command that helps.");
}

static void findings(void)
{
	man_page_heading(
		"FINDINGS",
		"What gpuvm check looks at, by its id. A start is refused if one of them fails; "
		"where it could go on, gpuvm start --force=ID does.");
	for (const struct check_about *row = check_table(); row->id != NULL; row++) {
		CLEANUP(text) char *title = text_format("%s: %s.", row->title, row->why);

		man_page_item(row->id,
			      ITEM(title, row->weight == CHECK_STOPS ? "It can be forced." : ""));
	}
}

static void refused(void)
{
	man_page_heading("WHAT IS REFUSED",
			 "A VM with a GPU cannot do these; gpuvm says so with exit status 7.");
	/* Rows that say the same stand together. */
	for (const struct refused_verb *row = refused_verbs(); row->verb != NULL; row++) {
		CLEANUP(text) char *instead = text_format("Instead: %s", row->instead);
		CLEANUP(text) char *verbs = text_format("%s", row->verb);

		while (row[1].verb != NULL && text_equal(row[1].reason, row->reason) &&
		       text_equal(row[1].instead, row->instead))
			text_add(&verbs, ", %s", (++row)->verb);
		man_page_item(verbs, ITEM(row->reason, instead));
	}
}

static void gpuvm_1(void)
{
	man_page_begin("gpuvm", "1", "boots GPU virtual machines from INI files");
	man_page_heading("SYNOPSIS", "gpuvm COMMAND [ARGUMENT] [OPTION]...");
	man_page_heading(
		"DESCRIPTION",
		"gpuvm starts virtual machines whose GPU is the host's own, on one machine and "
		"without a cloud stack. A VM is described by an INI file, gpuvm.ini(5). gpuvm "
		"finds the GPU's IOMMU group and companion functions, chooses CPUs and memory "
		"next to it, keeps everybody else from it, and has libvirt run the VM.");
	man_page_paragraph(
		"There is no daemon of gpuvm's; a member of the group libvirt needs no root. "
		"gpuvm plan tells every choice and its reasons, and changes nothing.");
	commands();
	options();
	exit_status();
	findings();
	refused();
	terms("ENVIRONMENT", environment);
	terms("FILES", files);
	for (size_t i = 0; i < sizeof command_examples / sizeof *command_examples; i++) {
		if (i == 0)
			man_page_heading("EXAMPLES", command_examples[i][0]);
		else
			man_page_paragraph(command_examples[i][0]);
		man_page_example(command_examples[i][1]);
	}
	man_page_heading("SEE ALSO", "gpuvm.ini(5), gpuvm-host.ini(5), virsh(1), lstopo(1)");
}

static void key(const struct keys_row *row)
{
	CLEANUP(text) char *range = help_range(row);
	CLEANUP(text) char *facts = text_format("Value: %s", row->type->name);
	CLEANUP(text) char *example = text_format("Example: %s = %s", row->key, row->example);

	if (range != NULL)
		text_add(&facts, ": %s", range);
	if (row->required)
		text_add(&facts, "; it must be written");
	else if (row->fallback != NULL)
		text_add(&facts, "; default: %s", row->fallback);
	man_page_item(row->key, ITEM(row->doc, facts, example));
}

static void keys(const struct keys_table *table)
{
	man_page_heading("KEYS", NULL);
	for (const struct keys_section *section = table->sections; section->name != NULL;
	     section++) {
		CLEANUP(text) char *title = text_format("[%s]", section->name);
		CLEANUP(text)
		char *about = text_format("%s.%s%s", section->doc,
					  section->required ? " It must be there." : "",
					  section->repeatable ? " It may be there more than once, "
								"with labels."
							      : "");

		man_page_subheading(title, about);
		for (const struct keys_row *row = table->rows; row->key != NULL; row++)
			if (text_equal(row->section, section->name))
				key(row);
	}
}

static const char ini[] =
	"Sections in brackets, and below each its keys: key = value, without quotes. "
	"A comment begins with ; at the start of a line, or behind a blank. Sizes "
	"have a unit: MiB, GiB or TiB. A section or key that is not known is refused, "
	"never passed over.";

static void gpuvm_ini_5(void)
{
	man_page_begin("gpuvm.ini", "5", "a virtual machine of gpuvm's");
	man_page_heading(
		"DESCRIPTION",
		"One VM: gpuvm init writes such a file for this host, gpuvm plan shows what it "
		"would come to, gpuvm start starts it. A changed file counts from the next "
		"start on.");
	man_page_paragraph(ini);
	keys(spec_keys());
	man_page_heading("EXAMPLES", "Two GPUs, and CPUs and memory next to them.");
	man_page_example(spec_example);
	man_page_heading("SEE ALSO", "gpuvm(1), gpuvm-host.ini(5)");
}

static void gpuvm_host_ini_5(void)
{
	man_page_begin("gpuvm-host.ini", "5", "what a host keeps from gpuvm's virtual machines");
	man_page_heading(
		"DESCRIPTION",
		"The file " POLICY_FILE " is the policy of the host's admin: CPUs and memory "
		"that no VM gets, and what is kept for each GPU that is still free. Without "
		"it the defaults count. A mistake in it stops every start, with exit status "
		"5. It counts from the next start on.");
	man_page_paragraph(ini);
	keys(policy_keys());
	man_page_heading("EXAMPLES", "More for the host, and for every free GPU enough for a VM.");
	man_page_example(host_example);
	man_page_heading("SEE ALSO", "gpuvm(1), gpuvm.ini(5)");
}

int man_run(const struct cli *cli, struct fail *fail)
{
	static const struct {
		const char *page;
		void (*print)(void);
	} pages[] = {
		{ "gpuvm.1", gpuvm_1 },
		{ "gpuvm.ini.5", gpuvm_ini_5 },
		{ "gpuvm-host.ini.5", gpuvm_host_ini_5 },
	};

	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		if (text_equal(pages[i].page, cli->args[0])) {
			pages[i].print();
			return 0;
		}
	}
	fail_add(fail, FAIL_USAGE, "there is no page \"%s\"", cli->args[0]);
	return fail_hint(fail, "gpuvm help");
}
