/* SPDX-License-Identifier: MIT */
/* meter: receives the progress of long work; any thread may call it. */
#ifndef MVM_BASE_METER_H
#define MVM_BASE_METER_H

#include <stdint.h>

struct meter {
	void (*begin)(void *context, const char *path);  /* `path` is read next */
	void (*add)(void *context, uint64_t more_bytes); /* this much more was read */
	void *context;
};

/* `meter` may be NULL. */
static inline void meter_begin(const struct meter *meter, const char *path)
{
	if (meter)
		meter->begin(meter->context, path);
}

static inline void meter_add(const struct meter *meter, uint64_t more_bytes)
{
	if (meter)
		meter->add(meter->context, more_bytes);
}

#endif
