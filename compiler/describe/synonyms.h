/* SPDX-License-Identifier: MIT */
/*
 * synonyms: the names that options and values have in other tools: Lima, Vagrant, compose files,
 * libvirt, Firecracker, cloud-hypervisor, QEMU, quickemu, Incus and NixOS's virtualisation.*.
 */
#ifndef MVM_COMPILER_DESCRIBE_SYNONYMS_H
#define MVM_COMPILER_DESCRIBE_SYNONYMS_H

#include <stdbool.h>
#include <stddef.h>

struct synonym {
	/*
	 * the option whose map has the name: "volumes", "forwardPorts.host"; "vms.*": each of a
	 * map's elements; "": the top
	 */
	const char *place;
	/* separated by blanks; case, '-' and '_' are ignored */
	const char *words;
	/* below `place`: "vcpu", "vsock.ssh.enable"; NULL if there is no such option */
	const char *option;
	const char *advice; /* completes "unknown option "x"; ..."; NULL if there is an option */
};

/* For names of options; ends with a row without words. */
extern const struct synonym synonyms[];
/* The same for host files. */
extern const struct synonym host_synonyms[];
/* For values: `place` is an option with choices, `option` one of them; ends like the other table.
 */
extern const struct synonym value_synonyms[];

/* Whether two names differ at most in case, '-' and '_'. */
bool synonym_same_word(const char *a, const char *b);
/*
 * The row for a word. Elements of lists are omitted in the place: "volumes" for "volumes[1]". NULL
 * if there is none.
 */
const struct synonym *synonym_find(
	const struct synonym *table, const char *place, const char *word);

#endif
