#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands in for a hypervisor that somebody has escaped into, and tries what must be refused.

usage: escaped.py LIST: writes a line for each attempt, "refused NAME: REASON" or "done NAME"."""

import ctypes
import errno
import glob
import os
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
CALLS = {  # x86_64, arch/x86/entry/syscalls/syscall_64.tbl
    "ptrace": 101, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169,
    "sethostname": 170, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
    "quotactl": 179, "acct": 163, "pivot_root": 155, "chroot": 161, "kexec_load": 246,
    "add_key": 248, "keyctl": 250, "unshare": 272, "perf_event_open": 298, "fanotify_init": 300,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "finit_module": 313,
    "bpf": 321, "userfaultfd": 323, "fsopen": 430, "open_tree": 428, "mknod": 133,
    "setuid": 105, "setgid": 106, "capset": 126, "sched_setscheduler": 144,
    "lookup_dcookie": 212, "syslog": 103,
}


def call(name, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(CALLS[name], *[
        a.encode() if isinstance(a, str) else ctypes.c_long(a) for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def listed(path):
    if not os.listdir(path):
        raise FileNotFoundError(errno.ENOENT, "nothing is in " + path)


def write(path):
    with open(path, "ab") as file:
        file.write(b"x")


def found(pattern):
    if not glob.glob(pattern):
        raise FileNotFoundError(errno.ENOENT, "nothing matches " + pattern)


def connect(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def open_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise PermissionError(errno.EPERM, done.stderr.decode(errors="replace").strip()[:60])


def other_processes():
    """Processes of other users."""
    seen = [p for p in glob.glob("/proc/[0-9]*") if os.stat(p).st_uid != os.getuid()]
    if not seen:
        raise FileNotFoundError(errno.ENOENT, "no process of another user")


def make_setuid():
    with open("setuid", "wb"):
        pass
    try:
        os.chmod("setuid", 0o4755)
    finally:
        os.unlink("setuid")


def replace(path):
    os.symlink("/tmp", ".new")
    try:
        os.rename(".new", path)
    except OSError:
        os.unlink(".new")
        raise


CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET = 0x10000000, 0x00020000, 0x40000000
ATTEMPTS = [
    # ---- what others keep on the host ----
    ("read /etc/shadow", read, "/etc/shadow"),
    ("read the keys of the host's ssh", listed, "/etc/ssh"),
    ("list /root", listed, "/root"),
    ("list /home", listed, "/home"),
    ("list /boot", listed, "/boot"),
    ("list /srv", listed, "/srv"),
    ("list /var/log", listed, "/var/log"),
    ("read the host's /tmp", read, "/tmp/of-the-host"),
    ("list the host's /var/tmp", found, "/var/tmp/?*"),
    ("read another VM's volume", read, "/var/lib/microvms/other/data.img"),
    ("list another VM's directory", listed, "/var/lib/microvms/other"),
    ("connect to another VM's control socket", connect, "/var/lib/microvms/other/other.sock"),
    ("list another VM's runner", listed, "/run/microvms/other"),
    ("read the Nix database", read, "/nix/var/nix/db/db.sqlite"),
    # ---- processes ----
    ("see processes of others", other_processes),
    ("read the environment of process 1", read, "/proc/1/environ"),
    ("signal process 1", os.kill, 1, 0),
    ("attach to process 1", call, "ptrace", 16, 1, 0, 0),
    ("read the memory of process 1", read, "/proc/1/mem"),
    ("enter the namespaces of process 1", read, "/proc/1/ns/mnt"),
    # ---- root's units ----
    ("connect to systemd", connect, "/run/systemd/private"),
    ("connect to the system bus", connect, "/run/dbus/system_bus_socket"),
    ("write beside the runner of root's units", write, "/run/microvms/vm/x"),
    ("replace the runner of root's units", replace, "/run/microvms/vm/booted"),
    ("replace the link current", replace, "current"),
    ("replace the link booted", replace, "booted"),
    ("add a unit", write, "/run/systemd/system/x.service"),
    ("change the VM's unit", write, "/run/systemd/system/microvm@vm.service.d/x.conf"),
    ("change the runner", write, "/run/microvms/vm/booted/bin/tap-up"),
    # ---- writing ----
    ("write to /", write, "/x"),
    ("write to /usr", write, "/usr/x"),
    ("write to /etc", write, "/etc/x"),
    ("write to /var", write, "/var/x"),
    ("write to /run", write, "/run/x"),
    ("write to the store", write, "/nix/store/x"),
    ("change a kernel setting", write, "/proc/sys/kernel/core_pattern"),
    ("use the magic keys", write, "/proc/sysrq-trigger"),
    ("change a device by sysfs", write, "/sys/power/state"),
    ("leave the control group", write, "/sys/fs/cgroup/cgroup.procs"),
    # ---- devices ----
    ("read a disk of the host", found, "/dev/[svn][dv][a-z]*"),
    ("read the host's memory", read, "/dev/mem"),
    ("read the kernel's log", read, "/dev/kmsg"),
    ("read a console", read, "/dev/tty0"),
    ("make a device", call, "mknod", "disk", 0o60600, 0x800),
    # ---- the kernel ----
    ("load a module", call, "finit_module", 0, "", 0),
    ("load a module from memory", call, "init_module", 0, 0, ""),
    ("remove a module", call, "delete_module", "x", 0),
    ("mount", call, "mount", "x", "/tmp", "tmpfs", 0, 0),
    ("unmount", call, "umount2", "/usr", 2),
    ("open a file system", call, "fsopen", "tmpfs", 0),
    ("change the root", call, "chroot", "/tmp"),
    ("make a user namespace", call, "unshare", CLONE_NEWUSER),
    ("make a mount namespace", call, "unshare", CLONE_NEWNS),
    ("make a network namespace", call, "unshare", CLONE_NEWNET),
    ("open a file by its handle", call, "open_by_handle_at", 0, 0, 0),
    ("reach the ports of the machine", call, "iopl", 3),
    ("load a BPF program", call, "bpf", 5, 0, 0),
    ("measure the kernel", call, "perf_event_open", 0, -1, 0, -1, 0),
    ("watch all files", call, "fanotify_init", 0, 0),
    ("read the kernel's messages", call, "syslog", 3, 0, 0),
    ("load another kernel", call, "kexec_load", 0, 0, 0, 0),
    ("reboot", call, "reboot", 0, 0, 0),
    ("swap", call, "swapon", "x", 0),
    ("set the clock", call, "settimeofday", 0, 0),
    ("name the host", call, "sethostname", "x", 1),
    ("use the keyring", call, "keyctl", 0, -3, 1),
    # ---- users and privileges ----
    ("become root", os.setuid, 0),
    ("get a group of the host", os.setgroups, [0]),
    ("make a setuid program", make_setuid),
    ("gain privileges by a setuid program", run, "/usr/bin/setpriv", "--reuid", "0", "true"),
    ("run with real-time priority", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
    # ---- the network ----
    ("send raw packets", open_socket, socket.AF_INET, socket.SOCK_RAW, 1),
    ("listen on the network cards", open_socket, socket.AF_PACKET, socket.SOCK_RAW),
    ("use an exotic protocol", open_socket, socket.AF_ALG, socket.SOCK_SEQPACKET),
]


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for name, function, *arguments in ATTEMPTS:
            try:
                function(*arguments)
                print("done", name, file=out)
            except OSError as error:
                print(f"refused {name}: {error}", file=out)
        print("end", file=out)


main()
