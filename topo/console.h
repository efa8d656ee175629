/* SPDX-License-Identifier: MIT */
/*
 * Which function the firmware left its framebuffer on, and with it the host's screen until a driver takes
 * over.
 */
#ifndef GPUVM_TOPO_CONSOLE_H
#define GPUVM_TOPO_CONSOLE_H

#include "topo/device.h"
#include "vmm/base/root.h"

/*
 * Fills device.firmware_framebuffer in @list. Cannot fail. Source: /proc/iomem, by nesting below the line of
 * the function: its addresses are zero for all but root.
 */
void console_read(const struct root *root, struct device_list *list);

#endif
