// SPDX-License-Identifier: MIT
#include "topo/health.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

#define DEVICES "/sys/bus/pci/devices"

static const struct {
	const char *file, *total;
} counts[] = {
	[HEALTH_FATAL] = { "aer_dev_fatal", "TOTAL_ERR_FATAL " },
	[HEALTH_NONFATAL] = { "aer_dev_nonfatal", "TOTAL_ERR_NONFATAL " },
	[HEALTH_CORRECTABLE] = { "aer_dev_correctable", "TOTAL_ERR_COR " },
};

/* The last of the file's lines is the total. */
static int64_t read_total(const struct root *root, const char *address, enum health_errors errors)
{
	CLEANUP(text)
	char *text = root_text(root, DEVICES "/%s/%s", address, counts[errors].file);
	char *total = text == NULL ? NULL : strstr(text, counts[errors].total);
	unsigned long long number;

	if (total == NULL)
		return -1;
	total += strlen(counts[errors].total);
	total[strcspn(total, "\n")] = '\0';
	return text_number(total, &number) && number <= INT64_MAX ? (int64_t)number : -1;
}

struct health *health_read(const struct root *root, const char *address)
{
	struct health *health = mem_alloc(1, sizeof *health);
	CLEANUP(text) char *power_state = root_text(root, DEVICES "/%s/power_state", address);

	if (power_state != NULL)
		health->power_state = text_printable(power_state, 16);
	for (int i = 0; i < HEALTH_ERRORS; i++)
		health->errors[i] = read_total(root, address, (enum health_errors)i);
	return health;
}

void health_free(struct health *health)
{
	if (health == NULL)
		return;
	free(health->power_state);
	free(health);
}

const char *health_errors_file(enum health_errors errors)
{
	return counts[errors].file;
}

char *health_path(const char *address, const char *file)
{
	return text_format(DEVICES "/%s/%s", address, file);
}
