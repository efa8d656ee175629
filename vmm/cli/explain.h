/* SPDX-License-Identifier: MIT */
/* For help: the messages that gpuvm explain knows. */
#ifndef GPUVM_CLI_EXPLAIN_H
#define GPUVM_CLI_EXPLAIN_H

#include <jansson.h>

json_t *explain_messages_json(void); /* new array */
void explain_messages_print(void);

#endif
