/* SPDX-License-Identifier: MIT */
/* For unit tests: host snapshots, from tests/hosts or written in the test, unpacked in the build directory. */
#ifndef GPUVM_TESTS_HOSTS_H
#define GPUVM_TESTS_HOSTS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"
#include "vmm/base/root.h"
#include "vmm/base/text.h"

static inline struct root *hosts_unpack(const char *file, const char *name)
{
	CLEANUP(text)
	char *dir = text_format("%s/hosts/%s/%s", getenv("GPUVM_BUILD"),
				program_invocation_short_name, name);
	CLEANUP(text)
	char *command = text_format("'%s/tests/hosts/unpack' '%s' '%s'", getenv("GPUVM_SOURCE"),
				    file, dir);
	struct root *root = NULL;
	struct fail fail = { 0 };

	assert_int_equal(system(command), 0);
	assert_int_equal(root_open(dir, &root, &fail), 0);
	return root;
}

/* The host tests/hosts/NAME.host. */
static inline struct root *hosts_open(const char *name)
{
	CLEANUP(text)
	char *file = text_format("%s/tests/hosts/%s.host", getenv("GPUVM_SOURCE"), name);

	return hosts_unpack(file, name);
}

/* Puts @driver ("": none) on the function @address of the host in @directory. */
static inline void hosts_bind(const char *directory, const char *address, const char *driver)
{
	CLEANUP(text)
	char *path = text_format("%s/sys/bus/pci/devices/%s/driver", directory, address);
	CLEANUP(text) char *target = text_format("../../../../bus/pci/drivers/%s", driver);

	(void)unlink(path);
	if (*driver != '\0')
		assert_int_equal(symlink(target, path), 0);
}

/* A host of these @lines, in the format of tests/hosts/unpack. */
static inline struct root *hosts_write(const char *name, const char *lines)
{
	CLEANUP(text)
	char *file = text_format("%s/hosts-%s-%s.host", getenv("GPUVM_BUILD"),
				 program_invocation_short_name, name);
	FILE *out = fopen(file, "w");
	struct root *root;

	assert_non_null(out);
	fputs(lines, out);
	fclose(out);
	root = hosts_unpack(file, name);
	unlink(file);
	return root;
}

#endif
