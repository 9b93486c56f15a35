# SPDX-License-Identifier: MIT
# Main targets: all (the default), demo, check, bench, install. Needs GNU make and pkg-config; `make
# deps` installs the rest on Debian and Ubuntu. `make -j` builds on all processors.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
CC ?= cc
MUSL_CC ?= musl-gcc
AARCH64_CC ?= aarch64-linux-gnu-gcc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
WARNINGS += -Wwrite-strings -Wcast-qual -Wvla
WERROR ?=
PACKAGES := yaml-0.1 libarchive zlib ext2fs com_err uuid sqlite3 libzstd liblz4 libxxhash libcrypto
PACKAGES += json-c
ifneq ($(MAKECMDGOALS),deps)
PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PACKAGE_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
endif
STANDARD := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -I$(BUILD)
STANDARD += -DMVM_VERSION='"$(VERSION)"'
COMPILE = $(CC) $(STANDARD) $(WARNINGS) $(WERROR) $(CFLAGS) $(PACKAGE_CFLAGS) -pthread -MMD -MP
LINK_LIBS = $(PACKAGE_LIBS) -pthread $(LDFLAGS)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
endif

MAINS := compiler/main.c compiler/microvm/main.c
LIBRARY_ROOMS := base compiler compiler/* imaging/*
LIBRARY_ROOMS += backends backends/interface backends/qemu backends/cloud_hypervisor
LIBRARY := $(filter-out $(MAINS),$(sort $(wildcard $(addsuffix /*.c,$(LIBRARY_ROOMS)))))
OBJECTS := $(LIBRARY:%.c=$(BUILD)/%.o)
EMBEDDED := runner/*.sh host/*.sh systemd/*.in starter/*/*
EMBEDDED := $(sort $(wildcard $(addprefix templates/,$(EMBEDDED))))

all: $(BUILD)/mvmbuild $(BUILD)/microvm

$(BUILD)/mvmbuild: $(BUILD)/compiler/main.o
$(BUILD)/microvm: $(BUILD)/compiler/microvm/main.o
$(BUILD)/mvmbuild $(BUILD)/microvm: $(OBJECTS) $(BUILD)/embedded.o
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LINK_LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(COMPILE) -c -o $@ $<

# Programs that are carried inside mvmbuild, and the linker's option that makes the musl ones small.
CARRIED := -std=c11 -D_GNU_SOURCE -I. $(WARNINGS) $(WERROR) -Os -static -s
CARRIED += -ffunction-sections -fdata-sections -Wl,--gc-sections
SMALL := -Wl,-z,noseparate-code

