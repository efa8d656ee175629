#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cases of tests/lab/window: boots each, reads what the firmware assigned, and compares it with the prediction."""
import argparse
import concurrent.futures
import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

GIB_KIB = 1 << 20
KNOB = "opt/ovmf/X-PciMmio64Mb"
FIRMWARE = {"debian12": "bookworm", "debian13": "trixie"}
# model of QEMU's -> CPUID's vendor; TCG gives each 40 address bits
CPUS = {"amd": ("EPYC", "AuthenticAMD"), "intel": ("Skylake-Server", "GenuineIntel")}
ADDRESS_BITS = 40
# The firmware has given up after so many processor seconds without a change, once it has sized a BAR and before; or
# when it has been found halted so many times in a row.
QUIET_S, SILENT_S, HALTED_TIMES = 4, 40, 15
MOST_S = 300
# A BAR of virtio devices, as QEMU has it.
VIRTIO_KIB = 16


@dataclasses.dataclass(frozen=True)
class Case:
    firmware: str
    cpu: str
    buses: tuple  # per expander bus its ports, per port the GiB of each function's BAR
    knob: object = 0  # MiB; "smallest": that gpuvm finds; "less": one GiB less
    memory_mib: int = 512
    emulated: int = 1  # virtio devices on ports of pcie.0

    def __str__(self):
        ports = " + ".join(",".join("/".join(f"{g:g}" for g in port) for port in bus) for bus in self.buses)
        return (f"{self.firmware} {self.cpu:5} {ports} GiB"
                + (f", {self.memory_mib // 1024} GiB of memory" if self.memory_mib != 512 else "")
                + (", nothing else" if self.emulated == 0 else "")
                + (f", knob {self.knob}" if self.knob else ""))


def one_bus(size, count):
    return (((size,),) * count,)


# Just fits, or just not, of what gpuvm's rules say of their edges.
EDGES = [
    Case("debian12", "amd", one_bus(64, 1)),
    Case("debian12", "amd", one_bus(128, 1)),
    Case("debian12", "amd", one_bus(128, 1), emulated=0),
    Case("debian12", "amd", one_bus(128, 1), "smallest"),
    Case("debian12", "amd", one_bus(128, 1), "less"),
    Case("debian12", "amd", one_bus(256, 1), 512 << 10),
    Case("debian12", "intel", one_bus(16, 1)),
    Case("debian12", "intel", one_bus(32, 1), "smallest"),
    Case("debian13", "amd", one_bus(64, 1)),
    Case("debian13", "amd", one_bus(64, 2)),
    Case("debian13", "amd", one_bus(64, 2), "smallest"),
    Case("debian13", "amd", one_bus(256, 1), 512 << 10),
]


