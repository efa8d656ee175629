/* SPDX-License-Identifier: MIT */
/*
 * The inside of placement, shared by the files topo/place*.c.
 *
 * place.c asks twice when the answer is no: first of the host as it is, then of the same host with
 * everything taken freed (two views). What fits only the second is FAIL_BUSY, what fits neither FAIL_HOST.
 * A search walks every way to split the GPUs over nodes (place_split.c), lays CPUs and memory for each
 * (place_cells.c) and keeps the best; which GPUs of a node are taken is solved exactly (place_choose.c).
 */
#ifndef GPUVM_TOPO_PLACE_INTERNAL_H
#define GPUVM_TOPO_PLACE_INTERNAL_H

#include "topo/place.h"

/* With hugepages QEMU and OVMF still need some normal memory on each node used. */
#define PLACE_OVERHEAD_BYTES (UINT64_C(256) << 20)

/* Bounds that keep the search instant. More is refused (classes) or not looked at (nodes with GPUs). */
#define PLACE_CLASSES_MOST 16
#define PLACE_PLACES_MOST  16
#define PLACE_STATES_MOST  ((size_t)1 << 12) /* combinations of GPUs wanted of each class */
#define PLACE_SPLITS_MOST  ((size_t)1 << 16) /* 16 GPUs on 8 nodes have at most 6561 splits */

/* Sets of GPUs that others are taken to want: powers of two up to this. */
#define PLACE_SET_MOST 8

/* Added to the distance between nodes of different packages; SLIT ends at 255 (ACPI 6.4, 5.2.17). */
#define PLACE_OTHER_PACKAGE 256

/* QEMU knows 16 cliques (x-nv-gpudirect-clique, hw/vfio/pci-quirks.c). */
#define PLACE_CLIQUES_MOST 16

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

/* A core of which something is free. */
struct place_core {
	unsigned number, l3;
	size_t node;
	int kind;
	unsigned width; /* CPUs that the machine has of it */
	unsigned free;  /* of them those that may be vCPUs */
	unsigned
		cost; /* CPUs that other VMs lose if it is used: all free ones; 0 if cores are shared */
};

/* The host as one search sees it. Borrows its first members. */
struct place_view {
	const struct place_request *request;
	const struct place_rules *rules;
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

	hwloc_bitmap_t host_cpus; /* kept for the host */
	hwloc_bitmap_t free_cpus; /* free for VMs under this request's thread policy */
	hwloc_bitmap_t vcpu_cpus; /* of them what the spec leaves for the vCPUs */
	struct place_core *cores; /* of vcpu_cpus, by number */
	size_t core_count;
	size_t *core_from, *core_below; /* by node: all of its cores are between them */
	unsigned cost_most;             /* of any core */
	int *kinds; /* different machine_cpu.kind of usable CPUs, highest first */
	size_t kind_count;
	unsigned *kind_width;    /* by kind: CPUs of its widest core */
	unsigned *rooms;         /* see place_cpus_room */
	unsigned *whole_rooms;   /* likewise, in cores that are whole and of their kind's width */
	unsigned *open_cpus;     /* by node: CPUs in free_cpus */
	uint64_t *open_bytes;    /* by node: memory for guests in all page sizes */
	uint64_t *most_bytes[2]; /* by node: place_memory_most() in GiB and in 2 MiB */
};

/* What a set of GPUs costs, most important first, less is better. Sums up over disjoint sets. */
enum place_level {
	PLACE_LEVEL_NODE,   /* different root complexes of one node */
	PLACE_LEVEL_ROOT,   /* different root ports of one root complex */
	PLACE_LEVEL_SWITCH, /* behind a common bridge */
	PLACE_LEVELS,
};

struct place_cost {
	uint64_t pairs
		[PLACE_LEVELS]; /* pairs that meet at this level; under switches, deeper is less */
	uint64_t losses[PLACE_LEVELS]; /* by how much the sets of free GPUs there shrink, squared */
	uint64_t
		addresses; /* the 64 lowest units taken, lowest in the highest bit; more is better */
};