# The kernel's headers for musl, which has none: links to those that the C compiler finds
# (linux-libc-dev). Last in order, so that musl's own headers come first.
KERNEL_HEADERS := $(BUILD)/kernel-headers
MUSL_COMPILE = $(MUSL_CC) $(CARRIED) $(SMALL) -idirafter $(KERNEL_HEADERS)
$(KERNEL_HEADERS):
	$(Q)rm -rf $@ $@.tmp && mkdir -p $@.tmp
	$(Q)for room in linux asm asm-generic; do \
		header=$$(echo "#include <$$room/types.h>" | $(CC) -M -xc - | tr ' ' '\n' | \
			grep "/$$room/types.h$$") || exit 1; \
		ln -s "$$(cd "$${header%/*}" && pwd)" $@.tmp/$$room || exit 1; \
	done && mv $@.tmp $@

# The part of base/ that depends on libc alone.
PLAIN_BASE := $(wildcard base/number.[ch] base/plain_*.[ch])

# The guest's first program: static, against musl, for the guest alone.
INIT := $(wildcard imaging/guest/init/*.c imaging/guest/init/*.h) $(PLAIN_BASE)
$(BUILD)/mvm-init: $(INIT) | $(KERNEL_HEADERS)
	@mkdir -p $(@D)
	$(say) MUSL $@
	$(Q)$(MUSL_COMPILE) -o $@ $(filter %.c,$^)

# The same program for guests of the other architecture, if a compiler for it is installed. Debian
# has no musl for it; with glibc it is ten times larger.
$(BUILD)/mvm-init-aarch64: $(INIT)
	@mkdir -p $(@D)
	$(say) CROSS $@
	$(Q)$(AARCH64_CC) $(CARRIED) -o $@ $(filter %.c,$^)

# The program that the runner's scripts call: static, so that it runs on any host.
RUNTIME := $(wildcard $(addprefix backends/runtime/,*.c *.h */*.c */*.h)) $(PLAIN_BASE)
$(BUILD)/mvm-host: $(RUNTIME) | $(KERNEL_HEADERS)
	@mkdir -p $(@D)
	$(say) MUSL $@
	$(Q)$(MUSL_COMPILE) -o $@ $(filter %.c,$^)

# The same program for hosts of the other architecture (hostSystem). The linker warns that a static
# glibc may find no users and groups but those of /etc, which is where the VM's are.
$(BUILD)/mvm-host-aarch64: $(RUNTIME)
	@mkdir -p $(@D)
	$(say) CROSS $@
	$(Q)$(AARCH64_CC) $(CARRIED) -Wl,--no-warnings -o $@ $(filter %.c,$^)

# The program that keeps a guest's Nix database: static, too, but with glibc, for which SQLite's
# static library is built. no_dlopen.c explains why dlopen is wrapped. Few distributions have that
# library: without it, the program is left out and a notice is printed.
STATIC_SQLITE := -lsqlite3 -lm
ifeq ($(filter deps clean uninstall,$(MAKECMDGOALS)),)
find_static_sqlite = $(shell echo 'int main(void) { return 0; }' | \
	$(1) -static -o /dev/null -xc - $(STATIC_SQLITE) 2>/dev/null && echo yes)
STATIC_SQLITE_FOUND := $(call find_static_sqlite,$(CC))
AARCH64_SQLITE_FOUND := $(call find_static_sqlite,$(AARCH64_CC))
endif
NIX_DB_BASE := $(addprefix base/,arena.c buf.c ending.c file.c network_fs.c)
NIX_DB_BASE += $(addprefix base/,sqlite_file.c tree.c work_lock.c) $(PLAIN_BASE)
NIX_DB_FLAGS = $(STANDARD) $(WARNINGS) $(WERROR) -Os -ffunction-sections -fdata-sections \
	-static -s -Wl,--gc-sections,--wrap=dlopen
NIX_DB := $(wildcard imaging/guest/nix_db/*.c imaging/guest/nix_db/*.h) $(NIX_DB_BASE)
$(BUILD)/mvm-nix-db: $(NIX_DB)
	@mkdir -p $(@D)
	$(say) STATIC $@
	$(Q)$(CC) $(NIX_DB_FLAGS) -o $@ $(filter %.c,$^) $(STATIC_SQLITE)
# With the static library of the other architecture (Debian's libsqlite3-dev:arm64).
$(BUILD)/mvm-nix-db-aarch64: $(NIX_DB)
	@mkdir -p $(@D)
	$(say) CROSS $@
	$(Q)$(AARCH64_CC) $(NIX_DB_FLAGS) -o $@ $(filter %.c,$^) $(STATIC_SQLITE)

# Files that are carried inside the program: struct embedded_file, templates/embedded.h.
PROGRAMS := $(BUILD)/mvm-init $(BUILD)/mvm-host
ifeq ($(STATIC_SQLITE_FOUND),yes)
PROGRAMS += $(BUILD)/mvm-nix-db
endif
ifneq ($(wildcard $(shell $(AARCH64_CC) -print-file-name=libc.a 2>/dev/null)),)
PROGRAMS += $(BUILD)/mvm-init-aarch64 $(BUILD)/mvm-host-aarch64
endif
ifeq ($(AARCH64_SQLITE_FOUND),yes)
PROGRAMS += $(BUILD)/mvm-nix-db-aarch64
endif
# PARTS=DIR: programs that were built elsewhere, in place of those that are built here: mvm-init,
# mvm-host and mvm-nix-db, and for other architectures mvm-init-ARCH and mvm-nix-db-ARCH for guests,
# mvm-host-ARCH for hosts.
PARTS ?=
PARTS_GIVEN := $(if $(PARTS),$(wildcard $(PARTS)/mvm-*))
PROGRAMS := $(filter-out $(addprefix $(BUILD)/,$(notdir $(PARTS_GIVEN))),$(PROGRAMS)) $(PARTS_GIVEN)
ifneq ($(filter %/mvm-nix-db,$(PARTS_GIVEN)),)
STATIC_SQLITE_FOUND := yes
endif
$(BUILD)/embedded.S: templates/embed.sh $(EMBEDDED) $(PROGRAMS)
ifneq ($(STATIC_SQLITE_FOUND),yes)
	@echo '  LEFT OUT mvm-nix-db: there is no static SQLite. VMs that keep a Nix database, or'
	@echo '           use that of the host, cannot be built: docs/dependencies.md.'
endif
	$(say) EMBED $@
	$(Q)sh templates/embed.sh $(PROGRAMS) $(EMBEDDED) > $@.tmp && mv $@.tmp $@
$(BUILD)/embedded.o: $(BUILD)/embedded.S
	$(Q)$(CC) -c -o $@ $<

# The usual variables for packagers: DESTDIR=… PREFIX=/usr.
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
BASHCOMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPLETIONDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPLETIONDIR ?= $(PREFIX)/share/fish/vendor_completions.d
DOCDIR ?= $(PREFIX)/share/doc/mvmbuild
DATADIR ?= $(PREFIX)/share/mvmbuild
UNITDIR ?= $(PREFIX)/lib/systemd/system
LIBEXECDIR ?= $(PREFIX)/libexec/mvmbuild
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
MODULESDIR ?= $(PREFIX)/lib/modules-load.d
# The state directory of the host's VMs, and the user and group that run them.
STATEDIR ?= /var/lib/microvms
HOSTUSER ?= microvm
HOSTGROUP ?= microvm
INSTALL ?= install
DOCUMENTS = $(wildcard docs/*.md docs/*schema.json)
# The Nix expressions, and what those of the host read.
NIX_FILES = $(patsubst templates/%,%,$(wildcard templates/nix/*.nix templates/nix/*/*.nix \
	templates/systemd/*.in templates/host/set-booted.sh))
install: all
	$(Q)$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' \
		'$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(BASHCOMPLETIONDIR)' \
		'$(DESTDIR)$(ZSHCOMPLETIONDIR)' '$(DESTDIR)$(FISHCOMPLETIONDIR)' \
		'$(DESTDIR)$(DOCDIR)/docs'
	$(Q)$(INSTALL) -m 755 $(BUILD)/mvmbuild $(BUILD)/microvm '$(DESTDIR)$(BINDIR)/'
	$(Q)$(INSTALL) -m 644 docs/mvmbuild.1 docs/microvm.1 '$(DESTDIR)$(MANDIR)/man1/'
	$(Q)$(INSTALL) -m 644 docs/vm.yaml.5 '$(DESTDIR)$(MANDIR)/man5/'
	$(Q)$(INSTALL) -m 644 templates/completion/mvmbuild.bash \
		'$(DESTDIR)$(BASHCOMPLETIONDIR)/mvmbuild'
	$(Q)ln -sfn mvmbuild '$(DESTDIR)$(BASHCOMPLETIONDIR)/microvm'
	$(Q)sed 's|@bashcompletiondir@|$(BASHCOMPLETIONDIR)|' templates/completion/mvmbuild.zsh.in \
		>'$(DESTDIR)$(ZSHCOMPLETIONDIR)/_mvmbuild'
	$(Q)sed 's|@bashcompletiondir@|$(BASHCOMPLETIONDIR)|' \
		templates/completion/mvmbuild.fish.in \
		>'$(DESTDIR)$(FISHCOMPLETIONDIR)/mvmbuild.fish'
	$(Q)ln -sfn mvmbuild.fish '$(DESTDIR)$(FISHCOMPLETIONDIR)/microvm.fish'
	$(Q)$(INSTALL) -m 644 README.md CHANGELOG.md LICENSE '$(DESTDIR)$(DOCDIR)/'
	$(Q)$(INSTALL) -m 644 $(DOCUMENTS) '$(DESTDIR)$(DOCDIR)/docs/'
	$(Q)for file in $(NIX_FILES); do \
		$(INSTALL) -D -m 644 templates/$$file '$(DESTDIR)$(DATADIR)'/$$file || \
			exit 1; done

# Units and settings for a host with systemd whose VMs start at boot.
UNIT_FILES = $(wildcard templates/systemd/*.service.in templates/systemd/*.target.in)
UNITS = $(notdir $(basename $(UNIT_FILES)))
FILL_UNIT = sed -e 's|@statedir@|$(STATEDIR)|g' -e 's|@user@|$(HOSTUSER)|g' \
	-e 's|@group@|$(HOSTGROUP)|g' -e 's|@libexecdir@|$(LIBEXECDIR)|g'
install-systemd:
	$(Q)$(INSTALL) -d '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(LIBEXECDIR)' \
		'$(DESTDIR)$(SYSUSERSDIR)' '$(DESTDIR)$(TMPFILESDIR)' '$(DESTDIR)$(MODULESDIR)'
	$(Q)$(INSTALL) -m 755 templates/host/set-booted.sh '$(DESTDIR)$(LIBEXECDIR)/set-booted'
	$(Q)for unit in $(UNITS); do \
		$(FILL_UNIT) templates/systemd/$$unit.in > '$(DESTDIR)$(UNITDIR)'/$$unit || \
			exit 1; done
	$(Q)$(INSTALL) -d '$(DESTDIR)$(UNITDIR)/multi-user.target.wants'
	$(Q)ln -sfn ../microvms.target \
		'$(DESTDIR)$(UNITDIR)/multi-user.target.wants/microvms.target'
	$(Q)$(FILL_UNIT) templates/systemd/mvmbuild.sysusers.in > \
		'$(DESTDIR)$(SYSUSERSDIR)/mvmbuild.conf'
	$(Q)$(FILL_UNIT) templates/systemd/mvmbuild.tmpfiles.in > \
		'$(DESTDIR)$(TMPFILESDIR)/mvmbuild.conf'
	$(Q)$(FILL_UNIT) templates/systemd/mvmbuild.modules.in > \
		'$(DESTDIR)$(MODULESDIR)/mvmbuild.conf'

uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/mvmbuild' '$(DESTDIR)$(BINDIR)/microvm'
	rm -f '$(DESTDIR)$(MANDIR)/man1/mvmbuild.1' '$(DESTDIR)$(MANDIR)/man1/microvm.1'
	rm -f '$(DESTDIR)$(MANDIR)/man5/vm.yaml.5'
	rm -f $(addprefix '$(DESTDIR)$(BASHCOMPLETIONDIR)'/,mvmbuild microvm) \
		'$(DESTDIR)$(ZSHCOMPLETIONDIR)/_mvmbuild' \
		$(addprefix '$(DESTDIR)$(FISHCOMPLETIONDIR)'/,mvmbuild.fish microvm.fish)
	rm -rf '$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(DATADIR)' '$(DESTDIR)$(LIBEXECDIR)'
	rm -f $(addprefix '$(DESTDIR)$(UNITDIR)'/,$(UNITS)) \
		'$(DESTDIR)$(UNITDIR)/multi-user.target.wants/microvms.target' \
		'$(DESTDIR)$(SYSUSERSDIR)/mvmbuild.conf' '$(DESTDIR)$(TMPFILESDIR)/mvmbuild.conf' \
		'$(DESTDIR)$(MODULESDIR)/mvmbuild.conf'

clean:
	rm -rf $(BUILD)

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d $(BUILD)/*/*/*/*.d)
include $(wildcard tests/tests.mk)

.PHONY: all install install-systemd uninstall clean
.DELETE_ON_ERROR:
