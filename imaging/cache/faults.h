/* SPDX-License-Identifier: MIT */
/*
 * faults: collects the damage that any thread of a build found in caches, to be reported at its
 * end.
 */
#ifndef MVM_IMAGING_CACHE_FAULTS_H
#define MVM_IMAGING_CACHE_FAULTS_H

#include "base/diag.h"
#include "imaging/cache/object.h"

struct cache_faults;

struct cache_faults *cache_faults_new(void);
void cache_faults_free(struct cache_faults *faults);
/*
 * `path` is the file; `inside` is the store path's name if the file holds many, else NULL; both are
 * copied. `error` is the errno of OBJECT_UNREADABLE. `cure` is a literal that names the
 * consequence.
 */
void cache_faults_add(struct cache_faults *faults, const char *path, const char *inside,
	enum object_fault fault, int error, const char *cure);
/*
 * Records a warning for each fault, sorted by path; only for the first ones if there are very many.
 */
void cache_faults_report(const struct cache_faults *faults, struct diag *diag);

#endif
