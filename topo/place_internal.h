/* SPDX-License-Identifier: MIT */
/*
 * The inside of placement, shared by the files topo/place*.c.
 *
 * place.c asks twice when the answer is no: first of the host as it is, then of the same host with
 * everything taken freed (two views). What fits only the second is FAIL_BUSY, what fits neither FAIL_HOST.
 * A search walks the sets of nodes that GPUs could come from, the closest and smallest first.
 */
#ifndef GPUVM_TOPO_PLACE_INTERNAL_H
#define GPUVM_TOPO_PLACE_INTERNAL_H

#include "topo/place.h"

/* With hugepages QEMU and OVMF still need some normal memory on each node used. */
#define PLACE_OVERHEAD_BYTES (UINT64_C(256) << 20)

/* Bounds that keep the search instant. More is refused (classes) or not looked at (nodes with GPUs). */
#define PLACE_CLASSES_MOST 16
#define PLACE_PLACES_MOST  16
#define PLACE_STATES_MOST  ((size_t)1 << 26)

/* How far from the GPUs a search may look for CPUs and memory; a policy allows a width and all before it. */
enum place_width {
	PLACE_OWN_EVEN,  /* on the GPUs' own nodes, in proportion to the GPUs there */
	PLACE_OWN_UNION, /* on the GPUs' own nodes, in any proportion */
	PLACE_PACKAGE,   /* on nodes of the GPUs' packages */
	PLACE_ANYWHERE,
	PLACE_WIDTHS,
};

/* Why a GPU can or cannot be chosen. */
enum place_gpu_state {
	PLACE_GPU_FREE,        /* may be chosen, or is insisted on */
	PLACE_GPU_UNASKED,     /* offered, but no request matches it */
	PLACE_GPU_NOT_OFFERED, /* see gpu.offer_reason */
	PLACE_GPU_TAKEN,       /* see place_gpu_holder */
	PLACE_GPU_NODE_UNKNOWN,
	PLACE_GPU_TIED, /* shares its group with a GPU that cannot be chosen */
};

/* Requests that match the same GPUs are one class: @count GPUs are wanted of it in all. */
struct place_class {
	char *matched; /* by position in host.gpus: '1' if offered and matched, else '0' */
	unsigned count;
	unsigned most; /* GPUs matched */
};

/* GPUs that only go together: those of one IOMMU group. */
struct place_unit {
	size_t *gpus; /* positions in host.gpus, ascending */
	size_t count;
	size_t node; /* position in machine.nodes; machine.node_count: unknown */
	bool forced; /* the spec insists on one of them */
};

/* The host as one search sees it. Borrows its first four members. */
struct place_view {
	const struct place_request *request;
	const struct host *host;
	const struct machine *machine; /* host->machine */
	const struct place_taken *taken;
	bool empty; /* as if everything taken were freed; then @taken holds nothing */

	/* By position in host.gpus. */
	int *insisted;    /* the request whose address names it; -1: none */
	size_t *gpu_node; /* position in machine.nodes, or machine.node_count */
	enum place_gpu_state *states;
	unsigned *free_gpus; /* by node (and unknown): offered and not taken */

	struct place_class classes[PLACE_CLASSES_MOST];
	size_t class_count;
	size_t *request_class; /* by request; SIZE_MAX: has addresses */
	unsigned gpu_wanted;   /* GPUs of all requests */

	struct place_unit *units; /* by their first GPU */
	size_t unit_count;
	size_t places[PLACE_PLACES_MOST]; /* nodes (or unknown) that have units, ascending */
	size_t place_count;

	hwloc_bitmap_t free_cpus; /* usable for vCPUs: not the host's own, not taken */
	int *kinds;               /* different machine_cpu.kind of usable CPUs, highest first */
	size_t kind_count;
	hwloc_bitmap_t *kind_cpus; /* free CPUs of each kind; one more entry: of any kind */
};

/* What a search has found. */
struct place_choice {
	unsigned mask; /* of view.places */
	enum place_width width;
	size_t *picks;     /* by position in host.gpus: request that gets it, or SIZE_MAX */
	unsigned *gpus_at; /* GPUs chosen by node (and unknown) */
	struct place_cell *cells;
	size_t *cell_nodes; /* positions in machine.nodes, ascending, one per cell */
	size_t cell_count;
	size_t kind; /* entry of view.kind_cpus */

	/* The key, most important first; less is better. */
	unsigned unknown, distance, left_over;
	unsigned cpus_left; /* more is better */

	size_t rivals;              /* other sets of as many nodes that would have done */
	struct place_choice *rival; /* the best of them, or NULL */
};

/* The best that could be had when a search fails for want of CPUs or memory. */
struct place_shortage {
	unsigned mask; /* of view.places; 0: no set of GPUs at all */
	size_t sets;   /* sets of nodes that have the GPUs */
	size_t *nodes; /* positions in machine.nodes that CPUs and memory could come from */
	size_t node_count;
	unsigned cpus;  /* free for vCPUs there */
	uint64_t bytes; /* free for guests there */
	bool is_cpus;   /* the CPUs are short; else the memory, or how the two lie */
};

/* place_view.c */
struct place_view *place_view_new(const struct place_request *request, const struct host *host,
				  const struct place_taken *taken, bool empty);
void place_view_free(struct place_view *view);
CLEANUP_DEFINE(place_view, struct place_view, place_view_free)
/* The widest search that the request's policy allows. */
enum place_width place_view_widest(const struct place_view *view);

