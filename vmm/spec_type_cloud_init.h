/* SPDX-License-Identifier: MIT */
/* The types of values that only [cloud-init] has. Words alone: no file is looked at. */
#ifndef GPUVM_VMM_SPEC_TYPE_CLOUD_INIT_H
#define GPUVM_VMM_SPEC_TYPE_CLOUD_INIT_H

#include <stdbool.h>

#include "vmm/keys.h"

extern const struct keys_type spec_type_login;    /* spec_login_is_valid() */
extern const struct keys_type spec_type_ssh_key;  /* of a struct spec: auto | none | FILE */
extern const struct keys_type spec_type_hostname; /* RFC 1123, 2.1, and no IP address */
extern const struct keys_type spec_type_packages; /* of a struct spec: Debian policy 5.6.7 */

/* Whether @name is one that an account in the guest can have (Debian's adduser.conf(5), NAME_REGEX; useradd(8)), and
 * none that cloud-init takes for another. */
bool spec_login_is_valid(const char *name);

#endif
