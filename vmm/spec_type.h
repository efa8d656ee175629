/* SPDX-License-Identifier: MIT */
/*
 * The types of values that only a spec has. What names something of the host (PCI addresses, files,
 * networks) is read as words, never looked up.
 */
#ifndef GPUVM_VMM_SPEC_TYPE_H
#define GPUVM_VMM_SPEC_TYPE_H

#include "vmm/keys.h"

struct keys_value; /* keys_value.h */

/* The absolute path of the file that @path, of @value, means; relative ones are below the spec's folder. NULL with
 * @fail filled if it means none. The caller frees. */
char *spec_type_absolute(const struct keys_value *value, const char *path, struct fail *fail);

extern const struct keys_type spec_type_name;      /* spec_name_is_valid() */
extern const struct keys_type spec_type_match;     /* gpu_match_is_valid() */
extern const struct keys_type spec_type_addresses; /* of a struct spec_gpu: comma separated */
extern const struct keys_type
	spec_type_path; /* a file; relative ones are below the spec's folder */
extern const struct keys_type spec_type_folder;   /* the same for a folder */
extern const struct keys_type spec_type_tag;      /* of virtiofs: share.h */
extern const struct keys_type spec_type_firmware; /* of a struct spec: auto | CODE.fd, VARS.fd */
extern const struct keys_type spec_type_pool;     /* the name of a storage pool */
extern const struct keys_type spec_type_network;  /* of a struct spec: NAME | bridge:NAME | none */

#endif
