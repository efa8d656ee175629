/* SPDX-License-Identifier: MIT */
/* The hosts and GPUs that the tables of place's tests share. */
#ifndef GPUVM_TESTS_PLACE_HOSTS_H
#define GPUVM_TESTS_PLACE_HOSTS_H

#include "tests/unit/place_host.h"

#define GPUS(...) ((const struct place_gpu_request[]){ __VA_ARGS__ })
#define ANY(n)                                                                                     \
	{                                                                                          \
		.count = (n), .file = "train.ini", .line = 4, .label = "[gpu]"                     \
	}

/* Two sockets of 8 cores with 2 threads; CPUs 0-7,16-23 are node 0, 8-15,24-31 are node 1. */
__attribute__((unused)) static const struct shape server = { .nodes = 2,
							     .nodes_per_package = 1,
							     .cores = 8,
							     .threads = 2,
							     .l3_cores = 4,
							     .total_gib = 64,
							     .available_gib = 60 };

/* The same without SMT, and four nodes on two sockets. */
__attribute__((unused)) static const struct shape quarters = { .nodes = 4,
							       .nodes_per_package = 2,
							       .cores = 4,
							       .threads = 1,
							       .l3_cores = 4,
							       .total_gib = 32,
							       .available_gib = 30 };

__attribute__((unused)) static const struct shape desktop = { .nodes = 1,
							      .nodes_per_package = 1,
							      .cores = 8,
							      .threads = 2,
							      .l3_cores = 8,
							      .slow_cores = 4,
							      .total_gib = 64,
							      .available_gib = 50 };

__attribute__((unused)) static const struct shape huge = { .nodes = 2,
							   .nodes_per_package = 1,
							   .cores = 4,
							   .threads = 1,
							   .l3_cores = 4,
							   .total_gib = 64,
							   .available_gib = 20,
							   .pages_1g = 16,
							   .free_1g = 8,
							   .pages_2m = 8192,
							   .free_2m = 6144 };

/* Three GPUs on node 0, two on node 1. */
__attribute__((unused)) static const struct card five[] = {
	{ "0000:17:00.0", 0, 1, "H100", NULL }, { "0000:18:00.0", 0, 2, "H100", NULL },
	{ "0000:19:00.0", 0, 3, "T4", NULL },   { "0000:97:00.0", 1, 4, "H100", NULL },
	{ "0000:98:00.0", 1, 5, "T4", NULL },   { .address = NULL }
};

/* One on each of four nodes, and two on the last. */
__attribute__((unused)) static const struct card spread[] = {
	{ "0000:10:00.0", 0, 1, "H100", NULL }, { "0000:20:00.0", 1, 2, "H100", NULL },
	{ "0000:30:00.0", 2, 3, "H100", NULL }, { "0000:40:00.0", 3, 4, "H100", NULL },
	{ "0000:41:00.0", 3, 5, "H100", NULL }, { .address = NULL }
};

/* A dual card whose GPUs share a group, a single one, and one whose node is not known. */
__attribute__((
	unused)) static const struct card grouped[] = { { "0000:17:00.0", 0, 1, "H100", NULL },
							{ "0000:18:00.0", 0, 1, "H100", NULL },
							{ "0000:19:00.0", 0, 2, "H100", NULL },
							{ "0000:19:00.1", 0, 2, "Audio", NULL },
							{ .address = NULL } };

__attribute__((unused)) static const struct card nowhere[] = {
	{ "0000:17:00.0", -1, 1, "H100", NULL }, { .address = NULL }
};

__attribute__((unused)) static const struct card lone[] = {
	{ "0000:01:00.0", -1, 1, "H100", "nvidia" }, { .address = NULL }
};

/* The node of one is known, of the other not. */
__attribute__((
	unused)) static const struct card half_known[] = { { "0000:17:00.0", -1, 1, "H100", NULL },
							   { "0000:97:00.0", 1, 4, "H100", NULL },
							   { .address = NULL } };

#endif
