# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A domain written by hand, in the shape gpuvm is to produce: what the lab proves itself with, and
# benchmarks compare with.

# domain_hostdev GUEST-FUNCTION ADDRESS [multifunction]
domain_hostdev() {
	local domain bus slot function
	IFS=:. read -r domain bus slot function <<<"$2"
	cat <<END
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <driver name='vfio'/>
      <source><address domain='0x$domain' bus='0x$bus' slot='0x$slot' function='0x$function'/></source>
      <rom bar='off'/>
      <address type='pci' domain='0' bus='4' slot='0' function='$1'${3:+ multifunction='on'}/>
    </hostdev>
END
}

# domain_xml NAME DISK NODE CPU,CPU,... ADDRESS...: 512 MiB on that node, the functions in one slot.
domain_xml() {
	local name=$1 disk=$2 node=$3 cpus address function=0 multi=''
	IFS=, read -r -a cpus <<<"$4"
	shift 4
	[ $# -eq 1 ] || multi=on
	cat <<END
<domain type='kvm'>
  <name>$name</name>
  <memory unit='MiB'>512</memory>
  <memoryBacking><nosharepages/><source type='memfd'/><allocation mode='immediate'/></memoryBacking>
  <vcpu placement='static'>${#cpus[@]}</vcpu>
  <iothreads>1</iothreads>
  <cputune>
END
	local vcpu
	for vcpu in "${!cpus[@]}"; do
		echo "    <vcpupin vcpu='$vcpu' cpuset='${cpus[vcpu]}'/>"
	done
	cat <<END
    <emulatorpin cpuset='$((node * 4))'/>
    <iothreadpin iothread='1' cpuset='$((node * 4))'/>
  </cputune>
  <numatune><memory mode='strict' nodeset='$node'/><memnode cellid='0' mode='strict' nodeset='$node'/></numatune>
  <os firmware='efi'>
    <type arch='x86_64' machine='q35'>hvm</type>
    <firmware><feature enabled='no' name='secure-boot'/></firmware>
  </os>
  <features><acpi/><apic/><kvm><hint-dedicated state='on'/><poll-control state='on'/></kvm><vmport state='off'/></features>
  <cpu mode='host-passthrough' check='none' migratable='off'>
    <topology sockets='1' dies='1' cores='${#cpus[@]}' threads='1'/>
    <cache mode='passthrough'/>
    <maxphysaddr mode='passthrough'/>
    <numa><cell id='0' cpus='0-$((${#cpus[@]} - 1))' memory='512' unit='MiB'/></numa>
  </cpu>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'><target hotplug='off'/></controller>
    <controller type='pci' index='2' model='pcie-root-port'><target hotplug='off'/></controller>
    <controller type='pci' index='3' model='pcie-expander-bus'><target busNr='32'><node>0</node></target></controller>
    <controller type='pci' index='4' model='pcie-root-port'>
      <target hotplug='off'/><address type='pci' bus='3' slot='0' function='0'/>
    </controller>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' iothread='1'/>
      <source file='$disk'/><target dev='vda' bus='virtio'/>
      <address type='pci' bus='1' slot='0' function='0'/>
    </disk>
    <serial type='pty'><log file='/var/log/libvirt/qemu/$name-console.log' append='off'/></serial>
    <console type='pty'/>
END
	for address; do
		domain_hostdev "$function" "$address" "$([ "$function" -ne 0 ] || echo "$multi")"
		function=$((function + 1))
	done
	printf '  </devices>\n</domain>\n'
}
