/* SPDX-License-Identifier: MIT */
/* More rows for place_examples.h: PCIe distance, whole cores, L3 domains, p2p. */
#ifndef GPUVM_TESTS_PLACE_EXAMPLES_MORE_H
#define GPUVM_TESTS_PLACE_EXAMPLES_MORE_H

#include "tests/unit/place_examples.h"

/* Eight GPUs on two nodes, two behind each of two switches per node. */
static const struct card pairs[] = { { "0000:11:00.0", 0, 1, "H100", NULL },
				     { "0000:12:00.0", 0, 2, "H100", NULL },
				     { "0000:21:00.0", 0, 3, "H100", NULL },
				     { "0000:22:00.0", 0, 4, "H100", NULL },
				     { "0000:91:00.0", 1, 5, "H100", NULL },
				     { "0000:92:00.0", 1, 6, "H100", NULL },
				     { "0000:a1:00.0", 1, 7, "H100", NULL },
				     { "0000:a2:00.0", 1, 8, "H100", NULL },
				     { .address = NULL } };
static const char *const pair_paths[] = {
	"0f:00.0/10:00.0/10:01.0/11:00.0", "0f:00.0/10:00.0/10:02.0/12:00.0",
	"1f:00.0/20:00.0/20:01.0/21:00.0", "1f:00.0/20:00.0/20:02.0/22:00.0",
	"8f:00.0/90:00.0/90:01.0/91:00.0", "8f:00.0/90:00.0/90:02.0/92:00.0",
	"9f:00.0/a0:00.0/a0:01.0/a1:00.0", "9f:00.0/a0:00.0/a0:02.0/a2:00.0"
};

/* Three GPUs of one root complex, each behind its own port, and two behind a switch of another. */
static const struct card roots[] = {
	{ "0000:11:00.0", 0, 1, "H100", NULL }, { "0000:12:00.0", 0, 2, "H100", NULL },
	{ "0000:13:00.0", 0, 3, "H100", NULL }, { "0000:31:00.0", 0, 4, "H100", NULL },
	{ "0000:32:00.0", 0, 5, "H100", NULL }, { .address = NULL }
};
static const char *const root_paths[] = { "10:01.0/11:00.0", "10:02.0/12:00.0", "10:03.0/13:00.0",
					  "30:01.0/30:02.0/31:00.0", "30:01.0/30:03.0/32:00.0" };

/* A node of two L3 domains of 4 cores, 2 threads each. */
#define BOTH(a, b)                                                                                 \
	{                                                                                          \
		.count = 2, .addresses = NAMED(a, b), .address_count = 2, .label = "[gpu]"         \
	}

