// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/cli/cli.h"
#include "vmm/cli/out.h"

static const struct cli_command commands[] = {
	{ .name = "gpus",
	  .arguments = "",
	  .run = gpus_run,
	  .says = "looking at the GPUs",
	  .summary = "show this host's GPUs: where they sit, what they are, who has them",
	  .more = "A GPU is free, held by a VM, or not offered: the reason says why words in a\n"
		  "spec never choose it. Its IOMMU group's other members travel with it." },
	{ .name = "topo",
	  .arguments = "",
	  .options = CLI_XML,
	  .run = topo_run,
	  .says = "looking at the machine",
	  .summary =
		  "draw the machine: nodes, caches, cores, GPUs under their ports, who holds what",
	  .more = "With --xml: as hwloc's XML with the VMs marked; gpuvm topo --xml > machine.xml,\n"
		  "then lstopo -i machine.xml machine.svg" },
	{ .name = "init",
	  .arguments = "[NAME]",
	  .least = 0,
	  .most = 1,
	  .options = CLI_FORCE | CLI_INIT,
	  .run = init_run,
	  .says = "looking at the host",
	  .summary = "write a spec for this host, with a comment per key, that can be started",
	  .more = "On a terminal it asks for what no option says; elsewhere it chooses, and says\n"
		  "what: CPUs and memory are a fair part of what is free near the GPU. What cannot\n"
		  "be planned is not written, but refused as plan does." },
	{ .name = "check",
	  .arguments = "[SPEC|GPU]",
	  .least = 0,
	  .most = 1,
	  .run = check_command_run,
	  .says = "looking at the host",
	  .summary = "say beforehand whether GPU VMs will start here, and if not, what to change",
	  .more = "Without argument: this host. GPU: that GPU. SPEC: whether this VM would start here, the\n"
		  "host's and its GPUs' findings included; a spec with mistakes exits 3, naming all.\n"
		  "Each finding passes, warns or fails, with what was read, why it matters and the next\n"
		  "command. Exit 0 if none failed, else 5. Nothing is changed, no rights are needed: what\n"
		  "you may not read is said." },
	{ .name = "plan",
	  .arguments = "SPEC",
	  .least = 1,
	  .most = 1,
	  .options = CLI_XML,
	  .run = plan_run,
	  .says = "planning",
	  .summary = "show what start would do, and why, without doing it",
	  .more = "Needs no rights, and no daemon: it then says what it does not know." },
	{ .name = "start",
	  .arguments = "SPEC|NAME",
	  .least = 0,
	  .most = 1,
	  .options = CLI_FORCE | CLI_FORCE_ID | CLI_AUTOSTART | CLI_WAIT | CLI_TIMEOUT,
	  .live_only = true,
	  .run = start_run,
	  .summary = "reserve the GPUs, choose the CPUs and memory next to them, start the VM",
	  .more = "SPEC is a path: it has a '/' or ends in .ini. NAME is a VM that was started\n"
		  "before; it is planned anew. A VM that runs already is left as it is (exit 0).\n"
		  "With --wait it ends when the guest answers: the agent, cloud-init done, and ssh, over\n"
		  "vsock if it has no network. At the deadline it exits 1, and the VM goes on.\n"
		  "What gpuvm check SPEC calls a failure is refused; --force=ID, with the finding's id, goes\n"
		  "on all the same where that is possible. Several: --force=reset,bars." },
	{ .name = "stop",
	  .arguments = "NAME|--all",
	  .least = 0,
	  .most = 1,
	  .options = CLI_FORCE | CLI_ALL | CLI_TIMEOUT,
	  .live_only = true,
	  .run = stop_run,
	  .summary = "ask the guest to shut down, wait, check that the host has its GPU back",
	  .more = "With --force its power is cut if it does not go in time." },
	{ .name = "list",
	  .arguments = "",
	  .live_only = true,
	  .run = list_run,
	  .says = "asking libvirt",
	  .summary = "show gpuvm's VMs, running or not, and starts under way",
	  .more = "" },
	{ .name = "show",
	  .arguments = "NAME",
	  .least = 1,
	  .most = 1,
	  .live_only = true,
	  .run = show_run,
	  .says = "asking libvirt",
	  .summary = "show one VM: its GPUs, pins, memory, disks, console and log",
	  .more = "" },
	{ .name = "verify",
	  .arguments = "NAME",
	  .least = 1,
	  .most = 1,
	  .options = CLI_HOST_ONLY | CLI_TIMEOUT,
	  .live_only = true,
	  .run = verify_run,
	  .says = "asking libvirt",
	  .summary = "check that a running VM really has what was planned, on the host and in it",
	  .more = "On the host: who has its GPUs, their links, power and errors, the CPUs of each thread,\n"
		  "the node of its memory. In the guest, through qemu-guest-agent: each GPU, its BARs, node\n"
		  "and port, its driver's tools and messages.\n"
		  "Exit 0: all of it was checked and holds; warnings and notes do not count. Exit 1: a\n"
		  "check failed. Exit 5: none failed, but some could not be made: memory and who has a GPU\n"
		  "are for root to see, the guest needs an agent (--host-only leaves it out). Exit 4: the\n"
		  "VM does not run." },
	{ .name = "explain",
	  .arguments = "FILE|-",
	  .least = 1,
	  .most = 1,
	  .run = explain_run,
	  .says = "reading the log",
	  .summary =
		  "read a log of libvirt's, QEMU's, a kernel's or a guest's: what went wrong, what next",
	  .more = "- is standard input: gpuvm log --qemu train | gpuvm explain -, sudo dmesg | gpuvm\n"
		  "explain -, journalctl -b -u libvirtd | gpuvm explain -. It tells the line of each message\n"
		  "that it knows (gpuvm help messages), the cause, and the next command. Exit 0: some were\n"
		  "found. Exit 1: none, which does not mean that all is well." },
	{ .name = "console",
	  .arguments = "NAME",
	  .least = 1,
	  .most = 1,
	  .options = CLI_FORCE,
	  .live_only = true,
	  .is_interactive = true,
	  .run = console_run,
	  .summary = "open a VM's serial console on this terminal; Ctrl + ] leaves it",
	  .more = "With --force it is taken from whoever has it open. Its exit code is virsh's." },
	{ .name = "ssh",
	  .arguments = "NAME [SSH-OPTION...] [CMD...]",
	  .least = 1,
	  .most = SIZE_MAX,
	  .live_only = true,
	  .is_interactive = true,
	  .passes_on = true,
	  .run = ssh_run,
	  .summary = "log in to a VM by ssh, or run a command there; it finds the address",
	  .more = "All that stands behind NAME is ssh's: gpuvm ssh train -L 8888:localhost:8888\n"
		  "gpuvm's own options stand before it. The user is that of [cloud-init] in its spec,\n"
		  "unless -l names one. Host keys are kept in ~/.local/state/gpuvm/known_hosts, by VM.\n"
		  "A VM without a network is reached over vsock, if its ssh server listens there.\n"
		  "The exit code is ssh's: the command's, or 255 if ssh itself failed." },
	{ .name = "log",
	  .arguments = "NAME",
	  .least = 1,
	  .most = 1,
	  .options = CLI_QEMU | CLI_LINES | CLI_FOLLOW | CLI_RAW,
	  .live_only = true,
	  .run = log_run,
	  .summary = "show what the guest wrote on its console, or QEMU's own log",
	  .more = "Colours and cursor movements are left out, other control characters shown as \\xNN:\n"
		  "a guest's output must not steer your terminal. --raw passes all of it on." },
	{ .name = "delete",
	  .arguments = "NAME",
	  .least = 1,
	  .most = 1,
	  .options = CLI_FORCE | CLI_DISKS,
	  .live_only = true,
	  .run = delete_run,
	  .says = "waiting for libvirt, or another gpuvm",
	  .summary = "forget a VM that is off, its UEFI variables included; disks stay",
	  .more = "With --disks what gpuvm made for it goes too (size = in the spec), after a look "
		  "that it is that still and that no other VM uses it. Images that the spec names "
		  "are never deleted." },
	{ .name = "release",
	  .arguments = "GPU...",
	  .least = 1,
	  .most = SIZE_MAX,
	  .options = CLI_FORCE,
	  .live_only = true,
	  .run = release_run,
	  .says = "waiting for libvirt, or another gpuvm",
	  .summary = "end a hold: others may have the GPU that a VM kept while it is off",
	  .more = "GPU is an address as gpuvm gpus shows it. Refused while the VM runs. Its next start\n"
		  "holds GPUs again, unless hold = yes is taken out of its spec." },
	{ .name = "drain",
	  .arguments = "GPU...",
	  .least = 1,
	  .most = SIZE_MAX,
	  .options = CLI_FORCE | CLI_REASON,
	  .live_only = true,
	  .run = drain_run,
	  .says = "waiting for libvirt, or another gpuvm",
	  .summary = "keep a GPU from new VMs, saying why; the VM that runs with it goes on",
	  .more = "For maintenance, over reboots too. No VM starts with the GPU, whoever starts it." },
	{ .name = "undrain",
	  .arguments = "GPU...",
	  .least = 1,
	  .most = SIZE_MAX,
	  .options = CLI_FORCE,
	  .live_only = true,
	  .run = undrain_run,
	  .says = "waiting for libvirt, or another gpuvm",
	  .summary = "give a drained GPU to VMs again; one in quarantine too, if it answers again",
	  .more = "A GPU is quarantined when it does not come back from a VM, or does not answer when a\n"
		  "VM is to start with it. It must answer on the PCI bus and be on its driver again; with\n"
		  "--force on any driver." },
	{ .name = "setup-host",
	  .arguments = "[GPU...]",
	  .least = 0,
	  .most = SIZE_MAX,
	  .options = CLI_FORCE | CLI_SETUP,
	  .run = setup_host_run,
	  .says = "looking at the host",
	  .summary =
		  "make this host ready for GPU VMs: the GPUs on vfio-pci from boot on, kernel arguments, rights",
	  .more = "Shows the difference to each file first, and asks (or --yes). Needs root; --dry-run does\n"
		  "not. Only what is needed changes, and running it again changes nothing. GPU is an address\n"
		  "as gpuvm gpus shows it. Backups of all files are in /var/lib/gpuvm/setup; --undo puts them\n"
		  "back byte for byte, but leaves a file that was edited since, shows how it differs, and\n"
		  "exits 7. With --root only files of that tree change, and nothing is run." },
	{ .name = "snapshot",
	  .arguments = "FILE",
	  .least = 1,
	  .most = 1,
	  .run = snapshot_run,
	  .says = "copying what planning reads",
	  .summary = "write all that planning reads into one archive, for --root or a bug report",
	  .more = "It holds libvirt's domains, the firmware's descriptors and package versions too.\n"
		  "UUIDs, MAC addresses, paths, specs and user names are blanked; names of VMs are not." },
	{ .name = "help",
	  .arguments = "[COMMAND|spec|host|exit|refused|messages]",
	  .least = 0,
	  .most = 1,
	  .run = help_run,
	  .summary = "show help: for a command, the spec's keys, exit codes, what is refused,"
		     " known messages",
	  .more = "" },
	{ .name = "hook",
	  .arguments = "NAME OPERATION SUBOPERATION EXTRA",
	  .least = 0,
	  .most = SIZE_MAX,
	  .run = hook_run,
	  .summary = "run by libvirt before it starts a VM, with the domain's XML: may it have its "
		     "GPUs?",
	  .more = "Answers \"prepare begin\" only, by its exit code: 0 or a veto.",
	  .hidden = true },
	{ .name = "complete",
	  .arguments = "-- WORD...",
	  .least = 0,
	  .most = SIZE_MAX,
	  .run = complete_run,
	  .summary = "run by shells: what can stand for the last of the words behind gpuvm",
	  .more = "One candidate a line, what it is behind a tab. Takes a second at most.",
	  .hidden = true },
	{ .name = "man",
	  .arguments = "PAGE",
	  .least = 1,
	  .most = 1,
	  .run = man_run,
	  .summary = "run by the build: a page of the manual, for man",
	  .more = "PAGE is gpuvm.1, gpuvm.ini.5 or gpuvm-host.ini.5.",
	  .hidden = true },
	{ .name = "parse",
	  .arguments = "-- WORD...",
	  .least = 0,
	  .most = SIZE_MAX,
	  .run = parse_run,
	  .summary =
		  "run by tests: whether the words behind gpuvm are a command line, doing nothing",
	  .more = "",
	  .hidden = true },
	{ .name = NULL },
};

