# SPDX-License-Identifier: MIT
# NixOS configurations with templates/nix/microvm, evaluated and not built, for
# e2e/nix/nixos_module_test.sh. Each is what users of microvm.nix write, without a change.
{
  nixpkgs,
}:

let
  lib = import (nixpkgs + "/lib");
  # One package set for all of them.
  pkgs = import nixpkgs {
    system = "x86_64-linux";
    overlays = [
      (final: previous: {
        mvmbuild = previous.hello;
        # Newer than some versions of nixpkgs.
        alioth = previous.alioth or previous.hello;
        vfkit = previous.hello; # for macOS only
        cloud-hypervisor-graphics = previous.cloud-hypervisor-graphics or previous.hello;
        # They are built in Haskell, and a small copy of nixpkgs may lack it.
        shellcheck = previous.hello;
        shellcheck-minimal = previous.hello // { compiler = previous.hello; };
      })
    ];
  };
  system = module: import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit lib;
    system = null;
    modules = [
      ../../../../templates/nix/microvm
      {
        networking.hostName = lib.mkDefault "vm";
        system.stateVersion = lib.trivial.release;
        nixpkgs.pkgs = pkgs;
      }
      module
    ];
  };

  storeShare = proto: {
    tag = "ro-store";
    source = "/nix/store";
    mountPoint = "/nix/.ro-store";
    inherit proto;
  };
  tap = { type = "tap"; id = "vm-test"; mac = "02:00:00:00:00:01"; };
  user = { type = "user"; id = "qemu"; mac = "02:00:00:01:01:01"; };
  volume = { image = "data.img"; mountPoint = "/data"; size = 256; };

  configurations = rec {
    empty = { };
    user-network = {
      microvm = {
        interfaces = [ user ];
        forwardPorts = [{ from = "host"; host.port = 2222; guest.port = 22; }];
      };
      services.openssh.enable = true;
    };
    volumes.microvm.volumes = [
      volume
      { image = "var.img"; mountPoint = "/var"; size = 1024; fsType = "xfs"; label = "var"; }
      { image = "/dev/sdx"; mountPoint = "/disk"; autoCreate = false; size = 0; }
      { image = "raw.img"; mountPoint = null; size = 16; serial = "raw"; }
    ];
    store-9p = {
      microvm.shares = [ (storeShare "9p") ];
      services.openssh.enable = true;
    };
    store-virtiofs.microvm.shares = [
      (storeShare "virtiofs")
      {
        tag = "home";
        source = "home";
        mountPoint = "/home";
        proto = "virtiofs";
        socket = "h.sock";
      }
    ];
    store-in-place.microvm.shares = [ (storeShare "9p" // { mountPoint = "/nix/store"; }) ];
    writable = {
      microvm = {
        writableStoreOverlay = "/nix/.rw-store";
        volumes = [ { image = "rw.img"; mountPoint = "/nix/.rw-store"; size = 2048; } volume ];
      };
    };
    writable-memory.microvm.writableStoreOverlay = "/nix/.rw-store";
    writable-over-host.microvm = {
      writableStoreOverlay = "/nix/.rw-store";
      shares = [
        (storeShare "virtiofs")
        { tag = "rw"; source = "rw"; mountPoint = "/nix/.rw-store"; proto = "virtiofs"; }
      ];
    };
    firecracker.microvm = {
      hypervisor = "firecracker";
      volumes = [ volume ];
      interfaces = [ tap ];
      firecracker.driveIoEngine = "Sync";
    };
    cloud-hypervisor = {
      microvm = {
        hypervisor = "cloud-hypervisor";
        interfaces = [
          (tap // { type = "macvtap"; macvtap = { link = "eth0"; mode = "bridge"; }; })
        ];
        vsock = { cid = 3; ssh.enable = true; };
        balloon = true;
        hotplugMem = 1024;
        cloud-hypervisor.platformOEMStrings = [ "io.systemd.credential:KEY=secret" ];
      };
    };
    scripts.microvm = {
      interfaces = [ tap ];
      binScripts = {
        tap-up = lib.mkAfter "echo after";
        tap-down = lib.mkForce "echo down";
        virtiofsd-run = lib.mkBefore "mkdir -p data";
        pci-setup = "echo pci";
      };
    };
    crosvm.microvm = { hypervisor = "crosvm"; interfaces = [ tap ]; volumes = [ volume ]; };
    kvmtool.microvm = {
      hypervisor = "kvmtool";
      interfaces = [ tap ];
      volumes = [ (volume // { label = "data"; }) ];
      kvmtool.package = lib.mkForce "/nix/store/00000000000000000000000000000000-kvmtool";
    };
    stratovirt.microvm = { hypervisor = "stratovirt"; vcpu = 2; interfaces = [ tap ]; };
    alioth.microvm.hypervisor = "alioth";
    vfkit.microvm = {
      hypervisor = "vfkit";
      vfkit.logLevel = null;
    };
    erofs.microvm = { storeDiskType = "erofs"; storeDiskErofsFlags = [ "-zlz4hc" ]; };
    pmem.microvm = {
      hypervisor = "firecracker";
      firecracker.version = "1.14";
      storeDisk = { type = "erofs"; compression = "none"; device = "pmem"; };
      volumes = [ { image = "data.img"; mountPoint = "/data"; size = 8; fsType = "vfat"; } ];
    };
    pmem-guest.microvm = {
      qemu.machine = "q35";
      mvmbuild.initrd = "guest";
      storeDisk = { type = "erofs"; compression = "none"; device = "pmem"; };
      writableStoreOverlay = "/nix/.rw-store";
    };
    verity.microvm.storeDisk = { verity = true; compression = "zstd"; };
    graphics.microvm.graphics = { enable = true; backend = "headless"; vulkan = "venus"; };
    devices.microvm = {
      devices = [ { bus = "pci"; path = "0000:06:00.1"; } ];
      qemu = {
        machine = "q35";
        machineOpts.kernel-irqchip = "split";
        pcieRootPorts = [ { id = "port0"; bus = "pcie.0"; chassis = 0; } ];
        extraArgs = [ "-vga" "none" ];
        serialConsole = false;
      };
    };
    everything = {
      networking.hostName = "all";
      boot.kernelParams = [ "debug" ];
      microvm = {
        mem = "1G";
        vcpu = 4;
        cpu = "qemu64";
        hugepageMem = true;
        balloon = true;
        deflateOnOOM = false;
        user = "qemu";
        socket = null;
        machineId = "a67472e5-570e-5c8a-b18c-ae3c77701050";
        registerWithMachined = true;
        preStart = "echo start";
        extraArgsScript = "/bin/args";
        binScripts.tool = "echo tool";
        credentialFiles.key = /etc/hostname;
        kernelParams = [ "quiet" ];
        virtiofsd = { group = null; threadPoolSize = 4; inodeFileHandles = "never"; };
        optimize.enable = false;
        prettyProcnames = false;
        interfaces = [
          (tap // { tap.vhost = true; })
          { type = "bridge"; id = "b"; bridge = "br0"; }
        ];
      };
    };
    # Parts of impermanence: mvmbuild's own initrd would not mount it.
    root-by-default.fileSystems."/" = lib.mkDefault {
      device = "rootfs";
      fsType = "tmpfs";
      options = [ "size=20%" "mode=0755" ];
    };

    needed-for-boot = {
      microvm.volumes = [ { image = "p.img"; mountPoint = "/persist"; size = 512; } ];
      fileSystems."/persist".neededForBoot = true;
      fileSystems."/var/lib" = {
        device = "/persist/var/lib";
        fsType = "none";
        options = [ "bind" ];
      };
    };
    own-hooks.boot.initrd = {
      systemd.enable = false;
      postMountCommands = lib.mkAfter "echo mounted";
    };
    own-units.boot.initrd.systemd.services.early.script = "echo early";
    etc-overlay = {
      boot.initrd.systemd.enable = true;
      system.etc.overlay.enable = true;
    };
    # Older nixpkgs have no such option.
    nixos-init = {
      options = lib.optionalAttrs (!declaresNixosInit) {
        system.nixos-init.enable = lib.mkEnableOption "nixos-init";
      };
      config = {
        boot.initrd.systemd.enable = true;
        system.etc.overlay.enable = true;
        system.nixos-init.enable = true;
        services = lib.optionalAttrs declaresNixosInit { userborn.enable = true; };
      };
    };
    initrd-modules.boot.initrd.kernelModules = [ "virtio_gpu" ];
    no-nix = { nix.enable = false; microvm.guest.enable = true; };
    scripted.boot.initrd.systemd.enable = false;
  };

  mistakes = {
    "the image \"data.img\"".microvm.volumes = [ volume (volume // { mountPoint = "/other"; }) ];
    "the id \"vm-test\"".microvm.interfaces = [ tap tap ];
    "needs `bridge`".microvm.interfaces = [ { type = "bridge"; id = "b"; } ];
    "Linux allows 15".microvm.interfaces = [ (tap // { id = "sixteen-letters-"; }) ];
    "the tag \"ro-store\"".microvm.shares = [ (storeShare "9p") (storeShare "virtiofs") ];
    "need posixAcl = false".microvm.shares = [
      (storeShare "virtiofs" // { extraArgs = [ "--translate-uid=map:0:1:1" ]; })
    ];
    "forwardPorts needs".microvm.forwardPorts = [ { host.port = 1; guest.port = 1; } ];
    "vsock.ssh.enable needs".microvm.vsock.ssh.enable = true;
    "auto-optimise-store to be false" = {
      microvm.writableStoreOverlay = "/nix/.rw-store";
      nix.settings.auto-optimise-store = true;
    };
    "needs a share of /nix/store".microvm.storeOnDisk = false;
    "needs a `size`".microvm.volumes = [ (removeAttrs volume [ "size" ]) ];
    "without oem_strings=".microvm = {
      hypervisor = "cloud-hypervisor";
      cloud-hypervisor.platformOEMStrings = [ "oem_strings=[a]" ];
    };
    "needs mvmbuild's own initrd".microvm = {
      storeDisk.verity = true;
      mvmbuild.initrd = "guest";
    };
  };

  declaresNixosInit = (system { }).options.system ? nixos-init;

  failed = evaluated: map (check: check.message)
    (lib.filter (check: !check.assertion) evaluated.config.assertions);
in
{
  reports = lib.mapAttrs
    (name: module:
      let
        inherit (evaluated) config;
        evaluated = system module;
        inherit (config.microvm) declaredRunner;
      in
      {
        inherit (declaredRunner) description;
        inherit (config.microvm.mvmbuild) initrd mounts;
        failed = failed evaluated;
        inherit (config.boot) postBootCommands;
        registration = config.systemd.services.register-nix-paths.script or null;
        fstab = config.environment.etc.fstab.text;
        modules = config.boot.initrd.availableKernelModules;
        runner = declaredRunner.drvPath;
        toplevel = config.system.build.toplevel.drvPath;
        passthru = { inherit (declaredRunner) canShutdown hypervisor machineId tapMultiQueue; };
      })
    configurations;

  # The messages that each mistake causes.
  refused = lib.mapAttrs (name: module: failed (system module)) mistakes;

  # How mvmbuild is built with the programs of the other architecture.
  foreign = builtins.unsafeDiscardStringContext
    (pkgs.callPackage ../../../../package.nix { withForeign = true; }).preBuild;

  # Every runner of one configuration, and the programs for deployment.
  others = lib.mapAttrs (name: package: package.drvPath) (system { }).config.microvm.runner;
  deploy = lib.mapAttrs (name: package: if package == null then null else package.drvPath)
    (system configurations.store-9p).config.microvm.deploy;
}
