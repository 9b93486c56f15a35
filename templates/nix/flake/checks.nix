# SPDX-License-Identifier: MIT
# The flake's checks: the package with its own tests, the evaluation of all examples, and NixOS
# tests that boot VMs. Those need KVM inside KVM to be fast.
{
  pkgs,
  modules, # nixosModules
  mvmbuild,
  systems, # of examples.nix
}:

let
  inherit (pkgs) lib;

  # What boots in each test: a guest that reports when it is up, and ends when it is asked to.
  guest = hypervisor: {
    system.stateVersion = lib.trivial.release;
    microvm = {
      inherit hypervisor;
      mem = 512;
      volumes = [ {
        image = "var.img";
        mountPoint = "/var";
        size = 256;
      } ];
    };
  };

  test = name: node: script: pkgs.testers.runNixOSTest {
    name = "mvmbuild-${name}";
    nodes.host = {
      imports = [ modules.host node ];
      virtualisation = {
        cores = 2;
        memorySize = 2048;
        diskSize = 4096;
        qemu.options = lib.optionals pkgs.stdenv.hostPlatform.isx86_64 [ "-cpu" "max" ];
      };
    };
    testScript = script;
  };

  boots = hypervisor: test hypervisor {
    microvm.vms.one.config = guest hypervisor;
  } ''
    host.wait_for_unit("microvm@one.service", timeout=1200)
    host.wait_until_succeeds(
        "journalctl -b -u microvm@one | grep 'Reached target.*Multi-User System'", timeout=1200
    )
    host.succeed("test $(stat -c %U:%G:%a /var/lib/microvms/one) = root:microvm:1775")
    host.succeed("test -s /var/lib/microvms/one/var.img")
    host.succeed("microvm -l | grep 'one .*running'")
    host.succeed("systemctl stop microvm@one.service")
    host.succeed("test $(systemctl show -P Result microvm@one.service) = success")
  '';

  # A rebuild of the host restarts a VM that it changes, and no other.
  updates = test "update" {
    microvm.vms = {
      changes.config = guest "qemu";
      stays.config = guest "qemu";
    };
    specialisation.next.configuration.microvm.vms.changes.config = {
      environment.etc.next.text = "";
    };
  } ''
    host.wait_for_unit("microvm@changes.service", timeout=1200)
    host.wait_for_unit("microvm@stays.service", timeout=1200)
    pid = "systemctl show -P MainPID microvm@{}.service"
    changes, stays = (host.succeed(pid.format(name)) for name in ["changes", "stays"])
    old = host.succeed("readlink /var/lib/microvms/changes/current")
    host.succeed("/run/booted-system/specialisation/next/bin/switch-to-configuration test >&2")
    host.wait_for_unit("microvm@changes.service", timeout=1200)
    assert old != host.succeed("readlink /var/lib/microvms/changes/current")
    assert changes != host.succeed(pid.format("changes"))
    assert stays == host.succeed(pid.format("stays"))
  '';

  # A VM that the configuration does not declare, of a runner that has no scripts but one.
  imperative = test "imperative" { } ''
    directory = "/var/lib/microvms/test"
    host.wait_for_unit("multi-user.target")
    host.succeed(f"mkdir -p {directory} /opt/runner/bin")
    host.succeed(
        "printf '#!/bin/sh\nexec sleep infinity\n' >/opt/runner/bin/microvm-run",
        "chmod +x /opt/runner/bin/microvm-run",
        f"ln -s /opt/runner {directory}/current",
        "systemctl start microvm@test.service",
        "systemctl stop microvm@test.service",
    )
  '';

  bootable = lib.filter (hypervisor: systems ? "${hypervisor}-example")
    [ "qemu" "cloud-hypervisor" "firecracker" "crosvm" "kvmtool" "stratovirt" "alioth" ];
in
{
  package = mvmbuild;

  # Evaluates every example, and builds none.
  examples = pkgs.writeText "mvmbuild-examples" (lib.concatMapStrings
    (name: "${name} ${builtins.unsafeDiscardStringContext
      systems.${name}.config.microvm.declaredRunner.drvPath}\n") (lib.attrNames systems));

  inherit updates imperative;
} // lib.listToAttrs (map (hypervisor: lib.nameValuePair "boot-${hypervisor}" (boots hypervisor))
  bootable)
