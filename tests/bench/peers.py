# SPDX-License-Identifier: MIT
"""How peers choose, read from their sources and held to the same rules as everybody (rules.py).

None of them backs out of a choice that does not fit, except where said; here each tries its next choice in its
own order until the rules hold, so that what is measured is the order, at its best.
"""
import rules


def fill(host, state, nodes, request):
    """The split that takes as much as it can from each of @nodes in turn."""
    _, vcpus, units = request
    split = []
    for position, node in enumerate(nodes):
        others = len(nodes) - position - 1
        cpus = min(vcpus - others, state[1][node] * host.threads)
        memory = min(units - others, state[2][node])
        split.append((node, cpus, memory))
        vcpus, units = vcpus - cpus, units - memory
    return tuple(split)


def by_address(host, state, count):
    """The sets of free GPUs in the order in which one after another takes the first that is free."""
    def order(row):
        return [gpu for gpu in range(len(host.paths)) if row[2] >> gpu & 1]
    return sorted((row for row in host.sets[count] if row[2] & state[0] == row[2]), key=order)


class FirstFit:
    """Proxmox VE: the first devices of the mapping that nobody uses; CPUs and memory as they come.
    qemu-server, PVE/QemuServer/PCI.pm, choose_hostpci_devices: for each device asked for, the first of the
    alternatives that is neither used nor reserved. Nothing in it reads a NUMA node or the PCI tree."""
    name = "first fit"
    source = "Proxmox VE"

    def __init__(self, host, _standards):
        self.host = host

    def choose(self, state, request):
        for _, nodes, mask in by_address(self.host, state, request[0]):
            if rules.can_split(self.host, state, nodes, request):
                return mask, fill(self.host, state, nodes, request)
        return None


class PreferNear:
    """OpenNebula: the first free devices, then the nodes that they are near, the emptiest first.
    one, src/host/HostSharePCI.cc, add_by_name: the first free device that matches, in the order of addresses;
    src/host/HostShareNUMA.cc, schedule_nodes: nodes sorted by the share of CPUs left after the request, those
    with one of the VM's devices before all others, largest first."""
    name = "prefer near"
    source = "OpenNebula"

    def __init__(self, host, _standards):
        self.host = host

    def choose(self, state, request):
        for _, nodes, mask in by_address(self.host, state, request[0]):
            if not rules.can_split(self.host, state, nodes, request):
                continue
            emptiest = sorted(nodes, key=lambda node: (-state[1][node], node))
            return mask, fill(self.host, state, emptiest, request)
        return None


class BestFit:
    """Nova: as many nodes as the flavor says, each with an equal share, the fullest that still fits first.
    nova, nova/virt/hardware.py, numa_fit_instance_to_host: permutations of the host's cells as long as the
    instance's cells, the first that fits, devices included (policy required: on one of the cells);
    doc/source/admin/cpu-topologies.rst, packing_host_numa_cells_allocation_strategy, default in Xena to
    Yoga: nodes with less free resources first. The flavor (hw:numa_nodes) here says as few nodes as the
    empty host needs; devices are taken in the order of addresses."""
    name = "best fit per node"
    source = "Nova"

    def __init__(self, host, _standards):
        self.host = host

    def split(self, state, nodes, request):
        """Equal shares, or None."""
        _, vcpus, units = request
        split = []
        for position, node in enumerate(nodes):
            left = len(nodes) - position
            cpus, memory = vcpus // left, units // left
            if (min(cpus, memory) < 1 or rules.cores_of(self.host, cpus) > state[1][node] or
                    memory > state[2][node]):
                return None
            split.append((node, cpus, memory))
            vcpus, units = vcpus - cpus, units - memory
        return tuple(split)

    def on(self, state, nodes, request):
        split = self.split(state, nodes, request)
        if split is None:
            return None
        for _, wanted, mask in by_address(self.host, state, request[0]):
            if wanted == tuple(sorted(nodes)):
                return mask, split
        return None

    def choose(self, state, request):
        every = range(len(self.host.cores))
        fullest = sorted(every, key=lambda node: (state[1][node], state[2][node], node))
        alone = [(node,) for node in fullest]
        fits_one = any(self.on(self.host.empty(), nodes, request) for nodes in alone)
        for nodes in alone if fits_one else [tuple(fullest)]:
            found = self.on(state, nodes, request)
            if found is not None:
                return found
        return None


PEERS = (FirstFit, PreferNear, BestFit)