static const struct example more_examples[] = {
	{ .about = "two GPUs: a whole switch pair",
	  .shape = &server,
	  .cards = pairs,
	  .paths = pair_paths,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(2)),
	  .gpu_count = 1,
	  .has = { .gpus = { { "0000:11:00.0", "VM \"a\"" } } },
	  .expected = "21:00.0>0 22:00.0>0 | 0: cpus 1,17,2,18, 8 GiB | x2 host 0,16",
	  .reason = "the 2 GPUs are behind one PCIe switch" },
	{ .about = "one GPU: of the pair that is already broken",
	  .shape = &server,
	  .cards = pairs,
	  .paths = pair_paths,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .has = { .gpus = { { "0000:a1:00.0", "VM \"a\"" } } },
	  .expected = "a2:00.0>0 | 1: cpus 9,25,10,26, 8 GiB | x2 host 8,24",
	  .rejected =
		  "0000:91:00.0: a larger set of free GPUs behind a switch would be broken up" },
	{ .about = "two GPUs: the node with a broken pair gives its whole one",
	  .shape = &server,
	  .cards = pairs,
	  .paths = pair_paths,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(2)),
	  .gpu_count = 1,
	  .has = { .gpus = { { "0000:91:00.0", "VM \"a\"" } } },
	  .expected = "a1:00.0>0 a2:00.0>0 | 1: cpus 9,25,10,26, 8 GiB | x2 host 8,24" },
	{ .about = "four GPUs: a whole node",
	  .shape = &server,
	  .cards = pairs,
	  .paths = pair_paths,
	  .vcpus = 8,
	  .gib = 8,
	  .gpus = GPUS(ANY(4)),
	  .gpu_count = 1,
	  .has = { .gpus = { { "0000:12:00.0", "VM \"a\"" } } },
	  .expected =
		  "91:00.0>0 92:00.0>0 a1:00.0>0 a2:00.0>0 | 1: cpus 12,28,13,29,14,30,15,31, 8 GiB | x2 host 8,24",
	  .reason = "the 4 GPUs are on one node" },
	{ .about = "three GPUs: one root complex rather than a switch pair and a far one",
	  .shape = &server,
	  .cards = roots,
	  .paths = root_paths,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(3)),
	  .gpu_count = 1,
	  .expected = "11:00.0>0 12:00.0>0 13:00.0>0 | 0: cpus 1,17,2,18, 8 GiB | x2 host 0,16",
	  .reason = "the 3 GPUs are in one PCIe root complex",
	  .rejected = "0000:11:00.0, 0000:31:00.0 and 0000:32:00.0: farther apart" },
	{ .about = "one GPU: a lone port rather than a switch pair",
	  .shape = &server,
	  .cards = roots,
	  .paths = root_paths,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(1)),
	  .gpu_count = 1,
	  .expected = "11:00.0>0 | 0: cpus 1,17,2,18, 8 GiB | x2 host 0,16",
	  .rejected = "0000:12:00.0: as good, and the lower address decides" },
	{ .about = "cliques: one for each root complex with two",
	  .shape = &server,
	  .cards = pairs,
	  .paths = pair_paths,
	  .p2p = true,
	  .vcpus = 8,
	  .gib = 8,
	  .gpus = GPUS(ANY(4)),
	  .gpu_count = 1,
	  .expected =
		  "11:00.0>0p0 12:00.0>0p0 21:00.0>0p1 22:00.0>0p1 | 0: cpus 4,20,5,21,6,22,7,23, 8 GiB | x2 host 0,16",
	  .reason = "0000:21:00.0 and 0000:22:00.0 share a PCIe switch: clique 1" },
	{ .about = "cliques: none, with the reason",
	  .shape = &server,
	  .cards = pairs,
	  .paths = pair_paths,
	  .p2p = true,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(BOTH("0000:11:00.0", "0000:21:00.0")),
	  .gpu_count = 1,
	  .expected = "11:00.0>0 21:00.0>0 | 0: cpus 1,17,2,18, 8 GiB | x2 host 0,16",
	  .reason =
		  "no two NVIDIA GPUs of the VM share a PCIe switch or root complex, so none may reach another's memory directly" },
	{ .about = "a core that another VM has touched is not used",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 4,
	  .gib = 8,
	  .gpus = GPUS(ANY(3)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "1,18", "VM \"a\"" } } },
	  .expected = "17:00.0>0 18:00.0>0 19:00.0>0 | 0: cpus 4,20,5,21, 8 GiB | x2 host 0,16" },
	{ .about = "threads = share: it is",
	  .shape = &server,
	  .cards = five,
	  .threads = PLACE_SHARE,
	  .vcpus = 13,
	  .gib = 8,
	  .gpus = GPUS(ANY(3)),
	  .gpu_count = 1,
	  .has = { .cpus = { { "18", "VM \"a\"" } } },
	  .expected =
		  "17:00.0>0 18:00.0>0 19:00.0>0 | 0: cpus 4,20,5,21,6,22,7,23,1,17,3,19,2, 8 GiB | x1 host 0,16" },
	{ .about = "two L3 domains when one is too small, an equal part of each",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 12,
	  .gib = 8,
	  .gpus = GPUS(ANY(3)),
	  .gpu_count = 1,
	  .expected =
		  "17:00.0>0 18:00.0>0 19:00.0>0 | 0: cpus 1,17,2,18,3,19,4,20,5,21,6,22, 8 GiB | x2 host 0,16, 2 dies",
	  .reason =
		  "the guest sees its CPUs as they are: 1 socket, 2 L3 domains each, 3 cores, 2 threads" },
	{ .about = "an odd part of two L3 domains: the guest is told of one",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 10,
	  .gib = 8,
	  .gpus = GPUS(ANY(3)),
	  .gpu_count = 1,
	  .expected =
		  "17:00.0>0 18:00.0>0 19:00.0>0 | 0: cpus 4,20,5,21,6,22,7,23,1,17, 8 GiB | x2 host 0,16",
	  .reason =
		  "the guest sees 1 socket, 1 L3 domain each, 5 cores, 2 threads: its CPUs lie unevenly on the host's packages, L3 domains or cores, and lost is that the guest knows them" },
	{ .about = "an odd number leaves a thread idle",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 3,
	  .gib = 8,
	  .gpus = GPUS(ANY(3)),
	  .gpu_count = 1,
	  .expected = "17:00.0>0 18:00.0>0 19:00.0>0 | 0: cpus 1,17,2, 8 GiB | x1 host 0,16",
	  .reason =
		  "the guest sees one thread per core, because 1 thread of the cores used is left idle; lost is that the guest knows what shares a core or an L3 domain" },
	{ .about = "three cores for one GPU here and one there: whole cores, not halves",
	  .shape = &server,
	  .cards = five,
	  .vcpus = 6,
	  .gib = 8,
	  .gpus = GPUS(BOTH("0000:17:00.0", "0000:97:00.0")),
	  .gpu_count = 1,
	  .expected =
		  "17:00.0>0 97:00.0>1 | 0: cpus 1,17,2,18, 4 GiB | 1: cpus 9,25, 4 GiB | x2 host 0,8,16,24",
	  .reason =
		  "the guest sees 1 socket, 1 L3 domain each, 3 cores, 2 threads: its CPUs lie unevenly on the host's packages, L3 domains or cores, and lost is that the guest knows them" },
};

#endif
