# SPDX-License-Identifier: MIT
"""Small hosts, what is free on them, and what every strategy of the placement benchmark must keep to.

Parts of a VM are its GPUs and the nodes whose CPUs and memory it uses. The distance of two parts:
    0  a part and itself; a GPU and the node that it is on
    1  two GPUs behind one switch: some bridge lies above both
    2  two GPUs below one root complex: one root bus, no bridge above both
    3  two GPUs on one node
    4  parts on different nodes of one package
    5  parts on different packages
(A GPU at its own node counts as 0: nothing is nearer to it, and at 3 no two GPUs could be told apart.) With
at most two nodes there is one pair of different nodes, so SLIT distances add nothing to this order.

The rules are those of gpuvm's policy `required`: CPUs and memory come from the nodes that the VM's GPUs are
on, each of which gives at least one CPU and some memory; a core goes to one VM, whole; on every node one
core and 1 GiB stay with the host. Memory is given out in units of 4 GiB here.
"""
import itertools

SWITCH, COMPLEX, NODE, PACKAGE, OTHER_PACKAGE = 1, 2, 3, 4, 5
UNIT_MIB = 4096
HOST_MIB = 1024


class Host:
    """@nodes: one row a node: package, cores, GiB, and its root complexes: a list of ports each, given as the
    number of GPUs behind the port (more than one: a switch)."""

    def __init__(self, name, threads, nodes):
        self.name, self.threads = name, threads
        self.packages = [package for package, _, _, _ in nodes]
        self.cores = [cores for _, cores, _, _ in nodes]
        self.units = [gib * 1024 // UNIT_MIB for _, _, gib, _ in nodes]
        self.paths, self.gpu_nodes = [], []
        bus = 0x10
        for node, (_, _, _, complexes) in enumerate(nodes):
            for ports in complexes:
                self.add_complex(node, bus, ports)
                bus += 0x10
        self.everything = (1 << len(self.paths)) - 1
        self.sets = {count: sorted((self.set_row(chosen) for chosen in
                                    itertools.combinations(range(len(self.paths)), count)),
                                   key=lambda row: row[0])
                     for count in range(1, len(self.paths) + 1)}

    def add_complex(self, node, root, ports):
        bus = root + 1
        for slot, count in enumerate(ports, 1):
            above = [f"0000:{root:02x}:{slot:02x}.0"]
            if count > 1:
                above.append(f"0000:{bus:02x}:00.0")
                bus += 1
            below, bus = bus, bus + 1
            for gpu in range(count):
                path = list(above)
                if count > 1:
                    path.append(f"0000:{below:02x}:{gpu:02x}.0")
                    below_port, bus = bus, bus + 1
                else:
                    below_port = below
                self.paths.append(path + [f"0000:{below_port:02x}:00.0"])
                self.gpu_nodes.append(node)

    def set_row(self, gpus):
        """(largest distance of the parts, the nodes, the set as a bit mask) of a VM on @gpus."""
        nodes = tuple(sorted({self.gpu_nodes[gpu] for gpu in gpus}))
        level = max([0] + [self.gpu_distance(a, b) for a, b in itertools.combinations(gpus, 2)])
        return level, nodes, sum(1 << gpu for gpu in gpus)

    def gpu_distance(self, a, b):
        if self.gpu_nodes[a] != self.gpu_nodes[b]:
            packages = {self.packages[self.gpu_nodes[gpu]] for gpu in (a, b)}
            return PACKAGE if len(packages) == 1 else OTHER_PACKAGE
        if self.paths[a][0] == self.paths[b][0]:
            return SWITCH
        return COMPLEX if self.root_bus(a) == self.root_bus(b) else NODE

    def root_bus(self, gpu):
        return self.paths[gpu][0][:7]

    def empty(self):
        """A state is (GPUs as a bit mask, cores by node, memory units by node), all free."""
        return self.everything, tuple(cores - 1 for cores in self.cores), tuple(self.units)

    def describe(self):
        return {"nodes": [{"package": package, "cores": cores, "memory_mib": units * UNIT_MIB + HOST_MIB}
                          for package, cores, units in zip(self.packages, self.cores, self.units)],
                "threads": self.threads,
                "distances": [[10 if a == b else 12 if self.packages[a] == self.packages[b] else 21
                               for b in range(len(self.cores))] for a in range(len(self.cores))],
                "gpus": [{"node": node, "path": path} for node, path in zip(self.gpu_nodes, self.paths)]}


HOSTS = {host.name: host for host in (
    Host("switches", 2, [(0, 8, 64, [[2], [2]]), (1, 8, 64, [[2], [2]])]),
    Host("ports", 2, [(0, 8, 64, [[1], [1], [1], [1]]), (1, 8, 64, [[1], [1], [1], [1]])]),
    Host("uneven", 1, [(0, 20, 96, [[4]]), (1, 12, 64, [[1, 1]])]),
    Host("one-node", 2, [(0, 16, 128, [[4], [2], [1, 1]])]),
    Host("clusters", 1, [(0, 16, 64, [[2, 1]]), (0, 16, 64, [[2], [1]])]),
    Host("small", 1, [(0, 16, 64, [[2], [1, 1]])]),
)}


def cores_of(host, vcpus):
    return -(-vcpus // host.threads)


def can_split(host, state, nodes, request):
    """Whether @request's CPUs and memory can come from @nodes, all of them."""
    _, vcpus, units = request
    cores = [state[1][node] for node in nodes]
    memory = [state[2][node] for node in nodes]
    return (min(cores) >= 1 and min(memory) >= 1 and vcpus >= len(nodes) and units >= len(nodes) and
            sum(cores) * host.threads >= vcpus and sum(memory) >= units)


def splits(host, state, nodes, request):
    """Every way to take @request from @nodes (one or two): a list of (node, vcpus, units) each."""
    _, vcpus, units = request
    if len(nodes) == 1:
        shares = [((nodes[0], vcpus, units),)]
    else:
        shares = [((nodes[0], some, part), (nodes[1], vcpus - some, units - part))
                  for some in range(1, vcpus) for part in range(1, units)]
    return [share for share in shares
            if all(cores_of(host, cpus) <= state[1][node] and memory <= state[2][node]
                   for node, cpus, memory in share)]


def without(host, state, mask, split):
    """@state after a VM took @mask and @split."""
    cores, units = list(state[1]), list(state[2])
    for node, vcpus, memory in split:
        cores[node] -= cores_of(host, vcpus)
        units[node] -= memory
    return state[0] & ~mask, tuple(cores), tuple(units)


def nearest(host, state, request):
    """The least largest distance at which @request, (GPUs, vCPUs, memory units), can be placed; or None."""
    able = {}
    for level, nodes, mask in host.sets.get(request[0], ()):
        if mask & state[0] != mask:
            continue
        if nodes not in able:
            able[nodes] = can_split(host, state, nodes, request)
        if able[nodes]:
            return level
    return None
