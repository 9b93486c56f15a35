/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/control/http.h"

enum {
	LIMIT_MS = 10000,
	POLL_MS = 100,
	STABLE_MS = 2000, /* without a change; a guest under load takes a second to react */
};
#define MIB UINT64_C(1048576)

struct balloon {
	struct http http;
	uint64_t memory_mib;
	const struct kind *kind;
};

struct kind {
	struct request set, get; /* set.json is formatted with the size */
	const char *set_format;
	uint64_t unit; /* bytes per unit of the number in set_format */
	/* Reads the balloon's size from the reply to `get`. */
	bool (*read)(struct balloon *balloon, struct json reply, uint64_t *mib);
};

/* Subtracts the guest's actual memory from its total, including hotplugged memory. */
static bool cloud_hypervisor_read(struct balloon *balloon, struct json reply, uint64_t *mib)
{
	struct json actual, config, memory, plugged;
	uint64_t bytes, total = balloon->memory_mib * MIB, more = 0;
	if (!json_member(reply, "memory_actual_size", &actual) || !json_unsigned(actual, &bytes))
		return reason_set(&balloon->http.problem, "vm.info reports no size");
	/* null if there is no hotplug memory. */
	if (json_member(reply, "config", &config) && json_member(config, "memory", &memory) &&
		json_member(memory, "hotplugged_size", &plugged) && json_unsigned(plugged, &more) &&
		more <= MEMORY_MAX_MIB * MIB)
		total += more;
	if (bytes > total)
		return reason_set(&balloon->http.problem,
			"the VM has %" PRIu64 " MiB of memory, not %" PRIu64, bytes / MIB,
			total / MIB);
	*mib = (total - bytes) / MIB;
	return true;
}

static bool firecracker_read(struct balloon *balloon, struct json reply, uint64_t *mib)
{
	struct json actual;
	if (json_member(reply, "actual_mib", &actual) && json_unsigned(actual, mib))
		return true;
	return reason_set(&balloon->http.problem, "its statistics report no size");
}

static const struct kind cloud_hypervisor = {
	.set = {"PUT", "/api/v1/vm.resize", NULL},
	.get = {"GET", "/api/v1/vm.info", NULL},
	.set_format = "{\"desired_balloon\":%" PRIu64 "}",
	.unit = 1,
	.read = cloud_hypervisor_read,
};

static const struct kind firecracker = {
	.set = {"PATCH", "/balloon", NULL},
	.get = {"GET", "/balloon/statistics", NULL},
	.set_format = "{\"amount_mib\":%" PRIu64 "}",
	.unit = MIB,
	.read = firecracker_read,
};

static enum http_status size_set(struct balloon *balloon, uint64_t mib, int64_t deadline)
{
	char text[64];
	struct request request = balloon->kind->set;
	snprintf(text, sizeof text, balloon->kind->set_format, mib * MIB / balloon->kind->unit);
	request.json = text;
	return http_request(&balloon->http, &request, deadline, NULL);
}

static enum http_status size_read(struct balloon *balloon, int64_t deadline, uint64_t *mib)
{
	struct json body, reply;
	enum http_status status =
		http_request(&balloon->http, &balloon->kind->get, deadline, &body);
	if (status != HTTP_OK)
		return status;
	if (!json_object_parse(body.p, body.n, &reply)) {
		reason_set(&balloon->http.problem, "the reply is not JSON");
		return HTTP_BROKEN;
	}
	return balloon->kind->read(balloon, reply, mib) ? HTTP_OK : HTTP_BROKEN;
}

/* It is not an error if the guest stops short of the target. */
static enum http_status resize(
	struct balloon *balloon, uint64_t target, int64_t deadline, uint64_t *mib)
{
	enum http_status status = size_set(balloon, target, deadline);
	if (status == HTTP_OK)
		status = size_read(balloon, deadline, mib);
	int64_t changed = clock_ms();
	while (status == HTTP_OK && *mib != target && clock_ms() - changed < STABLE_MS &&
		deadline_left(deadline) > POLL_MS) {
		uint64_t before = *mib;
		sleep_ms(POLL_MS);
		status = size_read(balloon, deadline, mib);
		if (*mib != before)
			changed = clock_ms();
	}
	return status;
}

static int report(const struct balloon *balloon, enum http_status status, uint64_t mib)
{
	if (status == HTTP_OK) {
		printf("%" PRIu64 "\n", mib);
		return STATUS_OK;
	}
	if (status == HTTP_GONE)
		no_vm("microvm-balloon MIB", balloon->http.path);
	else if (status == HTTP_TIMEOUT)
		complain("%s: gave up after %d s: the hypervisor hangs", balloon->http.path,
			LIMIT_MS / 1000);
	else
		complain("%s: %s", balloon->http.path, balloon->http.problem.text);
	return STATUS_FAILED;
}

static int run(const struct kind *kind, char **arguments)
{
	struct balloon balloon = {.kind = kind};
	uint64_t target, reached = 0;
	if (!balloon_sizes_parse(arguments[1], arguments[2], &balloon.memory_mib, &target))
		return STATUS_USAGE;
	int result = STATUS_FAILED;
	if (http_open(&balloon.http, arguments[0])) {
		enum http_status status = resize(&balloon, target, clock_ms() + LIMIT_MS, &reached);
		result = report(&balloon, status, reached);
	}
	http_close(&balloon.http);
	return result;
}

int verb_balloon_ch(char **arguments)
{
	return run(&cloud_hypervisor, arguments);
}

int verb_balloon_fc(char **arguments)
{
	return run(&firecracker, arguments);
}
