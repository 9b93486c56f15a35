/* SPDX-License-Identifier: MIT */
/*
 * Runs every file of the given corpus directories through a fuzz target, which must survive it.
 * Prints TAP.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/*
 * Reads a file into memory of exactly its size, so that a sanitizer detects a read beyond its end.
 * Returns false if it cannot be read.
 */
static int run_file(const char *path)
{
	struct stat st;
	FILE *file = fopen(path, "re");
	if (!file || fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode)) {
		if (file)
			fclose(file);
		return 0;
	}
	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size ? size : 1);
	int ok = data && fread(data, 1, size, file) == size;
	fclose(file);
	if (ok)
		LLVMFuzzerTestOneInput(data, size);
	free(data);
	return ok;
}

static unsigned run_directory(const char *directory, unsigned number, int *failed)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, not_hidden, alphasort);
	for (int i = 0; i < count; i++) {
		char *path;
		if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0)
			abort();
		int ok = run_file(path);
		*failed |= !ok;
		printf("%sok %u - %s\n", ok ? "" : "not ", ++number, path);
		fflush(stdout); /* the next file may crash the process */
		free(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	else
		perror(directory);
	*failed |= count < 0;
	return number;
}

int main(int argc, char *argv[])
{
	unsigned number = 0;
	int failed = 0;
	for (int i = 1; i < argc; i++)
		number = run_directory(argv[i], number, &failed);
	printf("1..%u\n", number);
	return failed;
}