const struct cli_command *cli_commands(void)
{
	return commands;
}

const struct cli_command *cli_command(const char *name)
{
	for (const struct cli_command *row = commands; row->name != NULL; row++)
		if (text_equal(row->name, name))
			return row;
	return NULL;
}

/* Documents are held to it. */
int parse_run(const struct cli *cli, struct fail *fail)
{
	char **words = mem_alloc(cli->arg_count + 2, sizeof *words);
	struct cli read = { 0 };
	int result;

	words[0] = (char *)"gpuvm";
	for (size_t i = 0; i < cli->arg_count; i++)
		words[i + 1] = cli->args[i];
	optind = 0;
	result = cli_parse((int)cli->arg_count + 1, words, &read, fail);
	free(words);
	return result;
}

static int run(const struct cli *cli, struct fail *fail)
{
	if (cli->version && cli->json) {
		out_json(json_pack("{s:s}", "version", GPUVM_VERSION));
		return 0;
	}
	if (cli->version) {
		out_line("gpuvm %s", GPUVM_VERSION);
		return 0;
	}
	if (cli->help || cli->command == NULL)
		return help_run(cli, fail);
	if (cli->command->says != NULL && !cli->json)
		out_progress_late(cli->command->says);
	return cli->command->run(cli, fail);
}

int main(int argc, char **argv)
{
	CLEANUP(fail) struct fail fail = { 0 };
	bool failure_is_told = false;
	struct cli cli = { .failure_is_told = &failure_is_told };

	if (cli_parse(argc, argv, &cli, &fail) == 0 && run(&cli, &fail) == 0 &&
	    (fflush(stdout) != 0 || ferror(stdout))) {
		fail_add(&fail, FAIL_FAIL, "the output could not be written");
		fail_cause(&fail, "standard output: %s", strerror(errno));
	}
	out_progress_end();
	if (fail.kind != FAIL_NONE)
		out_fail(&fail, cli.json && !failure_is_told);
	return fail_kind_row(fail.kind)->exit_code;
}
