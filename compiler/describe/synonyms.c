/* SPDX-License-Identifier: MIT */
#include "compiler/describe/synonyms.h"

#include <ctype.h>
#include <string.h>

#define GUEST_DECIDES \
	"the guest's own configuration, which is built into toplevel, decides about that"

const struct synonym synonyms[] = {
	{"", "name vmName containerName domain title guestName instance", "hostName", NULL},
	{"", "cpus cores vcpus vcpuCount smp cpuCores cpuCount bootVcpus processors numCpus ncpus",
		"vcpu", NULL},
	{"", "threads maxVcpus limitsCpu", "vcpu", NULL},
	{"", "cpuModel cpuMode cpuType cpuTemplate", "cpu", NULL},
	{"", "ram memory memSize memSizeMib memorySize memLimit memMb memoryMb memoryMib", "mem",
		NULL},
	{"", "currentMemory maxMemory limitsMemory", "mem", NULL},
	{"", "hugepages huge hugetlb memoryBacking", "hugepageMem", NULL},
	{"", "hotplugSize memoryHotplug", "hotplugMem", NULL},
	{"", "memballoon", "balloon", NULL},
	{"", "disk disks drive drives additionalDisks storage hdd harddisk blockDevices block hda",
		"volumes", NULL},
	{"", "diskImg diskImage emptyDiskImages virtioBlk scsi0 virtio0", "volumes", NULL},
	{"", "diskSize", "volumes.size", NULL},
	{"", "network networks networking networkInterfaces nic nics net net0 netdev netdevs",
		"interfaces", NULL},
	{"", "interface iface ifaces ethernet eth0 vlans tap bridges", "interfaces", NULL},
	{"", "macaddr macAddress hwaddr guestMac", "interfaces.mac", NULL},
	{"", "port ports portForwards portForward forwardedPort forwardedPorts hostfwd publish",
		"forwardPorts", NULL},
	{"", "expose portMappings sshPort", "forwardPorts", NULL},
	{"", "mount mounts sharedDirectories sharedFolders syncedFolder syncedFolders", "shares",
		NULL},
	{"", "filesystem filesystems fs virtfs virtiofs 9p bind binds publicDir", "shares", NULL},
	{"", "hostdev hostdevs usb usbDevices pci pciDevices vfio passthrough hostDevice",
		"devices", NULL},
	{"", "system nixos os rootfs root image images box baseImage template iso cdrom",
		"toplevel", NULL},
	{"", "additionalPaths extraPaths packages closureInfo", "storePaths", NULL},
	{"", "vmlinux vmlinuz bzImage kernelImage kernelImagePath kernelPath bootSource payload",
		"kernel", NULL},
	{"", "initramfs initramfsPath ramdisk", "initrd", NULL},
	{"", "cmdline append bootArgs kernelArgs kernelCmdline kernelCommandLine params",
		"kernelParams", NULL},
	{"", "vmType vmm provider driver backend emulator engine monitor", "hypervisor", NULL},
	{"", "guestCid contextId", "vsock.cid", NULL},
	{"", "ssh sshd", "vsock.ssh.enable", NULL},
	{"", "healthcheck ready readiness", "vsock.notify", NULL},
	{"", "uuid", "machineId", NULL},
	{"", "secret secrets credential credentials loadCredential", "credentialFiles", NULL},
	{"", "gpu display video vga gui screen", "graphics", NULL},
	{"", "stopGracePeriod stopTimeout", "shutdownTimeout", NULL},
	{"", "apiSocket apiSock qmp monitorSocket", "socket", NULL},
	{"", "verity dmVerity", "storeDisk.verity", NULL},
	{"", "compression", "storeDisk.compression", NULL},
	{"", "writableStore overlay", "writableStoreOverlay", NULL},
	{"", "qemuArgs qemuOptions qemuCommandline extraArgs extraOptions", "qemu.extraArgs", NULL},

	{"", "env environment envFile users username password passwd hostKeys timezone dns", NULL,
		GUEST_DECIDES},
	{"", "provision cloudInit userData command cmd entrypoint workingDir services sysctls",
		NULL, GUEST_DECIDES},
	{"", "ip ipAddress addresses gateway dhcp hosts extraHosts", NULL, GUEST_DECIDES},
	{"", "arch architecture", NULL, "the guest has the architecture of its kernel"},
	{"", "accel accelerator kvm", NULL,
		"KVM is used where it works; MICROVM_ACCEL=tcg in the environment of microvm-run "
		"forces emulation"},
	{"", "init initPath", NULL,
		"the guest starts the program init of toplevel; \"init=PATH\" in kernelParams "
		"chooses another"},
	{"", "firmware bios uefi ovmf secureboot bootMode", NULL,
		"the hypervisor loads the kernel itself, without a firmware that could be chosen"},
	{"", "console consoles tty", NULL,
		"the guest's console is the terminal of microvm-run, or the journal of its unit"},
	{"", "autostart onboot restart restartPolicy", NULL,
		"\"systemctl enable microvm@NAME\" starts the VM with the host, and its unit "
		"restarts it"},
	{"", "dependsOn", NULL, "order the units microvm@NAME with drop-ins of systemd"},
	{"", "include includes import imports extends", NULL,
		"give several descriptions on the command line: they are merged"},
	{"", "label labels tags annotations metadata comment description", NULL,
		"keys that begin with \"x-\" are ignored; YAML comments begin with #"},
	{"", "version apiVersion kind schemaVersion", NULL, "a description has no version"},

	{"volumes",
		"mount mountPath mountDir target dest destination dir directory guestPath to on",
		"mountPoint", NULL},
	{"volumes", "path file filename source src img disk device dev pathOnHost diskImg name",
		"image", NULL},
	{"volumes", "capacity diskSize sizeMb sizeMib sizeGb length", "size", NULL},
	{"volumes", "format imageFormat diskFormat", "imageType", NULL},
	{"volumes", "fs filesystem fileSystem type", "fsType", NULL},
	{"volumes", "ro isReadOnly", "readOnly", NULL},
	{"volumes", "cache cacheType odirect", "direct", NULL},
	{"volumes", "id driveId", "serial", NULL},
	{"volumes", "create autoFormat", "autoCreate", NULL},
	{"volumes", "mkfsArgs fsArgs mkfsOptions mkfs", "mkfsExtraArgs", NULL},
	{"volumes", "fsLabel volumeLabel", "label", NULL},

	{"shares", "target dest destination mount mountPath guest guestPath to on", "mountPoint",
		NULL},
	{"shares", "location host hostPath src path dir directory sourceDir sharedDir from",
		"source", NULL},
	{"shares", "name id mountTag label", "tag", NULL},
	{"shares", "type protocol driver mountType fsType fs", "proto", NULL},
	{"shares", "ro isReadOnly writable rw", "readOnly", NULL},
	{"shares", "accessMode", "securityModel", NULL},
	{"shares", "acl", "posixAcl", NULL},
	{"shares", "sock", "socket", NULL},

	{"interfaces", "name ifname hostDevName ifaceId dev device interface host iface", "id",
		NULL},
	{"interfaces", "macAddress macaddr hwaddr guestMac address", "mac", NULL},
	{"interfaces", "kind driver backend vmnet", "type", NULL},
	{"interfaces", "br master switch network", "bridge", NULL},
	{"interfaces", "parent", "macvtap.link", NULL},
	{"interfaces", "ip ips ipAddress addresses gateway dns dhcp mask", NULL, GUEST_DECIDES},
	{"interfaces", "hostfwd ports forwardPorts portForwards", NULL,
		"forwardPorts is an option of the whole VM"},

	{"forwardPorts", "hostPort published publish hostPortRange", "host.port", NULL},
	{"forwardPorts", "guestPort containerPort target guestPortRange", "guest.port", NULL},
	{"forwardPorts", "hostIp hostAddress listen", "host.address", NULL},
	{"forwardPorts", "guestIp guestAddress", "guest.address", NULL},
	{"forwardPorts", "protocol", "proto", NULL},
	{"forwardPorts", "direction", "from", NULL},
	{"forwardPorts.host", "ip listen", "address", NULL},
	{"forwardPorts.guest", "ip", "address", NULL},

	{"devices", "type kind", "bus", NULL},
	{"devices", "id address host bdf pci device name source", "path", NULL},
	{"devices", "vendor vendorId product productId usb", "path", NULL},

	{"vsock", "guestCid contextId id address", "cid", NULL},
	{"vsock", "ready", "notify", NULL},
	{"graphics", "display type", "backend", NULL},
	{"graphics", "gpu on", "enable", NULL},
	{"virtiofsd", "threads threadPool", "threadPoolSize", NULL},
	{"virtiofsd", "path binary bin", "package", NULL},
	{"virtiofsd", "args", "extraArgs", NULL},
	{"storeDisk", "format fs fsType filesystem", "type", NULL},
	{"storeDisk", "compressor algorithm", "compression", NULL},
	{"stage1", "kernelModules", "modules", NULL},
	{"qemu", "args options", "extraArgs", NULL},
	{"cloud-hypervisor", "args options", "extraArgs", NULL},
	{"firecracker", "args options", "extraArgs", NULL},
	{"crosvm", "args options", "extraArgs", NULL},
	{"kvmtool", "args options", "extraArgs", NULL},
	{0},
};

