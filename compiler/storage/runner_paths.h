/* SPDX-License-Identifier: MIT */
/* runner_paths: paths of files in a runner directory. */
#ifndef MVM_COMPILER_STORAGE_RUNNER_PATHS_H
#define MVM_COMPILER_STORAGE_RUNNER_PATHS_H

#define RUNNER_SHARE "share/microvm"
#define RUNNER_INITRD RUNNER_SHARE "/initrd"
#define RUNNER_KERNEL RUNNER_SHARE "/kernel"
#define RUNNER_VMLINUX RUNNER_SHARE "/vmlinux"
#define RUNNER_VOLUMES RUNNER_SHARE "/volumes"
#define VOLUME_MEMBER "image" /* the name of the image inside a volume's archive */
/* in place of the store disk: what the host links it from */
#define RUNNER_LINK_LIST RUNNER_SHARE "/link-list"
#define RUNNER_NEEDED RUNNER_SHARE "/host-store-paths"
#define RUNNER_MANIFEST RUNNER_SHARE "/manifest.json"
#define RUNNER_DESCRIPTION RUNNER_SHARE "/vm.json"

#endif
