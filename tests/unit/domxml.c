// SPDX-License-Identifier: MIT
#include "vmm/domxml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/parser.h>

#include "tests/unit/samples.h"
#include "vmm/base/text.h"

static char *golden_path(const char *name)
{
	const char *source = getenv("GPUVM_SOURCE");

	assert_non_null(source);
	return text_format("%s/tests/xml/%s.xml", source, name);
}

static char *read_all(const char *path)
{
	CLEANUP(file) FILE *file = fopen(path, "r");
	char *text = mem_alloc(1 << 16, 1);

	if (file != NULL)
		text[fread(text, 1, (1 << 16) - 1, file)] = '\0';
	return text;
}

/* tests/xml/: GPUVM_UPDATE=1 rewrites them, and the difference is reviewed. */
static void every_sample_is_its_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		CLEANUP(sample) struct sample *sample = samples[i]();
		CLEANUP(text) char *xml = domxml_format(sample_build(sample));
		CLEANUP(text) char *path = golden_path(sample->name);
		CLEANUP(text) char *expected = NULL;

		if (getenv("GPUVM_UPDATE") != NULL) {
			CLEANUP(file) FILE *file = fopen(path, "w");

			assert_non_null(file);
			assert_int_not_equal(fputs(xml, file), EOF);
			continue;
		}
		expected = read_all(path);
		if (!text_equal(xml, expected))
			print_error("%s: %s\n%s", path, sample->about, xml);
		assert_true(text_equal(xml, expected));
	}
}

/* Bytes that XML cannot hold come from file names and user names only; the document stays one. */
static void any_bytes_make_a_document(void **state)
{
	static const char *const nasty[] = {
		"\xff\xfe",
		"\x01\x1f",
		"a\xef\xbf\xbe"
		"b\xef\xbf\xbf",
		"]]>",
		"&#0;",
		"\xed\xa0\x80",
		"%s%n",
		"<!--",
		"\r\n",
		"\x7f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
		CLEANUP(sample) struct sample *sample = sample_two_sockets();
		CLEANUP(text) char *xml = NULL;
		xmlDocPtr document;

		sample->spec.file = sample->spec.directory = sample->spec.text = (char *)nasty[i];
		sample->identity.user = nasty[i];
		sample_disk(sample, nasty[i], false);
		xml = domxml_format(sample_build(sample));
		document = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
		assert_non_null(document);
		xmlFreeDoc(document);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_is_its_golden),
		cmocka_unit_test(any_bytes_make_a_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
