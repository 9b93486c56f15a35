/* SPDX-License-Identifier: MIT */
/* Reads arbitrary bytes as the plan of stage 1. All fields of an accepted plan must be readable. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The library does not contain the guest's reader. */
#include "imaging/guest/init/plan.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t plan_walk(const struct init_plan *plan)
{
	size_t sum = strlen(plan->init) + strlen(plan->root_options);
	for (size_t i = 0; i < plan->nmodules; i++)
		sum += strlen(plan->modules[i].file) + strlen(plan->modules[i].name);
	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct stage1_step *step = &plan->steps[i];
		if (step->kind == STAGE1_MOUNT)
			sum += strlen(step->mount.source) + strlen(step->mount.target) +
				strlen(step->mount.type) + strlen(step->mount.options);
		for (const char *const *word = step->kind == STAGE1_RUN ? step->run.arguments
									: NULL;
			word && *word; word++)
			sum += strlen(*word);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	struct init_plan plan;
	if (plan_parse(text, &plan) == 0 && plan_walk(&plan) > size)
		abort();
	free(plan.modules);
	free(plan.steps);
	free(plan.words);
	free(text);
	return 0;
}