const struct synonym host_synonyms[] = {
	{"", "machines virtualMachines guests instances containers microvms vm", "vms", NULL},
	{"", "defaults common base template", NULL,
		"VMs have no common options; put them into a key such as \"x-base: &base {...}\", "
		"and write \"<<: *base\" in each config"},
	{"", "directory dir dataDir statePath", "stateDir", NULL},
	{"", "hostUser owner", "user", NULL},
	{"", "hostGroup", "group", NULL},
	{"vms.*", "file path from include import", "source", NULL},
	{"vms.*", "description definition settings options vm", "config", NULL},
	{"vms.*", "enable enabled start onboot", "autostart", NULL},
	{"vms.*", "restart", "restartIfChanged", NULL},
	{"vms.*", "update flake", "updateFrom", NULL},
	{0},
};

const struct synonym value_synonyms[] = {
	{"hypervisor", "kvm tcg libvirt", "qemu", NULL},
	{"hypervisor", "ch clh", "cloud-hypervisor", NULL},
	{"hypervisor", "fc", "firecracker", NULL},
	{"hypervisor", "lkvm", "kvmtool", NULL},
	{"hypervisor", "vz", "vfkit", NULL},
	{"interfaces.type", "nat slirp usernet usermode passt default none shared", "user", NULL},
	{"interfaces.type", "bridged network", "bridge", NULL},
	{"interfaces.type", "ethernet host hostonly private", "tap", NULL},
	{"interfaces.type", "direct macvlan", "macvtap", NULL},
	{"shares.proto", "virtfs plan9 virtio9p", "9p", NULL},
	{"storeDisk.compression", "no off uncompressed", "none", NULL},
	{0},
};

