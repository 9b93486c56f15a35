/* SPDX-License-Identifier: MIT */
/*
 * growth_log: completes a growth of an ext image that an older mvm-host began. That program
 * enlarged file systems on the host, with a log beside the image, IMAGE.grow. If it was killed or
 * the power failed, it left the log and a partly changed image.
 */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_GROWTH_LOG_H
#define MVM_BACKENDS_RUNTIME_VOLUME_GROWTH_LOG_H

#include "backends/runtime/base/runtime.h"

/* Whether the log of such a growth lies beside the image. Paths must be without symbolic links. */
bool growth_log_exists(const char *path);

/*
 * The older program renamed its draft of the log, IMAGE.grow.new, before it changed the image. To
 * remove one, the image must be locked.
 */
bool growth_log_draft_exists(const char *path);
void growth_log_draft_remove(const char *path);

/*
 * Applies the log and removes it; may be repeated. `image` is open for
 * writing and locked. If the image was used before any record was applied, the log is discarded.
 */
bool growth_log_finish(const char *path, int image, struct reason *why);

#endif