def matrix(predict):
    """Sizes by numbers of devices by CPUs by firmware; with knobs where they do not fit without."""
    cases = []
    for firmware, cpu, size, count in itertools.product(FIRMWARE, CPUS, (16, 32, 64, 128, 256), (1, 2, 3, 4)):
        shapes = [one_bus(size, count)]
        if count % 2 == 0:
            shapes.append((((size,),) * (count // 2),) * 2)
        for buses in shapes:
            case = Case(firmware, cpu, buses)
            cases.append(case)
            found = predict(case)
            if not found.fits and found.smallest:
                cases += [dataclasses.replace(case, knob="smallest"), dataclasses.replace(case, knob="less")]
    for firmware in FIRMWARE:
        cases += [
            # functions of one slot, and ports that leave gaps
            Case(firmware, "amd", (((16, 1 / 64), (16, 1 / 64)),)),
            Case(firmware, "amd", (((16,), (16, 1 / 64), (32,)),)),
            Case(firmware, "amd", (((16, 1 / 64), (16,), (16, 1 / 32)),)),
            Case(firmware, "amd", (((8, 8, 1 / 64),), ((16,), (1 / 4,))), emulated=9),
            Case(firmware, "amd", (((64,),), ((16,), (16,)))),
            Case(firmware, "amd", (((128,),), ((128,),), ((64,),)), 512 << 10),
            Case(firmware, "amd", (((128,),), ((128,),), ((128,),)), 512 << 10),
            # knobs smaller than the window, beyond the address space, and beyond what counts
            Case(firmware, "amd", one_bus(16, 1), 16 << 10),
            Case(firmware, "amd", one_bus(16, 1), 33 << 10),
            Case(firmware, "amd", one_bus(16, 1), 1 << 20),
            # memory in the way of the window, none of it ever touched
            Case(firmware, "amd", one_bus(64, 1), memory_mib=840 << 10),
            Case(firmware, "amd", one_bus(16, 1), memory_mib=870 << 10),
            Case(firmware, "amd", one_bus(64, 1), memory_mib=870 << 10),
            Case(firmware, "intel", one_bus(16, 1), memory_mib=40 << 10),
            Case(firmware, "intel", one_bus(128, 1), "smallest", memory_mib=300 << 10),
        ]
    return cases


@dataclasses.dataclass
class Prediction:
    fits: bool
    base: int
    size: int
    smallest: int
    addresses: list


class Predictor:
    def __init__(self, program, versions):
        self.program, self.versions, self.known = program, versions, {}

    def __call__(self, case):
        if case.knob in ("smallest", "less"):
            case = self.settled(case)
        if case not in self.known:
            bars = [f"0:{port}:{VIRTIO_KIB}" for port in range(case.emulated)]
            bars += [f"{bus + 1}:{port}:{int(gib * GIB_KIB)}" for bus, port, _, gib in bars_of(case)]
            line = " ".join([self.versions[case.firmware], CPUS[case.cpu][1], str(ADDRESS_BITS), "1",
                             str(case.memory_mib), str(case.knob), *bars])
            out = subprocess.run([self.program], input=line + "\n", capture_output=True, text=True, check=True)
            words = out.stdout.split()
            self.known[case] = Prediction(words[0] == "fits", *(int(w) for w in words[1:4]),
                                          [int(w) for w in words[4:]])
        return self.known[case]

    def settled(self, case):
        """@case with a number for its knob."""
        if not isinstance(case.knob, str):
            return case
        smallest = self(dataclasses.replace(case, knob=0)).smallest
        if not smallest:
            sys.exit(f"{case}: no knob makes it fit")
        return dataclasses.replace(case, knob=smallest - (1024 if case.knob == "less" else 0))


def bars_of(case):
    for bus, ports in enumerate(case.buses):
        for port, functions in enumerate(ports):
            for function, gib in enumerate(functions):
                yield bus, port, function, gib


def shape_of(case):
    """The same expander buses and ports as vmm/domain.c makes, with devices whose BARs nothing is behind."""
    arguments = []
    for i in range(case.emulated):
        arguments += ["-device", f"pcie-root-port,id=e{i},bus=pcie.0,addr={2 + i // 8:#x}.{i % 8},multifunction=on,"
                      f"chassis={100 + i},hotplug=off", "-device", f"virtio-rng-pci,id=bar-e{i},bus=e{i}"]
    chassis = 1
    for bus, ports in enumerate(case.buses):
        arguments += ["-device", f"pxb-pcie,id=x{bus},bus=pcie.0,addr={0x10 + bus:#x},bus_nr={0x20 + 0x10 * bus:#x}"]
        for port, functions in enumerate(ports):
            arguments += ["-device", f"pcie-root-port,id=p{bus}-{port},bus=x{bus},addr={port:#x},chassis={chassis},"
                          "hotplug=off"]
            chassis += 1
            for function, gib in enumerate(functions):
                arguments += ["-device", f"pci-testdev,id=bar-{bus}-{port}-{function},bus=p{bus}-{port},"
                              f"addr=0.{function},multifunction=on,membar={int(gib * GIB_KIB)}K"]
    return arguments


class Machine:
    """A QEMU that runs nothing but its firmware."""

    def __init__(self, case, options, directory):
        self.console, monitor = directory / "console", directory / "monitor"
        images = options.firmware / f"ovmf-{FIRMWARE[case.firmware]}/root/usr/share/OVMF"
        shutil.copy(images / "OVMF_VARS_4M.fd", directory / "vars")
        root, lib = options.root, options.root / "usr/lib/x86_64-linux-gnu"
        command = [root / "lib64/ld-linux-x86-64.so.2", "--library-path", f"{lib}:{lib}/pulseaudio",
                   root / "usr/bin/qemu-system-x86_64", "-L", root / "usr/share/qemu", "-L", root / "usr/share/seabios",
                   "-name", "gpuvm-window", "-nodefaults", "-no-user-config", "-accel", "tcg", "-cpu", CPUS[case.cpu][0],
                   "-smp", "1", "-nic", "none", "-vga", "none", "-display", "none", "-no-reboot",
                   "-object", f"memory-backend-ram,id=m,size={case.memory_mib}M,reserve=off",
                   "-machine", "q35,memory-backend=m", "-m", f"{case.memory_mib}M",
                   "-serial", f"file:{self.console}", "-qmp", f"unix:{monitor},server=on,wait=off",
                   "-drive", f"if=pflash,format=raw,readonly=on,file={images}/OVMF_CODE_4M.fd",
                   "-drive", f"if=pflash,format=raw,file={directory}/vars", *shape_of(case)]
        if case.knob:
            command += ["-fw_cfg", f"name={KNOB},string={case.knob}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=(directory / "errors").open("w"))
        self.errors = directory / "errors"
        self.socket = socket.socket(socket.AF_UNIX)
        self.connect(str(monitor))

    def connect(self, path):
        while self.process.poll() is None:
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise RuntimeError(f"QEMU did not start: {self.errors.read_text().strip()}")
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_halted(self):
        return "HLT=1" in self.ask("human-monitor-command", **{"command-line": "info registers"})

    def bars(self):
        """id -> address of its 64-bit BAR; -1: being sized, or left so. What has no address is not there."""
        found = {}

        def walk(devices):
            for device in devices:
                for region in device["regions"]:
                    if device["qdev_id"].startswith("bar-") and region.get("mem_type_64"):
                        found[device["qdev_id"]] = region["address"]
                walk(device.get("pci_bridge", {}).get("devices", []))

        for bus in self.ask("query-pci"):
            walk(bus["devices"])
        return found

    def assigned(self):
        """The BARs once the firmware has gone on to booting, or has stopped."""
        began, last, changed, sized, halted = time.monotonic(), {}, 0.0, False, 0
        while time.monotonic() - began < MOST_S:
            # Looked at before the BARs, so that these are complete.
            boots = b"BdsDxe" in self.console.read_bytes()
            now, spent = self.bars(), self.processor_seconds()
            if boots:
                return now
            if now != last:
                last, changed = now, spent
            sized = sized or -1 in now.values()
            halted = halted + 1 if sized and self.is_halted() else 0
            if halted > HALTED_TIMES or spent - changed > (QUIET_S if sized else SILENT_S):
                return now
            time.sleep(0.2)
        raise RuntimeError(f"nothing came of it in {MOST_S} s")

    def end(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()


def seen(case, options):
    with tempfile.TemporaryDirectory(prefix="gpuvm-window.") as directory:
        machine = None
        try:
            machine = Machine(case, options, pathlib.Path(directory))
            return machine.assigned()
        finally:
            if machine is not None:
                machine.end()


def run(case, predict, options):
    began = time.monotonic()
    settled = predict.settled(case)
    found = predict(settled)
    names = [f"bar-e{i}" for i in range(case.emulated)]
    names += [f"bar-{bus}-{port}-{function}" for bus, port, function, _ in bars_of(case)]
    try:
        bars = seen(settled, options)
    except (RuntimeError, OSError, ValueError) as problem:
        return case, False, f"{problem}", time.monotonic() - began
    addresses = [bars.get(name, 0) for name in names]
    fits = all(address > 0 for address in addresses)
    good = fits == found.fits and (not fits or addresses == found.addresses)
    told = f"{'fits' if found.fits else 'does not fit'} {found.size >> 30} GiB at {found.base >> 30} GiB"
    if settled.knob and isinstance(case.knob, str):
        told += f" (knob {settled.knob})"
    if not good:
        told += f"\n      predicted {[hex(a) for a in found.addresses]}\n      seen      {[hex(a) for a in addresses]}"
    return case, good, told, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--predict", required=True)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--firmware", type=pathlib.Path, required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    versions = {}
    for name, suite in FIRMWARE.items():
        path = options.firmware / f"ovmf-{suite}/version"
        versions[name] = path.read_text().strip() if path.exists() else "unknown"
    predict = Predictor(options.predict, versions)
    cases = list(dict.fromkeys(EDGES + (matrix(predict) if options.all else [])))
    if options.list:
        print("\n".join(str(case) for case in cases))
        return 0
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for case, good, told, seconds in pool.map(lambda c: run(c, predict, options), cases):
            failed += not good
            print(f"{'ok' if good else 'FAIL':5} {case}: {told}  ({seconds:.0f} s)", flush=True)
    print(f"{len(cases)} windows: {len(cases) - failed} as predicted, {failed} not")
    return 1 if failed else 0


sys.exit(main())