/* What tells two choices apart, most important first: near before far, then what is left to others. */
enum place_point {
	PLACE_POINT_UNKNOWN,  /* fewer GPUs whose node is unknown */
	PLACE_POINT_DIAMETER, /* nodes used: the smaller largest distance, */
	PLACE_POINT_DISTANCE, /* then the smaller sum of distances */
	PLACE_POINT_WIDTH,    /* CPUs and memory on the GPUs' own nodes, packages */
	PLACE_POINT_REACH,    /* GPUs: the smaller largest distance in the PCIe tree */
	PLACE_POINT_SETS,     /* more sets left to others */
	PLACE_POINT_SERVED,   /* more free GPUs left with their share of CPUs and memory */
	PLACE_POINT_SPREAD,   /* fewer pairs of GPUs on different nodes */
	PLACE_POINT_EVEN,     /* CPUs and memory in proportion to the GPUs of each node */
	PLACE_POINT_COST, /* GPUs nearer in the PCIe tree, larger sets of free ones kept whole, the lower address */
};

/* What a search has found. */
struct place_choice {
	enum place_width width;
	size_t *picks;     /* by position in host.gpus: request that gets it, or SIZE_MAX */
	unsigned *gpus_at; /* GPUs chosen by node (and unknown) */
	struct place_cell *cells;
	size_t *cell_nodes; /* positions in machine.nodes, ascending, one per cell */
	size_t cell_count;
	size_t kind; /* entry of view.kinds; kind_count: any */

	/* What enum place_point compares, beside the width. */
	unsigned unknown, diameter, distance, spread;
	struct place_cost cost;
	uint64_t served;    /* free GPUs left with an average one's share of their node */
	unsigned sets_left; /* over the nodes, how many of 1, 2, 4, 8 such GPUs there are */
	unsigned left_over; /* free GPUs that stay behind on the nodes used */

