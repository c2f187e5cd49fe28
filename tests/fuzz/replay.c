/* tests/fuzz/replay.c - runs a fuzz target over files, where there is no libFuzzer.
 *
 *   fuzz_NAME FILE...   replays those files (or all files of a folder)
 *   fuzz_NAME           replays $srcdir/tests/fuzz/corpus/NAME, as `make check` does
 *
 * Each file is also cut short at every length and has each octet disturbed, a cheap
 * stand-in for a fuzzer that costs nothing to run always.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 1 << 20, DISTURB_MAX = 2048 };

static unsigned files;

/* On the heap and of the exact size, so that a sanitizer sees every octet too far. */
static void feed(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1);

	if (!exact)
		abort();
	if (size > 0)
		memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static void disturb(uint8_t *data, size_t size)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};

	for (size_t i = 0; i < size && i < DISTURB_MAX; i++) {
		feed(data, i);
		for (size_t f = 0; f < sizeof(flips); f++) {
			data[i] ^= flips[f];
			feed(data, size);
			data[i] ^= flips[f];
		}
	}
}

static int replay_file(const char *path)
{
	static uint8_t data[FILE_MAX];
	FILE *in = fopen(path, "rb");

	if (!in) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	size_t size = fread(data, 1, sizeof(data), in);
	fclose(in);
	feed(data, size);
	disturb(data, size);
	files++;
	return 0;
}

static int replay(const char *path)
{
	DIR *folder = opendir(path);
	int failed = 0;

	if (!folder)
		return replay_file(path);
	for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
		char name[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		failed |= replay_file(name);
	}
	closedir(folder);
	return failed;
}

static int replay_own_corpus(const char *program)
{
	char path[4096];
	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(program, '/');

	name = name ? name + 1 : program;
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".",
		name);
	return replay(path);
}

int main(int argc, char **argv)
{
	int failed = 0;

	feed(NULL, 0);
	if (argc < 2)
		failed = replay_own_corpus(argv[0]);
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	printf("%s: %u files\n", argv[0], files);
	return failed || files == 0;
}
