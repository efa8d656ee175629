/* SPDX-License-Identifier: MIT */
/* The table of placements that tests/unit/place.c checks. */
#ifndef GPUVM_TESTS_PLACE_EXAMPLES_H
#define GPUVM_TESTS_PLACE_EXAMPLES_H

#include "tests/unit/place_host.h"

#define GPUS(...) ((const struct place_gpu_request[]){ __VA_ARGS__ })
#define ANY(n)                                                                                     \
	{                                                                                          \
		.count = (n), .file = "train.ini", .line = 4, .label = "[gpu]"                     \
	}

/* Two sockets of 8 cores with 2 threads; CPUs 0-7,16-23 are node 0, 8-15,24-31 are node 1. */
static const struct shape server = { .nodes = 2,
				     .nodes_per_package = 1,
				     .cores = 8,
				     .threads = 2,
				     .l3_cores = 4,
				     .total_gib = 64,
				     .available_gib = 60 };

/* The same without SMT, and four nodes on two sockets. */
static const struct shape quarters = { .nodes = 4,
				       .nodes_per_package = 2,
				       .cores = 4,
				       .threads = 1,
				       .l3_cores = 4,
				       .total_gib = 32,
				       .available_gib = 30 };

static const struct shape desktop = { .nodes = 1,
				      .nodes_per_package = 1,
				      .cores = 8,
				      .threads = 2,
				      .l3_cores = 8,
				      .slow_cores = 4,
				      .total_gib = 64,
				      .available_gib = 50 };

