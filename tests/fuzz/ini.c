// SPDX-License-Identifier: MIT
/* Fuzzes the spec's parser. */
#include <string.h>

#include "tests/fuzz/messages.h"
#include "vmm/base/mem.h"
#include "vmm/ini.h"
#include "vmm/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	CLEANUP(text) char *text = mem_alloc(length + 1, 1);
	CLEANUP(fail) struct fail ini_fail = { 0 };
	CLEANUP(fail) struct fail spec_fail = { 0 };
	CLEANUP(ini) struct ini *ini = NULL;
	CLEANUP(spec) struct spec *spec = NULL;

	memcpy(text, data, length);
	messages_check(&ini_fail, ini_parse_text("a.ini", text, length, &ini, &ini_fail));
	messages_check(&spec_fail, spec_parse("a.ini", "/specs", text, &spec, &spec_fail));
	must((spec == NULL) == (spec_fail.item_count > 0), "a spec in spite of errors, or none");
	must(spec == NULL || (spec->gpu_count > 0 && spec->disk_count > 0 && spec->vcpus > 0 &&
			      spec_name_is_valid(spec->name) && spec->gpus[0].count > 0),
	     "a spec with holes");
	return 0;
}
