/* SPDX-License-Identifier: MIT */
/* faults: what a build found damaged in caches, from any of its threads, to be told at its end. */
#ifndef MVM_IMAGING_CACHE_FAULTS_H
#define MVM_IMAGING_CACHE_FAULTS_H

#include "base/diag.h"
#include "imaging/cache/object.h"

struct cache_faults;

struct cache_faults *cache_faults_new(void);
void cache_faults_free(struct cache_faults *faults);
/*
 * `path` is the file, `inside` the store path's name when it is one of many in that file, else
 * NULL; both are copied. `error` is that of OBJECT_UNREADABLE. `cure` is a literal that says what
 * was done instead.
 */
void cache_faults_add(struct cache_faults *faults, const char *path, const char *inside,
	enum object_fault fault, int error, const char *cure);
/* Warns of each, in the order of their paths; of very many it names some. */
void cache_faults_tell(const struct cache_faults *faults, struct diag *diag);

#endif
