# SPDX-License-Identifier: MIT
# A guest with a display: programs that show their windows on the host.
{ config, lib, pkgs, ... }:

let
  inherit (lib) getExe;
in
lib.mkIf (config.microvm.guest.enable && config.microvm.graphics.enable) {
  boot.kernelModules = [ "drm" "virtio_gpu" ];

  environment.systemPackages = [
    # Wayland programs over the GPU's own channel.
    (pkgs.writeShellScriptBin "run-wayland-proxy" ''
      exec ${getExe pkgs.wayland-proxy-virtwl} --virtio-gpu -- "$@"
    '')
    # Wayland programs over vsock, for waypipe on the host, port 6000.
    (pkgs.writeShellScriptBin "run-waypipe" ''
      exec ${getExe pkgs.waypipe} --vsock -s 2:6000 server "$@"
    '')
  ];
}