/* place_check.c: what needs no search. 0, or -1 with @fail. */
int place_check(const struct place_request *request, const struct host *host, struct fail *fail);

/* place_gpus.c: what there is to choose from */
void place_gpus_gather(struct place_view *view);
void place_gpus_done(struct place_view *view);
bool place_gpus_is_tied(const struct place_view *view, size_t gpu);
/*
 * place_choose.c.
 * Chooses GPUs for the first @request_count requests from the nodes of @mask, at most @caps[node] on
 * each (NULL: no limit), and if @each is set at least one. False if there is no such set. Fills choice->picks and ->gpus_at, which the
 * caller has allocated.
 */
bool place_gpus_choose(const struct place_view *view, size_t request_count, unsigned mask,
		       const unsigned *caps, bool each, struct place_choice *choice);

/* place_search.c */
struct place_choice *place_search(const struct place_view *view);
void place_choice_free(struct place_choice *choice);
CLEANUP_DEFINE(place_choice, struct place_choice, place_choice_free)
/* Whether the request would fit @view's host under @policy. */
bool place_search_would_fit(const struct place_view *view, enum place_policy policy);
void place_search_shortage(const struct place_view *view, struct place_shortage *ret_shortage);
void place_shortage_done(struct place_shortage *shortage);

/* place_cells.c */
/* Lays CPUs and memory for choice->gpus_at on nodes; false if they do not fit within choice->width. */
bool place_cells_lay(const struct place_view *view, struct place_choice *choice);
/* The most GPUs of the request that @node has CPUs and memory for, in proportion. */
unsigned place_cells_cap(const struct place_view *view, size_t node);
/* Nodes that @width allows beside the GPUs' own, nearest first, those of @gpus_at leading. The caller frees. */
size_t *place_cells_nodes(const struct place_view *view, const unsigned *gpus_at,
			  enum place_width width, size_t *ret_count);

/* place_cpus.c */
unsigned place_cpus_room(const struct place_view *view, size_t node, size_t kind);
/* Pins @count vCPUs of @cell to CPUs of @node, appending to @placement. There is room. */
void place_cpus_pick(const struct place_view *view, size_t node, size_t kind, unsigned cell,
		     unsigned count, struct placement *placement);
/* All CPUs that placement.vcpus of @cell are pinned to. New bitmap. */
hwloc_bitmap_t place_cpus_of_cell(const struct placement *placement, unsigned cell);

/* place_topology.c: what the guest sees of placement->vcpus. */
void place_topology(const struct place_view *view, struct placement *placement);

/* place_memory.c */
/* Bytes that a guest can have on @node in pages of @page_bytes (0: normal). */
uint64_t place_memory_room(const struct place_view *view, size_t node, uint64_t page_bytes);
/* The most that a cell of a multiple of @unit_bytes can have on @node under the request's hugepages. */
uint64_t place_memory_most(const struct place_view *view, size_t node, uint64_t unit_bytes);
/* The page size for a cell of @bytes on @node; false if none does. */
bool place_memory_pick(const struct place_view *view, size_t node, uint64_t bytes,
		       uint64_t *ret_page_bytes);
/* Normal memory of @node before any reserve: available, or of the empty host. */
uint64_t place_memory_normal(const struct place_view *view, size_t node);
/* Taken by starts under way on @node in pages of @page_bytes. */
uint64_t place_memory_promised(const struct place_view *view, size_t node, uint64_t page_bytes);
/* The page size that the request fixes; 0 if it is no hugepage size or not fixed. */
uint64_t place_memory_fixed(const struct place_request *request);

/*
 * place_refuse.c: raises why @now has no place, in the terms of @now if @fits_empty says how the empty
 * host has one, else in those of @empty.
 */
int place_refuse(const struct place_view *now, const struct place_view *empty,
		 const struct place_choice *fits_empty, struct fail *fail);
/* FAIL_HOST for an empty view, else FAIL_BUSY. */
enum fail_kind place_refuse_kind(const struct place_view *view);
/* place_refuse_gpus.c: there is no set of GPUs at all. */
int place_refuse_gpus(const struct place_view *view, struct fail *fail);
/* place_refuse_memory.c: raises, but leaves the hint to the caller unless it is about hugepages. */
int place_refuse_memory(const struct place_view *view, const struct place_shortage *shortage,
			struct fail *fail);

/* place_reason.c: appends to placement->reasons from everything else. */
void place_reason(const struct place_view *view, const struct place_choice *choice,
		  struct placement *placement);
/* place_reason_cells.c: the part about CPUs and memory. */
void place_reason_cells(const struct place_view *view, const struct place_choice *choice,
			struct placement *placement);
/* @choice as in struct place_reason. */
void place_reason_add(struct placement *placement, const char *choice, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* place_words.c: pieces of sentences. The caller frees. */
/* "node 0", "nodes 0, 2 and 3". */
char *place_words_nodes(const struct place_view *view, const size_t *nodes, size_t count);
/* "a, b and c" of texts. */
char *place_words_list(char *const *items, size_t count);
/* ` that match "H100"` (matches, if @count is 1), or nothing for any. */
char *place_words_that_match(const struct place_gpu_request *request, unsigned count);
/* That the shortage is the smallest there is, if there was a choice; static text. */
const char *place_words_best(const struct place_view *view, const struct place_shortage *shortage);
/* Frees @count texts and their array. */
void place_words_free(char **items, size_t count);

#endif
