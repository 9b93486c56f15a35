/* SPDX-License-Identifier: MIT */
/*
 * growth_log: completes the growth of an ext image that an older mvm-host began. It made file
 * systems larger on the host, by way of a log beside the image, IMAGE.grow; a start that was
 * killed, or lost its power, left the log and an image that is changed in part.
 */
#ifndef MVM_BACKENDS_RUNTIME_VOLUME_GROWTH_LOG_H
#define MVM_BACKENDS_RUNTIME_VOLUME_GROWTH_LOG_H

#include "backends/runtime/base/runtime.h"

/* Whether something of such a growth lies beside the image; `path` without symbolic links. */
bool growth_log_exists(const char *path);

/*
 * Carries the log out, as often as it takes, and removes what lies beside the image. `image` is
 * open for writing and locked. A log that nothing was carried out of, of an image that was used
 * since, is dropped.
 */
bool growth_log_finish(const char *path, int image, struct reason *why);

#endif
