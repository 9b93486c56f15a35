# SPDX-License-Identifier: MIT
# Configurations of microvm.nix as templates/nix/export.nix sees them, each with one kind of thing
# that they were seen to contain: packages, functions, package sets, values that throw, what
# microvm.nix generates, options of modules that mvmbuild does not know. Needs no nixpkgs.
{ name, file ? false }:

let
  package = name: derivation {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo ${name} >$out" ];
  };
  never = what: throw "${what} is not to be evaluated";
  pkgs = { callPackage = f: f; stdenv = never "stdenv"; hello = package "hello"; };
  hypervisors = [
    "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" "vfkit"
  ];
  undefined = option: throw "The option `microvm.${option}' is used but not defined.";

  # All options that microvm.nix's guest module defines, with its defaults.
  defaults = hypervisor: {
    guest.enable = true;
    optimize.enable = true;
    cpu = null;
    inherit hypervisor;
    preStart = "";
    extraArgsScript = null;
    socket = "mock.sock";
    user = null;
    kernel = package "linux";
    initrdPath = "${package "initrd"}/initrd";
    vcpu = 1;
    mem = 512;
    hugepageMem = false;
    hotplugMem = 0;
    hotpluggedMem = 0;
    balloon = false;
    balloonMem = throw "removed option";
    initialBalloonMem = 0;
    deflateOnOOM = true;
    forwardPorts = [ ];
    volumes = [ ];
    interfaces = [ ];
    shares = [ ];
    devices = [ ];
    vsock = { cid = null; ssh.enable = false; };
    registerWithMachined = false;
    # The hash of "microvm.nix:mock".
    machineId = let hash = builtins.hashString "sha256" "microvm.nix:mock"; in
      builtins.concatStringsSep "-" (map ({ at, n }: builtins.substring at n hash) [
        { at = 0; n = 8; } { at = 8; n = 4; } { at = 12; n = 4; } { at = 16; n = 4; }
        { at = 20; n = 12; }
      ]);
    kernelParams = [
      "8250.nr_uarts=1" "init=/x/init" "regInfo=${package "closure-info"}/registration"
    ];
    storeOnDisk = true;
    registerClosure = true;
    writableStoreOverlay = null;
    graphics = {
      enable = false;
      crosvmPackage = never "graphics.crosvmPackage";
      backend = "gtk";
      socket = "mock-gpu.sock";
      vulkan = null;
      hostmem = "256M";
    };
    vmHostPackages = pkgs;
    qemu = {
      machine = "microvm";
      machineOpts = null;
      extraArgs = [ ];
      serialConsole = true;
      pcieRootPorts = [ ];
      package = package "qemu";
    };
    alioth.package = package "alioth";
    cloud-hypervisor = {
      platformOEMStrings = [ ];
      extraArgs = [ ];
      package = package "cloud-hypervisor";
    };
    crosvm = { extraArgs = [ ]; pivotRoot = null; package = package "crosvm"; };
    firecracker = {
      cpu = null;
      driveIoEngine = "Async";
      extraArgs = [ ];
      extraConfig = { };
      package = package "firecracker";
    };
    kvmtool.package = package "kvmtool";
    stratovirt.package = package "stratovirt";
    vfkit = {
      extraArgs = [ ];
      logLevel = "info";
      package = package "vfkit";
      rosetta = { enable = false; install = false; ignoreIfMissing = false; };
    };
    prettyProcnames = true;
    virtiofsd = {
      inodeFileHandles = "prefer";
      threadPoolSize = "`nproc`";
      group = "kvm";
      extraArgs = [ ];
      package = never "virtiofsd.package";
    };
    runner = builtins.listToAttrs
      (map (name: { inherit name; value = never "runner.${name}"; }) hypervisors);
    declaredRunner = never "declaredRunner";
    binScripts = { };
    storeDisk = package "store-disk";
    storeDiskType = "erofs";
    storeDiskErofsFlags = [ "-zlz4hc" "-Eztailpacking" "-Efragments" ];
    storeDiskSquashfsFlags = [ "-c" "zstd" "-j" "$NIX_BUILD_CORES" ];
    systemSymlink = false;
    credentialFiles = { };
    bootDisk = never "bootDisk";
    deploy = { installOnHost = never "deploy"; sshSwitch = null; rebuild = package "rebuild"; };
  }
  # The packages of other hypervisors must not become inputs.
  // builtins.listToAttrs (map (name: { inherit name; value = never name; })
    (builtins.filter (name: name != hypervisor) hypervisors));

  mock = microvm: {
    networking.hostName = "mock";
    system.build = {
      toplevel = package "nixos-system-mock";
      initialRamdisk = package "initrd";
    };
    system.boot.loader.initrdFile = "initrd";
    inherit microvm;
  };
  interface = type: {
    inherit type;
    id = "vm-${type}";
    # One of type user may have another one's address, as in an example of microvm.nix.
    mac = if type == "macvtap" then "02:00:00:00:00:02" else "02:00:00:00:00:01";
    bridge = if type == "bridge" then "br0" else null;
    macvtap =
      if type == "macvtap" then { link = "eth0"; mode = "bridge"; }
      else { link = undefined "interfaces.link"; mode = undefined "interfaces.mode"; };
    tap.vhost = false;
  };

  # As microvm.nix writes them.
  generatedScripts = {
    tap-up = ''
      set -eou pipefail
      if [ -e /sys/class/net/vm-tap ]; then
        /ip link delete 'vm-tap'
      fi

      /ip tuntap add name 'vm-tap' mode tap user 'microvm' vnet_hdr multi_queue
      /ip link set 'vm-tap' up
    '';
    tap-down = "set -ou pipefail\n/ip link delete 'vm-tap'\n";
    macvtap-up = ''
      set -eou pipefail
      if [ -e /sys/class/net/vm-macvtap ]; then
        /ip link delete 'vm-macvtap'
      fi
      /ip link add link 'eth0' name 'vm-macvtap' type macvtap mode 'bridge'
      /ip link set 'vm-macvtap' up
      /chown 'microvm:kvm' /dev/tap$(< "/sys/class/net/vm-macvtap/ifindex")
    '';
    macvtap-down = "set -ou pipefail\n/ip link delete 'vm-macvtap'\n";
    pci-setup = ''
      set -eou pipefail
      cd /sys/bus/pci/devices/0000:00:01.0
      chown microvm:kvm /dev/vfio/$VFIO_DEV
      cd /sys/bus/pci/devices/0000:00:02.0
      chown microvm:kvm /dev/vfio/$VFIO_DEV
    '';
    virtiofsd-run = "exec /bin/supervisord --configuration /vm.conf \"$@\"\n";
  };

  cases = {
    plain.microvm = defaults "qemu" // {
      volumes = [
        {
          image = /var/data.img; size = 8; mountPoint = null; label = null; autoCreate = true;
          fsType = "ext4"; readOnly = false; mkfsExtraArgs = [ ]; serial = null; direct = false;
          imageType = "raw";
        }
      ];
      shares = [
        {
          tag = "ro-store"; source = "/nix/store"; mountPoint = "/nix/.ro-store";
          readOnly = false;
        }
        { tag = "ro"; source = "/srv"; mountPoint = "/srv"; readOnly = true; }
      ];
      storeOnDisk = false;
      storeDisk = undefined "storeDisk";
      storeDiskType = undefined "storeDiskType";
      interfaces = [ (interface "user") (interface "tap") ];
      qemu = (defaults "qemu").qemu // {
        extraArgs = [ "-a" "b" ];
        package = package "qemu" // { configureFlags = [ "--disable-seccomp" ]; };
      };
    };
    plain.overrides.vcpu = 7;

    # Options of other modules, at the top and inside, and values that mean nothing to a host.
    foreign.microvm = defaults "qemu" // {
      _module.args = never "_module";
      vms.inner.config = never "vms";
      host.enable = false;
      autostart = [ "mock" ];
      tailscale.authKey = never "an unknown option";
      apply = x: x;
      user = throw "no user was given";
      volumes = [
        { image = "a.img"; size = 8; mountPoint = null; encrypted = true; label = x: x; }
      ];
      qemu = (defaults "qemu").qemu // {
        inherit pkgs;
        machineOpts = { accel = "tcg"; inherit pkgs; };
        package = { type = "derivation"; outPath = throw "the package is broken"; };
      };
    };

    # Scripts of microvm.nix, with and without additions, and scripts of somebody's own.
    scripts.microvm = defaults "qemu" // {
      interfaces = [ (interface "tap") (interface "macvtap") ];
      binScripts = generatedScripts // {
        backup = "echo backup";
        tap-up = generatedScripts.tap-up + "\n/ip link set dev 'vm-tap' master br0\n";
        pci-setup = generatedScripts.pci-setup + "\necho bound\n";
        virtiofsd-run = "mkdir -p data\n" + generatedScripts.virtiofsd-run;
      };
    };
    generated-scripts.microvm = defaults "qemu" // {
      interfaces = [ (interface "tap") (interface "macvtap") ];
      binScripts = generatedScripts;
    };
    own-scripts.microvm = defaults "qemu" // {
      interfaces = [ (interface "tap") ];
      binScripts.tap-up = "my-switch attach vm-tap\n";
      binScripts.virtiofsd-run = "exit 1\n";
      volumes = [ { image = "/dev/vg/home"; autoCreate = false; size = 0; } ];
    };

    # Values that differ from microvm.nix's defaults.
    own.microvm = defaults "qemu" // {
      machineId = "00112233-4455-6677-8899-aabbccddeeff";
      initrdPath = "${package "my-initrd"}/initrd";
      shares = [ { tag = "s"; source = "/s"; mountPoint = "/s"; proto = "virtiofs"; } ];
      virtiofsd = { group = "users"; package = package "virtiofsd"; };
    };

    guest-initrd.microvm = defaults "qemu";
    guest-initrd.overrides.initrd = "guest";

    broken-element.microvm = defaults "qemu" // {
      interfaces = [ (interface "user") (throw "this interface has no address") ];
    };
    balloon-memory.microvm = defaults "qemu" // { balloonMem = 512; };
    graphics.microvm = defaults "cloud-hypervisor" // {
      graphics = (defaults "qemu").graphics // { enable = true; crosvmPackage = package "crosvm"; };
    };
    missing = { };
  } // builtins.listToAttrs (map
    (name: { inherit name; value.microvm = defaults name; }) hypervisors);
  case = cases.${name};
in
import ../../../../templates/nix/export.nix {
  inherit file;
  config = if case ? microvm then mock case.microvm else removeAttrs (mock { }) [ "microvm" ];
  overrides = case.overrides or { };
}
