# SPDX-License-Identifier: MIT
# Guests of microvm.nix: what its examples and tests configure for each hypervisor, and the kinds of
# things that configurations in public repositories were seen to have.
let
  hypervisors = [
    "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth"
  ];
  named = name: microvm: { networking.hostName = name; inherit microvm; };
  store = proto:
    { tag = "ro-store"; source = "/nix/store"; mountPoint = "/nix/.ro-store"; inherit proto; };
  user = { type = "user"; id = "net"; mac = "02:00:00:01:01:01"; };
  tap = { type = "tap"; id = "vm-tap"; mac = "02:00:00:01:01:02"; };
  macvtap = mode: {
    type = "macvtap";
    id = "vm-macvtap";
    mac = "02:00:00:01:01:03";
    macvtap = { link = "eth0"; inherit mode; };
  };
  overlay = {
    writableStoreOverlay = "/nix/.rw-store";
    volumes = [ { image = "store.img"; label = "rw"; mountPoint = "/nix/.rw-store"; size = 128; } ];
  };
  for = prefix: list: microvm: builtins.listToAttrs (map
    (hypervisor: rec {
      name = "${prefix}-${hypervisor}";
      value = named name ({ inherit hypervisor; } // microvm);
    }) list);
in
for "plain" hypervisors { }
// for "user" [ "qemu" "kvmtool" ] { interfaces = [ user ]; }
// for "tap" hypervisors { interfaces = [ tap ]; vcpu = 2; }
// for "overlay" hypervisors overlay
// for "machined" hypervisors { registerWithMachined = true; vsock.cid = 42; }
// for "virtiofs" [ "qemu" "cloud-hypervisor" "crosvm" "stratovirt" "alioth" ]
  { shares = [ (store "virtiofs") ]; }
// for "permissions-only" [ "crosvm" "kvmtool" ] { shares = [ (store "9p") ]; }
// {
  # The same address twice, as in microvm.nix's example.
  both-interfaces = named "both-interfaces" {
    shares = [ (store "9p") ];
    interfaces = [ user (tap // { mac = user.mac; }) ];
    forwardPorts = [ { host.port = 2222; guest.port = 22; } ];
  };
  graphics-qemu = named "graphics-qemu" {
    graphics.enable = true;
    qemu.extraArgs = [ "-vnc" ":0" "-device" "usb-tablet" ];
  };
  store-overlay = named "store-overlay" (overlay // {
    shares = [
      (store "virtiofs" // { posixAcl = false; extraArgs = [ "--translate-uid" "guest:0:0:1" ]; })
    ];
  });
  # Found in public repositories.
  joins-bridge = { lib, ... }: named "joins-bridge" {
    hypervisor = "cloud-hypervisor";
    vcpu = 16;
    mem = 8192;
    hotplugMem = 65536;
    hotpluggedMem = 8192;
    vsock.cid = 4;
    interfaces = [ tap ];
    binScripts.tap-up = lib.mkAfter "/ip link set dev vm-tap master br0";
    volumes = [
      { mountPoint = "/var"; image = "var.img"; size = 256; }
      { mountPoint = "/home"; image = "/dev/zvol/pool/vm"; autoCreate = false; }
    ];
    shares = [ (store "virtiofs") ];
  };
  replaces-script = { lib, ... }: named "replaces-script" {
    interfaces = [ tap ];
    shares = [ (store "virtiofs") ];
    binScripts.tap-up = lib.mkForce "/switch attach vm-tap";
    binScripts.virtiofsd-run = lib.mkBefore "mkdir -p data";
  };
  vepa = named "vepa" (overlay // {
    vcpu = 2;
    interfaces = [ (macvtap "vepa") ];
    shares = [ (store "virtiofs") ];
  });
  huge-pages = named "huge-pages" {
    hypervisor = "cloud-hypervisor";
    hugepageMem = true;
    interfaces = [ (macvtap "private") ];
    virtiofsd.threadPoolSize = "0";
    shares = [ (store "virtiofs") ];
  };
  console = named "console" {
    hypervisor = "cloud-hypervisor";
    cloud-hypervisor.extraArgs = [ "--serial" "file=/tmp/log" "--console" "off" ];
    kernelParams = [ "console=ttyS0" "panic=1" ];
    interfaces = [ tap ];
  };
  root-volume = named "root-volume" {
    hypervisor = "cloud-hypervisor";
    socket = "run/control.sock";
    writableStoreOverlay = "/var/lib/overlay";
    cloud-hypervisor.extraArgs = [ "--vsock" "cid=3,socket=run/notify.vsock" ];
    volumes = [ { image = "images/root.img"; size = 2048; label = "root"; mountPoint = "/"; } ];
  };
  machine-options = named "machine-options" {
    cpu = "max";
    virtiofsd.group = null;
    qemu.machineOpts = { accel = "kvm:tcg"; acpi = "on"; pcie = "on"; };
    shares = [
      { proto = "9p"; tag = "cwd"; source = "."; mountPoint = "/cwd"; securityModel = "mapped"; }
    ];
  };
  devices = named "devices" {
    devices = [ { bus = "pci"; path = "0000:00:14.3"; } ];
    qemu.extraArgs = [ "-usb" "-device" "usb-host,vendorid=0x0525,productid=0xa4a2" ];
    credentialFiles.key = "/run/secrets/key";
  };
  firmware-config = named "firmware-config" {
    qemu.serialConsole = false;
    qemu.extraArgs = [ "-serial" "file:./console.log" "-fw_cfg" "name=opt/key,file=./key" ];
    extraArgsScript = "/extra-args";
    preStart = "rm -rf scratch";
    interfaces = [ user ];
  };
  hotplug = named "hotplug" {
    qemu.machine = "q35";
    hotplugMem = 8192;
    vsock = { cid = 3; ssh.enable = true; };
    balloon = true;
    deflateOnOOM = false;
  };
  fw-cfg-crosvm = named "fw-cfg-crosvm" {
    hypervisor = "crosvm";
    balloon = true;
    crosvm.extraArgs = [ "--fw-cfg" "name=opt/a,path=/run/a" "--nested" "mode=off" ];
  };
  # Options of a module that is neither microvm.nix's nor ours.
  foreign = { lib, ... }: {
    options.microvm.qemu.bios.enable = lib.mkOption { default = true; };
    options.microvm.vms = lib.mkOption { default = { }; };
    config = named "foreign" { qemu.bios.enable = false; vms.inner.config = { }; };
  };
}
