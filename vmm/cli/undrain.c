// SPDX-License-Identifier: MIT
#include "vmm/cli/cli.h"
#include "vmm/cli/kept.h"

int undrain_run(const struct cli *cli, struct fail *fail)
{
	return kept_run(cli, keep_undrain, fail);
}
