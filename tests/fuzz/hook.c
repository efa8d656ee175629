// SPDX-License-Identifier: MIT
/* Fuzzes what libvirt's hook reads: a domain's XML, and the text that comes back through libvirt. */
#include "tests/fuzz/must.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hook.h"

/* Whatever is vetoed is one line that can be shown, and the same when it has been through libvirt. */
static void check_veto(const struct fail *fail)
{
	CLEANUP(text) char *line = hook_veto(fail);
	CLEANUP(text) char *printable = text_printable(line, 0);
	CLEANUP(text) char *text = text_format("exit status 1: gpuvm: %s\n", line);
	CLEANUP(fail) struct fail heard = { 0 };

	must(text_equal(line, printable), "a veto that cannot be shown");
	must(hook_read_veto(text, &heard), "a veto that is lost");
	must(heard.kind == fail->kind, "a veto that comes back as another");
}

/* A group of two functions, one claimed and held: a domain with any of them is vetoed, or incomplete. */
static int judge(const struct guest *guest, struct fail *fail)
{
	struct device devices[] = {
		{ .address = "0000:01:00.0", .iommu_group = 1, .driver = (char *)"nvidia" },
		{ .address = "0000:01:00.1", .iommu_group = 1, .driver = (char *)"snd_hda_intel" },
	};
	struct gpu_member members[] = { { &devices[0], GPU_MEMBER_FUNCTION },
					{ &devices[1], GPU_MEMBER_FUNCTION } };
	struct gpu gpu = { .device = devices, .members = members, .member_count = 2 };
	struct holder holder = { .address = "0000:01:00.0",
				 .who = (char *)"process 1 (x)",
				 .what = (char *)"has it open",
				 .remedy = (char *)"sudo kill 1" };
	const struct gpu_list gpus = { &gpu, 1 };
	const struct lease_records starts = { NULL, 0 };
	const struct holder_list holders = { &holder, 1, 0 };
	const struct record_list records = { NULL, 0 };
	const struct hook_view view = { &gpus, &starts, &holders, &records };

	return hook_judge(guest, &view, fail);
}

static bool names_one(const struct guest *guest)
{
	for (size_t i = 0; i < guest->hostdev_count; i++)
		if (text_starts(guest->hostdevs[i], "0000:01:00.") && guest->hostdevs[i][11] <= '1')
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	CLEANUP(text) char *text = mem_strndup((const char *)data, length);
	CLEANUP(guest) struct guest *guest = NULL;
	CLEANUP(fail) struct fail fail = { 0 };
	CLEANUP(fail) struct fail heard = { 0 };

	must(hook_read_veto(text, &heard) == (heard.item_count > 0), "half a veto");
	if (guest_parse(text, &guest, &fail) == 0) {
		must(guest->hostdev_count == 0 || guest_may_have_hostdevs(text),
		     "a hostdev that was overlooked");
		must((judge(guest, &fail) < 0) == names_one(guest),
		     "a GPU in use was given, or one not asked for refused");
	}
	if (fail.item_count > 0)
		check_veto(&fail);
	return 0;
}
