// SPDX-License-Identifier: MIT
/*
 * Fuzzes the spec's parser. With clang, -fsanitize=fuzzer -DGPUVM_LIBFUZZER; else it is a program of its
 * own: fuzz-ini SECONDS SEED... (mutate.h).
 */
#include <string.h>

#include "tests/fuzz/mutate.h"
#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/ini.h"
#include "vmm/spec.h"

static const char *const words[] = {
	"\n[gpu:b]\n",  "\n[",          "]",  " ;",   "=",         "\n",       "\r\n",
	"\xef\xbf\xbe", "\xc2\x85",     ":",  "/../", "17:00.0, ", "99999999", " GiB\n",
	" #",           "\naddress = ", NULL,
};

static void check_text(const char *text)
{
	CLEANUP(text) char *printable = text == NULL ? NULL : text_printable(text, 0);

	if (!text_equal(text, printable))
		mutate_must(0, printable);
}

/* Every refusal is a message that can be shown, in the order of the lines; or there is none. */
static void check_fail(const struct fail *fail, int result)
{
	mutate_must((result < 0) == (fail->item_count > 0), "the result and the messages differ");
	for (size_t i = 0; i < fail->item_count; i++) {
		mutate_must(i == 0 || fail->items[i - 1].line <= fail->items[i].line, "unsorted");
		mutate_must(fail->items[i].file != NULL, "a message without a file");
		check_text(fail->items[i].what);
		check_text(fail->items[i].cause);
		check_text(fail->items[i].hint);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	CLEANUP(text) char *text = mem_alloc(length + 1, 1);
	CLEANUP(fail) struct fail ini_fail = { 0 };
	CLEANUP(fail) struct fail spec_fail = { 0 };
	CLEANUP(ini) struct ini *ini = NULL;
	CLEANUP(spec) struct spec *spec = NULL;

	memcpy(text, data, length);
	check_fail(&ini_fail, ini_parse_text("a.ini", text, length, &ini, &ini_fail));
	check_fail(&spec_fail, spec_parse("a.ini", "/specs", text, &spec, &spec_fail));
	mutate_must((spec == NULL) == (spec_fail.item_count > 0),
		    "a spec in spite of errors, or none");
	mutate_must(spec == NULL ||
			    (spec->gpu_count > 0 && spec->disk_count > 0 && spec->vcpus > 0 &&
			     spec_name_is_valid(spec->name) && spec->gpus[0].count > 0),
		    "a spec with holes");
	return 0;
}

MUTATE_MAIN(words)
