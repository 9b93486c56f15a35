/* SPDX-License-Identifier: MIT */
#include "imaging/volume/identity.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

struct identity identity_of(const char *seed)
{
	struct identity identity;
	_Static_assert(sizeof identity == 32, "SHA-256 fills it");
	if (EVP_Digest(seed, strlen(seed), identity.uuid, NULL, EVP_sha256(), NULL) != 1)
		abort();
	/* RFC 9562: version 8 (custom contents), variant 10. */
	identity.uuid[6] = (identity.uuid[6] & 0x0f) | 0x80;
	identity.uuid[8] = (identity.uuid[8] & 0x3f) | 0x80;
	return identity;
}

const char *uuid_text(struct arena *arena, const uint8_t uuid[16])
{
	return arena_printf(arena,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", uuid[0],
		uuid[1], uuid[2], uuid[3], uuid[4], uuid[5], uuid[6], uuid[7], uuid[8], uuid[9],
		uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
}
