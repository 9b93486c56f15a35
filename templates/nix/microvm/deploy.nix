# SPDX-License-Identifier: MIT
# Programs that bring a changed configuration to a host, and into a running VM.
{ config, lib, pkgs, ... }:

let
  inherit (lib) escapeShellArg getExe mkIf;
  inherit (config.system.build) toplevel;
  cfg = config.microvm;
  name = cfg.hostName;
  closureInfo = pkgs.closureInfo { rootPaths = [ toplevel ]; };

  # They are built on the host, not here.
  text = builtins.unsafeDiscardStringContext;
  built = package: "'${text package.drvPath}^out'";

  canSwitch = (config.system.switch.enable or true) && config.services.openssh.enable &&
    lib.any (share: share.source == cfg.storeDir) cfg.shares;

  # Sets `shell`, from the arguments behind the destination.
  head = usage: ''
    set -euo pipefail
    usage() {
      echo "usage: ''${0##*/} ${usage}" >&2
      exit 2
    }
  '';
  takeSudo = ''
    shell=bash
    if [ "''${1-}" = --use-remote-sudo ]; then
      shell='sudo bash'
      shift
    fi
  '';

  # Runs on the host.
  install = ''
    set -euo pipefail
    state=/var/lib/microvms/${name} roots=/nix/var/nix/gcroots/microvm
    group=microvm
    if ! getent group microvm >/dev/null; then group=kvm; fi
    # mvmbuild's hosts have a directory that belongs to root, microvm.nix's one of the user.
    if [ ! -d "$state" ]; then
      install -d -o root -g "$group" -m 1775 "$state"
    fi
    mkdir -p "$roots"
    ln -sfT "$state/current" "$roots/${name}"
    ln -sfT "$state/booted" "$roots/booted-${name}"
    ln -sfT "$state/old" "$roots/old-${name}"
    cd "$state"
    nix="nix --extra-experimental-features nix-command"
    $nix build -L --no-link ${lib.concatMapStringsSep " " built
      [ config.nix.package closureInfo toplevel ]}
    new=$($nix build -L --no-link --print-out-paths ${built cfg.declaredRunner})
    if [ "$(readlink -f current || true)" = "$new" ]; then
      echo "${name} is current"
    else
      if [ -e current ]; then
        $nix store diff-closures ./current "$new" || true
        mv -T current old
      fi
      ln -sT "$new" current
      echo "${name} is installed; systemctl restart microvm@${name} starts it"
    fi
  '';

  installOnHost = pkgs.writeShellScriptBin "microvm-install-on-host" ''
    ${head "root@HOST [--use-remote-sudo]"}
    [ $# -gt 0 ] || usage
    host=$1
    shift
    ${takeSudo}
    [ $# = 0 ] || usage
    nix --extra-experimental-features nix-command copy --no-check-sigs --to "ssh-ng://$host" \
      --derivation ${built closureInfo} ${built cfg.declaredRunner}
    # shellcheck disable=SC2086 # two words
    ssh "$host" -- $shell <${pkgs.writeText "microvm-install-${name}" install}
  '';

  # Runs in the VM.
  switch = ''
    set -euo pipefail
    if [ "$(cat /etc/hostname)" != ${escapeShellArg name} ]; then
      echo "this is $(cat /etc/hostname), and not ${name}" >&2
      exit 1
    fi
    ${text config.nix.package.outPath}/bin/nix-store --load-db \
      <${text closureInfo.outPath}/registration
    ${text config.nix.package.outPath}/bin/nix-env -p /nix/var/nix/profiles/system \
      --set ${text toplevel.outPath}
  '';

  sshSwitch = pkgs.writeShellScriptBin "microvm-switch" ''
    ${head "root@VM [--use-remote-sudo] [switch|boot|test|dry-activate]"}
    [ $# -gt 0 ] || usage
    vm=$1
    shift
    ${takeSudo}
    [ $# -lt 2 ] || usage
    {
      cat ${pkgs.writeText "microvm-switch-${name}" switch}
      echo "${text toplevel.outPath}/bin/switch-to-configuration $(printf %q "''${1:-switch}")"
    } | ssh "$vm" -- $shell
  '';

  rebuild = pkgs.writeShellScriptBin "microvm-rebuild" ''
    ${head "root@HOST root@VM [--use-remote-sudo] [switch|boot|test|dry-activate]"}
    [ $# -gt 1 ] || usage
    host=$1 vm=$2
    shift 2
    sudo=()
    if [ "''${1-}" = --use-remote-sudo ]; then
      sudo=("$1")
      shift
    fi
    ${getExe installOnHost} "$host" "''${sudo[@]}"
    ${if canSwitch
      then ''${getExe sshSwitch} "$vm" "''${sudo[@]}" "$@"''
      else ''ssh "$host" -- ''${sudo:+sudo} systemctl restart "microvm@${name}.service"''}
  '';
in
{
  microvm.deploy = {
    inherit installOnHost rebuild;
    sshSwitch = mkIf canSwitch sshSwitch;
  };
}
