/* SPDX-License-Identifier: MIT */
/*
 * What the user wants: one VM, as the INI file says it. The key table is the only place that knows the
 * keys; the parser, help, README and tests read it.
 */
#ifndef GPUVM_VMM_SPEC_H
#define GPUVM_VMM_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/place.h"
#include "vmm/base/cleanup.h"
#include "vmm/base/fail.h"

enum spec_type {
	SPEC_NAME,      /* a-z 0-9 . _ -, starts with a letter or digit, up to 63 */
	SPEC_COUNT,     /* whole number */
	SPEC_SIZE,      /* bytes, unit required */
	SPEC_BOOLEAN,   /* yes | no */
	SPEC_CHOICE,    /* one of choices */
	SPEC_MATCH,     /* see gpu_match_is_valid */
	SPEC_ADDRESSES, /* PCI addresses, comma separated */
	SPEC_PATH,      /* a file; relative ones are below the spec's folder */
	SPEC_FIRMWARE,  /* auto | CODE.fd, VARS.fd */
	SPEC_NETWORK,   /* NAME | bridge:NAME | none */
};

/* "whole number" and so on, for tables that people read. */
const char *spec_type_name(enum spec_type type);

/* The struct that a section fills. */
enum spec_target {
	SPEC_TARGET_SPEC,
	SPEC_TARGET_GPU,
	SPEC_TARGET_DISK,
};

struct spec_section_row {
	const char *name;
	enum spec_target target;
	bool repeatable; /* [gpu:second] adds another */
	bool required;
	const char *doc;
};

struct spec_key_row {
	const char *section, *key;
	enum spec_type type;
	const char *unit;     /* "bytes", or NULL */
	uint64_t min, max;    /* of SPEC_COUNT and SPEC_SIZE */
	uint64_t step;        /* SPEC_SIZE must be a multiple of it; 0: any */
	const char *fallback; /* default as the user would write it; NULL: none */
	bool required;
	const char *const *choices; /* of SPEC_CHOICE, NULL-terminated */
	size_t offset;              /* of the field in its struct; of the first, if there are two */
	size_t line_offset;         /* of the field for its line; 0: none */
	const char *example;
	const char *doc; /* one line */
};

/* The tables, ended by a row without name or key. Static. */
const struct spec_section_row *spec_sections(void);
const struct spec_key_row *spec_keys(void);

enum spec_network {
	SPEC_NETWORK_LIBVIRT, /* source names a libvirt network */
	SPEC_NETWORK_BRIDGE,  /* source names a host bridge */
	SPEC_NETWORK_NONE,
};

/* Lines are 1..; 0: the key is not written and its default counts. Texts are owned. */
struct spec_gpu {
	char *label;   /* "[gpu]", "[gpu:second]" */
	unsigned line; /* of its count or address key, else of the section */
	unsigned count;
	char *match;      /* NULL: not written */
	char **addresses; /* canonical */
	size_t address_count;
};

enum spec_disk_format {
	SPEC_DISK_AUTO, /* by the file's name: .qcow2 is qcow2, all else raw; never by content */
	SPEC_DISK_RAW,
	SPEC_DISK_QCOW2,
};

struct spec_disk {
	char *label; /* "[disk]", "[disk:data]" */
	unsigned line;
	char *image; /* absolute */
	enum spec_disk_format format;
};

struct spec {
	char *file;      /* as the user named it */
	char *directory; /* absolute; relative paths are below it */
	char *text;      /* the whole file, for the domain's metadata */

	char *name;
	unsigned vcpus;
	uint64_t memory_bytes;
	bool autostart;

	struct spec_gpu *gpus; /* at least one */
	size_t gpu_count;

	enum place_policy policy;
	enum place_hugepages hugepages;

	char *firmware_code, *firmware_vars; /* both NULL: auto */
	bool secure_boot;

	struct spec_disk *disks; /* at least one */
	size_t disk_count;

	enum spec_network network;
	char *network_source; /* NULL for SPEC_NETWORK_NONE */

	unsigned vcpus_line, memory_line, policy_line, hugepages_line, firmware_line, network_line;
};

/*
 * Reads and checks the spec at @path; all errors in one run, sorted by line: FAIL_SPEC. Looks at nothing
 * but the file itself. Release with spec_free().
 */
int spec_read(const char *path, struct spec **ret_spec, struct fail *fail);

/* The same for a text kept earlier; @directory is where relative paths start. */
int spec_parse(const char *file, const char *directory, const char *text, struct spec **ret_spec,
	       struct fail *fail);
void spec_free(struct spec *spec);
CLEANUP_DEFINE(spec, struct spec, spec_free)

/* Whether @name is one a VM may have (type SPEC_NAME). */
bool spec_name_is_valid(const char *name);

#endif