static const struct shape huge = { .nodes = 2,
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
static const struct card five[] = {
	{ "0000:17:00.0", 0, 1, "H100", NULL }, { "0000:18:00.0", 0, 2, "H100", NULL },
	{ "0000:19:00.0", 0, 3, "T4", NULL },   { "0000:97:00.0", 1, 4, "H100", NULL },
	{ "0000:98:00.0", 1, 5, "T4", NULL },   { .address = NULL }
};

/* One on each of four nodes, and two on the last. */
static const struct card spread[] = {
	{ "0000:10:00.0", 0, 1, "H100", NULL }, { "0000:20:00.0", 1, 2, "H100", NULL },
	{ "0000:30:00.0", 2, 3, "H100", NULL }, { "0000:40:00.0", 3, 4, "H100", NULL },
	{ "0000:41:00.0", 3, 5, "H100", NULL }, { .address = NULL }
};

/* A dual card whose GPUs share a group, a single one, and one whose node is not known. */
static const struct card grouped[] = { { "0000:17:00.0", 0, 1, "H100", NULL },
				       { "0000:18:00.0", 0, 1, "H100", NULL },
				       { "0000:19:00.0", 0, 2, "H100", NULL },
				       { "0000:19:00.1", 0, 2, "Audio", NULL },
				       { .address = NULL } };

static const struct card nowhere[] = { { "0000:17:00.0", -1, 1, "H100", NULL },
				       { .address = NULL } };

static const struct card lone[] = { { "0000:01:00.0", -1, 1, "H100", "nvidia" },
				    { .address = NULL } };

struct example {
	const char *about;
	const struct shape *shape;
	const struct card *cards;
	unsigned vcpus, gib;
	enum place_policy policy;
	enum place_hugepages hugepages;
	const struct place_gpu_request *gpus;
	size_t gpu_count;
	struct has has;
	const char *expected;
	const char *reason; /* one of them, or NULL */
};

static const struct example examples[] = {
	{ .about = "best fit: node 1 keeps fewer GPUs",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "97:00.0>0 | 1: cpus 9,25,10,26, 8 GiB | x2 host 8,24",
	  .reason =
		  "node 1 fits best: 1 free GPU stays behind there; on node 0 it would be 2, a larger set "
		  "better kept whole" },
	{ .about = "equal fit: more free CPUs decide",
	  .shape = &quarters,
	  .cards = spread,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "1", "VM \"a\"" }, { "9", "VM \"b\"" } } },
	  .expected = "20:00.0>0 | 1: cpus 5,6, 8 GiB | x1 host 4" },
	{ .about = "all the same: the lowest number",
	  .shape = &quarters,
	  .cards = spread,
	  .vcpus = 3,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "10:00.0>0 | 0: cpus 1,2,3, 8 GiB | x1 host 0" },
	{ .about = "the best node is short of CPUs: the other",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 12,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "9-12,25-28", "VM \"a\"" } } },
	  .expected = "17:00.0>0 | 0: cpus 1,17,2,18,3,19,4,20,5,21,6,22, 8 GiB | x2 host 0,16",
	  .reason = "node 0 is the only one with the GPUs and room for 12 vCPUs and 8 GiB" },
	{ .about = "the best node is short of memory: the other",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 40,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .has = { .memory = { { 1, 0, 20 * SIZE_GIB, "VM \"a\"" } } },
	  .expected = "17:00.0>0 | 0: cpus 1,17, 40 GiB | x2 host 0,16" },
	{ .about = "two requests that overlap: each is met",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS(ANY(1), { .count = 1, .match = "H100" }),
	  .gpu_count = 2,
	  .has = { .gpus = { { "0000:17:00.0", "VM \"a\"" }, { "0000:18:00.0", "VM \"b\"" } } },
	  .expected = "98:00.0>0 97:00.0>0(1) | 1: cpus 9,25, 8 GiB | x2 host 8,24" },
	{ .about = "an address insists, words take the rest near it",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS({ .count = 1, .match = "any", .label = "[gpu]" },
		       { .count = 1,
			 .addresses = NAMED("0000:18:00.0"),
			 .address_count = 1,
			 .label = "[gpu:x]" }),
	  .gpu_count = 2,
	  .expected = "17:00.0>0 18:00.0>0(1) | 0: cpus 1,17, 8 GiB | x2 host 0,16",
	  .reason = "[gpu:x] gets 0000:18:00.0, which the spec names" },
	{ .about = "no node has four: two cells in proportion",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 8,
	  .gib = 16,
	  .gpus = GPUS(ANY(4)),
	  .gpu_count = 1,
	  .expected = "17:00.0>0 18:00.0>0 19:00.0>0 97:00.0>1 | 0: cpus 1,17,2,18,3,19, 12 GiB "
		      "| 1: cpus 9,25, 4 GiB | x2 host 0,8,16,24",
	  .reason =
		  "no single node has all 4 GPUs free with room for the rest of the VM, so they come "
		  "from nodes 0 and 1 (3 on node 0, 1 on node 1), one guest cell for each" },
	{ .about = "the remainder goes to the lowest cell; a core broken into ends SMT",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 7,
	  .gib = 14,
	  .gpus = GPUS(ANY(2)),
	  .gpu_count = 1,
	  .has = { .gpus = { { "0000:17:00.0", "x" },
			     { "0000:18:00.0", "x" },
			     { "0000:97:00.0", "x" } } },
	  .expected = "19:00.0>0 98:00.0>1 | 0: cpus 1,17,2,18, 7 GiB | 1: cpus 9,25,10, 7 GiB "
		      "| x1 host 0,8,16,24",
	  .reason =
		  "the guest sees one thread per core: 1 of the 4 cores used are not used whole" },
	{ .about = "not in proportion, but still on the GPUs' nodes",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 16,
	  .gib = 16,
	  .gpus = GPUS(ANY(5)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "1-5,17-21", "VM \"a\"" } } },
	  .expected = "17:00.0>0 18:00.0>0 19:00.0>0 97:00.0>1 98:00.0>1 "
		      "| 0: cpus 6,22,7,23, 10 GiB "
		      "| 1: cpus 9,25,10,26,11,27,12,28,13,29,14,30, 6 GiB | x2 host 0,8,16,24" },
	{ .about = "over nodes of one package rather than two",
	  .shape = &quarters,
	  .cards = spread,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(2)),
	  .gpu_count = 1,
	  .has = { .gpus = { { "0000:41:00.0", "x" }, { "0000:10:00.0", "x" } } },
	  .expected =
		  "30:00.0>0 40:00.0>1 | 2: cpus 9,10, 4 GiB | 3: cpus 13,14, 4 GiB | x1 host 8,12",
	  .reason =
		  "of 3 such sets nodes 2 and 3 fit best: 0 free GPUs stay behind there; nodes 1 and 2 "
		  "would do too, but farther apart (distances sum to 42, not 24)" },
	{ .about = "socket: the package's other node helps out",
	  .shape = &quarters,
	  .cards = spread,
	  .vcpus = 5,
	  .gib = 10,
	  .policy = PLACE_SOCKET,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "10:00.0>0 | 0: cpus 1,2,3, 6 GiB | 1: cpus 5,6, 4 GiB | x1 host 0,4",
	  .reason =
		  "lost under policy = socket: 2 vCPUs and 4 GiB are on node 1, at distance 12 from "
		  "the GPUs' node 0, where only 3 CPUs and 29 GiB were free; their way to the GPU "
		  "crosses nodes" },
	{ .about = "socket: near enough if the own node has no CPU at all",
	  .shape = &quarters,
	  .cards = spread,
	  .vcpus = 2,
	  .gib = 10,
	  .policy = PLACE_SOCKET,
	  .gpus = GPUS({ .count = 1,
			 .addresses = NAMED("0000:30:00.0"),
			 .address_count = 1,
			 .label = "[gpu]" }),
	  .gpu_count = 1,
	  .has = { .cpus = { { "8-11", "VM \"a\"" } } },
	  .expected = "30:00.0>-1 | 3: cpus 13,14, 10 GiB | x1 host 12" },
	{ .about = "preferred: anywhere, the nearest first",
	  .shape = &quarters,
	  .cards = spread,
	  .vcpus = 8,
	  .gib = 10,
	  .policy = PLACE_PREFERRED,
	  .gpus = GPUS({ .count = 1,
			 .addresses = NAMED("0000:30:00.0"),
			 .address_count = 1,
			 .label = "[gpu]" }),
	  .gpu_count = 1,
	  .expected = "30:00.0>1 | 0: cpus 1,2, 2 GiB | 2: cpus 9,10,11, 4 GiB | 3: cpus 13,14,15, "
		      "4 GiB | x1 host 0,8,12" },
	{ .about = "preferred: memory elsewhere takes one vCPU along",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 4,
	  .gib = 70,
	  .policy = PLACE_PREFERRED,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected =
		  "97:00.0>1 | 0: cpus 1, 17 GiB | 1: cpus 9,25,10, 53 GiB | x1 host 0,8,16,24" },
	{ .about = "preferred: an unknown node is no reason to refuse",
	  .shape = &server,
	  .cards = nowhere,
	  .vcpus = 2,
	  .gib = 8,
	  .policy = PLACE_PREFERRED,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "1", "VM \"a\"" } } },
	  .expected = "17:00.0>-1 | 1: cpus 9,25, 8 GiB | x2 host 8,24",
	  .reason =
		  "the firmware does not say which node 0000:17:00.0 is near, so its transfers may "
		  "have to cross nodes; CPUs and memory come from where most CPUs are free" },
	{ .about = "an unknown node of a one-node host is that node",
	  .shape = &desktop,
	  .cards = lone,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "01:00.0>0 | 0: cpus 1,9,2,10, 8 GiB | x2 host 0,8",
	  .reason = "all vCPUs run on the fastest kind of core" },
	{ .about = "one kind of core: more than the fast ones have, none mixed if it can be",
	  .shape = &desktop,
	  .cards = lone,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "1-2,9-10", "VM \"a\"" } } },
	  .expected = "01:00.0>0 | 0: cpus 4,5,6,7, 8 GiB | x1 host 0,8" },
	{ .about = "kinds mixed when neither has room",
	  .shape = &desktop,
	  .cards = lone,
	  .vcpus = 8,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "01:00.0>0 | 0: cpus 1,9,2,10,3,11,4,5, 8 GiB | x1 host 0,8",
	  .reason =
		  "no one kind of core has room for 8 vCPUs, so they run on fast and slow ones mixed" },
	{ .about = "an L3 domain with room for all, the tighter one",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 6,
	  .gib = 8,
	  .gpus = GPUS({ .count = 1,
			 .addresses = NAMED("0000:17:00.0"),
			 .address_count = 1,
			 .label = "[gpu]" }),
	  .gpu_count = 1,
	  .has = { .cpus = { { "1,17", "VM \"a\"" } } },
	  .expected = "17:00.0>0 | 0: cpus 4,20,5,21,6,22, 8 GiB | x2 host 0,16",
	  .reason = "6 vCPUs on CPUs 4-6,20-22 of node 0: 3 whole cores in 1 L3 domain, of 12 free "
		    "CPUs; 0,16 are kept for the host, QEMU and its I/O" },
	{ .about = "whole cores first, single threads last",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 13,
	  .gib = 8,
	  .gpus = GPUS(ANY(3)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "17", "VM \"a\"" } } },
	  .expected =
		  "17:00.0>0 18:00.0>0 19:00.0>0 | 0: cpus 2,18,3,19,4,20,5,21,6,22,7,23,1, 8 GiB "
		  "| x1 host 0,16" },
	{ .about = "a dual card goes to a request for two",
	  .shape = &server,
	  .cards = grouped,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS(ANY(2)),
	  .gpu_count = 1,
	  .expected = "17:00.0>0 18:00.0>0 | 0: cpus 1,17, 8 GiB | x2 host 0,16" },
	{ .about = "a request for one leaves the dual card alone",
	  .shape = &server,
	  .cards = grouped,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "19:00.0>0 | 0: cpus 1,17, 8 GiB | x2 host 0,16" },
	{ .about = "a dual card over two requests",
	  .shape = &server,
	  .cards = grouped,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS({ .count = 1,
			 .addresses = NAMED("0000:18:00.0"),
			 .address_count = 1,
			 .label = "[gpu]" },
		       { .count = 1, .match = "H100", .label = "[gpu:b]" }),
	  .gpu_count = 2,
	  .expected = "18:00.0>0 17:00.0>0(1) | 0: cpus 1,17, 8 GiB | x2 host 0,16" },
	{ .about = "1 GiB pages if they are free",
	  .shape = &huge,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "97:00.0>0 | 1: cpus 5,6, 8 GiB in 1 GiB | x1 host 4",
	  .reason = "8 GiB of node 1 in 1 GiB pages: 8 of 8 free ones" },
	{ .about = "else 2 MiB pages",
	  .shape = &huge,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 12,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "97:00.0>0 | 1: cpus 5,6, 12 GiB in 2 MiB | x1 host 4",
	  .reason = "12 GiB of node 1 in 2 MiB pages: 6144 of 6144 free ones; of 12 pages of 1 GiB "
		    "needed 8 are free" },
	{ .about = "else normal ones",
	  .shape = &huge,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 19,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "97:00.0>0 | 1: cpus 5,6, 19 GiB | x1 host 4",
	  .reason =
		  "19 GiB of node 1 in normal pages: 20 GiB are available, 1 GiB of that stays free; "
		  "of 19 pages of 1 GiB needed 8 are free, of 9728 pages of 2 MiB needed 6144 are free" },
	{ .about = "a start under way has promised itself the 1 GiB pages",
	  .shape = &huge,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .has = { .memory = { { 1, SIZE_GIB, SIZE_GIB, "VM \"a\"" } } },
	  .expected = "97:00.0>0 | 1: cpus 5,6, 8 GiB in 2 MiB | x1 host 4" },
	{ .about = "hugepages = no",
	  .shape = &huge,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 8,
	  .hugepages = PLACE_PAGES_NO,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "97:00.0>0 | 1: cpus 5,6, 8 GiB | x1 host 4" },
	{ .about = "a fixed size",
	  .shape = &huge,
	  .cards = five,
	  .vcpus = 2,
	  .gib = 8,
	  .hugepages = PLACE_PAGES_2_MIB,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "97:00.0>0 | 1: cpus 5,6, 8 GiB in 2 MiB | x1 host 4" },
	{ .about = "a fixed size over two nodes, in whole pages",
	  .shape = &huge,
	  .cards = five,
	  .vcpus = 5,
	  .gib = 9,
	  .hugepages = PLACE_PAGES_1_GIB,
	  .gpus = GPUS(ANY(5)),
	  .gpu_count = 1,
	  .expected =
		  "17:00.0>0 18:00.0>0 19:00.0>0 97:00.0>1 98:00.0>1 "
		  "| 0: cpus 1,2,3, 6 GiB in 1 GiB | 1: cpus 5,6, 3 GiB in 1 GiB | x1 host 0,4" },
};

#endif