/* ---- finding ---- */

static bool is_joint(char c)
{
	return c == '-' || c == '_';
}

/* Compares a with the first `length` bytes of b. */
static bool same(const char *a, const char *b, size_t length)
{
	const char *end = b + length;
	for (;;) {
		while (is_joint(*a))
			a++;
		while (b < end && is_joint(*b))
			b++;
		if (!*a || b == end)
			return !*a && b == end;
		if (tolower((unsigned char)*a++) != tolower((unsigned char)*b++))
			return false;
	}
}

bool synonym_same_word(const char *a, const char *b)
{
	return same(a, b, strlen(b));
}

static bool has_word(const char *words, const char *word)
{
	while (*words) {
		const size_t length = strcspn(words, " ");
		if (same(word, words, length))
			return true;
		words += length;
		words += strspn(words, " ");
	}
	return false;
}

/*
 * Whether the path of a map, "volumes[1]" or "vms.web1", belongs to the place "volumes" or "vms.*".
 */
static bool is_place(const char *path, const char *place)
{
	while (*path) {
		if (*path == '[')
			path += strcspn(path, "]") + (strchr(path, ']') != NULL);
		else if (*place == '*') {
			path += strlen(path);
			place++;
		} else if (*path++ != *place++)
			return false;
	}
	return !*place;
}

const struct synonym *synonym_find(const struct synonym *table, const char *place, const char *word)
{
	for (; table->words; table++)
		if (is_place(place, table->place) && has_word(table->words, word))
			return table;
	return NULL;
}