	size_t rivals;              /* other splits that would have done */
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
/* place_pin.c: the CPU lists of the spec, likewise. */
void place_pin_check(const struct place_request *request, const struct host *host,
		     struct fail *fail);
/* Whether all of them are free. 0, or -1 with @fail. */
int place_pin_check_free(const struct place_request *request, const struct host *host,
			 const struct place_taken *taken, struct fail *fail);

/* place_rules.c: what the host's admin keeps back */
const struct place_rules *place_rules_of(const struct place_request *request);
uint64_t place_rules_reserve(const struct place_view *view);
/* CPUs and memory that a VM with @gpus offered GPUs of @node may take there. */
uint64_t place_rules_cpus_most(const struct place_view *view, size_t node, unsigned gpus);
uint64_t place_rules_bytes_most(const struct place_view *view, size_t node, unsigned gpus);
bool place_rules_guarantee(const struct place_rules *rules);

/* place_gpus.c: what there is to choose from */
void place_gpus_gather(struct place_view *view);
void place_gpus_done(struct place_view *view);
bool place_gpus_is_tied(const struct place_view *view, size_t gpu);

/* place_distance.c: where functions are in the PCIe tree, told by device.path */
/* Levels of the tree above @device: its root complex, then bridges; 0: not known. */
unsigned place_distance_depth(const struct device *device);
/* Of them those that @a and @b share from the top: 0 none, 1 the root complex, more: bridges. */
unsigned place_distance_shared(const struct device *a, const struct device *b);

/* place_cost.c */
void place_cost_add(struct place_cost *to, const struct place_cost *cost);
/* Less than 0: @a is better; by all of it, or only by how near the GPUs are. */
int place_cost_compare(const struct place_cost *a, const struct place_cost *b);
int place_cost_compare_pairs(const struct place_cost *a, const struct place_cost *b);

/* place_choose.c: the best GPUs for every number of them that a node could give */
struct place_pick {   /* one set of GPUs: those of @left and @right, and @gpu */
	size_t state; /* how many of each class, in a mixed radix */
	unsigned total;
	struct place_cost cost;
	const struct place_pick *left, *right;
	size_t gpu; /* position in host.gpus; SIZE_MAX: none */
	size_t class;
};

struct place_table {
	struct place_pick *picks; /* the best set for each state */
	size_t count;
};

struct place_chooser {
	const struct place_view *view;
	size_t request_count; /* the first requests of the spec */
	unsigned wanted[PLACE_CLASSES_MOST];
	size_t states, goal;  /* number of states, and the one that meets the requests */
	bool possible;        /* false: no set of GPUs can do */
	const size_t *banned; /* GPUs not to be taken: positions in host.gpus */
	size_t banned_count;
	struct place_table *tables; /* of one place after the other */
	size_t table_count;
	struct place_table place[PLACE_PLACES_MOST];
};

void place_chooser_init(struct place_chooser *chooser, const struct place_view *view,
			size_t request_count);
void place_chooser_done(struct place_chooser *chooser);
/* All unions of a set of @a and one of @b, of @b those of @total GPUs (UINT32_MAX: any). */
struct place_table place_chooser_merge(const struct place_chooser *chooser,
				       const struct place_table *a, const struct place_table *b,
				       unsigned total, const struct place_cost *pair);
/* Writes @pick to choice->picks: each class's GPUs go to its requests in order, by address. */
void place_chooser_take(const struct place_chooser *chooser, const struct place_pick *pick,
			struct place_choice *choice);

/* place_split.c */
struct place_splits {
	const struct place_view *view;
	/* Called with each split, and of the GPU sets that have it the best. */
	void (*each)(struct place_splits *splits, const struct place_chooser *chooser,
		     const unsigned *gpus_at, const struct place_pick *pick);
	bool (*enough)(struct place_splits *splits); /* asked after all splits on one node */
	size_t request_count;
	size_t count;
	void *data;
};
void place_splits_walk(struct place_splits *splits);
/* Whether the first @request_count requests can be met at all. */
bool place_splits_any(const struct place_view *view, size_t request_count);

/* place_search.c */
struct place_choice *place_search(const struct place_view *view);
struct place_choice *place_choice_new(const struct place_view *view);
void place_choice_free(struct place_choice *choice);
CLEANUP_DEFINE(place_choice, struct place_choice, place_choice_free)
/* Whether the request would fit @view's host under @policy. */
bool place_search_would_fit(const struct place_view *view, enum place_policy policy);
/* place_rival.c: the second best GPUs for the split of @choice, with picks and cost; or NULL. */
struct place_choice *place_rival_gpus(const struct place_view *view,
				      const struct place_choice *choice);
/* place_shortage.c */
void place_search_shortage(const struct place_view *view, struct place_shortage *ret_shortage);
void place_shortage_done(struct place_shortage *shortage);

/* place_key.c: which choice is better */
void place_key_judge(const struct place_view *view, struct place_choice *choice);
bool place_key_is_better(const struct place_choice *a, const struct place_choice *b);
/* What decides between them. */
enum place_point place_key_point(const struct place_choice *a, const struct place_choice *b);
/* Of the GPUs of @choice on @node those that words could have chosen. */
unsigned place_key_offered(const struct place_view *view, const struct place_choice *choice,
			   size_t node);

/* place_cells.c */
/* One host node that may become a cell. */
struct place_plot {
	size_t node;
	unsigned gpus;
	uint64_t cpu_room, unit_room;
	uint64_t cpus, units;
	bool used;
};

struct place_field {
	const struct place_view *view;
	enum place_width width;
	uint64_t cpu_unit, unit_bytes; /* cells have multiples of them */
	uint64_t cpu_units, units;     /* to be laid */
	struct place_plot *plots;      /* the GPUs' own nodes first, then nearest first */
	size_t count;
	size_t own_count;
};

/* Lays CPUs and memory for choice->gpus_at on nodes; false if they do not fit within the policy. */
bool place_cells_lay(const struct place_view *view, struct place_choice *choice);
/* Nodes that @width allows beside the GPUs' own, nearest first, those of @gpus_at leading. The caller frees. */
size_t *place_cells_nodes(const struct place_view *view, const unsigned *gpus_at,
			  enum place_width width, size_t *ret_count);
/* place_field.c: marks the plots to use; false if none suffice. */
bool place_field_enclose(struct place_field *field);
/* Shares vCPUs and memory out among them, and drops the others. */
void place_field_share(struct place_field *field);

/* place_cpus.c */
void place_cpus_gather(struct place_view *view);
void place_cpus_done(struct place_view *view);
/* CPUs of @kind on @node that may be vCPUs. */
unsigned place_cpus_room(const struct place_view *view, size_t node, size_t kind);
/* Likewise in multiples of @unit if no more than @most CPUs may be lost to others. */
unsigned place_cpus_room_within(const struct place_view *view, size_t node, size_t kind,
				unsigned unit, uint64_t most);
/* All CPUs that placement.vcpus of @cell are pinned to. New bitmap. */
hwloc_bitmap_t place_cpus_of_cell(const struct placement *placement, unsigned cell);
/* CPUs of @cpus with all siblings. New bitmap. */
hwloc_bitmap_t place_cpus_widen(const struct machine *machine, hwloc_const_bitmap_t cpus);

/*
 * place_pick.c: pins @count vCPUs of @cell to CPUs of @node, appending to @placement, at a loss of at most
 * @most CPUs for others. There is room.
 */
void place_cpus_pick(const struct place_view *view, size_t node, size_t kind, unsigned cell,
		     unsigned count, uint64_t most, struct placement *placement);

/* place_topology.c: what the guest sees of placement->vcpus, and which GPUs reach each other. */
void place_topology(const struct place_view *view, struct placement *placement);
void place_cliques(struct placement *placement);

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
/* place_refuse_rules.c: whether only the guarantee to the free GPUs is in the way; then raises. */
bool place_refuse_guarantee(const struct place_view *view, struct fail *fail);
/* Raises that the pinned CPUs are not where the policy wants them, if they are not. */
bool place_refuse_pin(const struct place_view *view, struct fail *fail);

/* place_reason.c: appends to placement->reasons from everything else. */
void place_reason(const struct place_view *view, const struct place_choice *choice,
		  struct placement *placement);
/* place_reason_gpus.c, place_reason_cells.c, place_reason_guest.c: its parts */
void place_reason_gpus(const struct place_view *view, const struct place_choice *choice,
		       struct placement *placement);
void place_reason_cells(const struct place_view *view, const struct place_choice *choice,
			struct placement *placement);
void place_reason_guest(const struct place_view *view, const struct place_choice *choice,
			struct placement *placement);
/* @choice as in struct place_reason. */
/* Why a set of GPUs is second to one of @cost; static text. */
const char *place_reason_fault(const struct place_cost *rival, const struct place_cost *cost);
/* Whether the spec leaves no GPU to choose. */
bool place_reason_all_named(const struct place_request *request);
void place_reason_add(struct placement *placement, const char *choice, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Says what the newest reason's choice was preferred to. */
void place_reason_reject(struct placement *placement, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* place_words.c: pieces of sentences. The caller frees. */
/* "node 0", "nodes 0, 2 and 3". */
char *place_words_nodes(const struct place_view *view, const size_t *nodes, size_t count);
/* "CPU 2", "CPUs 2-3,18". */
char *place_words_cpus(hwloc_const_bitmap_t cpus);

/* "is held by VM ..." or what else is the case. The caller frees. */
char *place_words_taken(const struct place_taken_gpu *taken);
/* "a, b and c" of texts. */
char *place_words_list(char *const *items, size_t count);
/* ` that match "H100"` (matches, if @count is 1), or nothing for any. */
char *place_words_that_match(const struct place_gpu_request *request, unsigned count);
/* That the shortage is the smallest there is, if there was a choice; static text. */
const char *place_words_best(const struct place_view *view, const struct place_shortage *shortage);
/* Frees @count texts and their array. */
void place_words_free(char **items, size_t count);

#endif
