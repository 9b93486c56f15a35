# SPDX-License-Identifier: MIT
# SSH over vsock. systemd (256 or newer) in the guest makes the socket where sshd is installed.
{ config, lib, ... }:

lib.mkIf (config.microvm.guest.enable && config.microvm.vsock.ssh.enable) {
  services.openssh.enable = true;
}
