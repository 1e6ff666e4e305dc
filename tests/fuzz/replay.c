// Feeds a fuzz target with its corpus, one input after the other: an input that breaks a promise ends the program.
//
//   test_<name> [DIRECTORY]     DIRECTORY: tests/fuzz/corpus/<name>
//
// The last line is "N passed, 0 failed". Inputs are copied to blocks of their exact size, so that sanitizers see a look
// beyond their end.
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static void replay(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    FUZZ_HOLDS(file && fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    FUZZ_HOLDS(size >= 0);
    FUZZ_HOLDS(fseek(file, 0, SEEK_SET) == 0);
    size_t length = (size_t)size;
    uint8_t *bytes = malloc(length ? length : 1);
    FUZZ_HOLDS(bytes && fread(bytes, 1, length, file) == length);
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(bytes, length);
    free(bytes);
}

int main(int argc, char **argv)
{
    char corpus[256];
    int count = 0;
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%s", strncmp(name, "test_", 5) == 0 ? name + 5 : name);
    const char *directory = argc > 1 ? argv[1] : corpus;
    struct dirent **entries;
    int found = scandir(directory, &entries, NULL, alphasort);
    if (found < 0) {
        fprintf(stderr, "%s: no such directory\n", directory);
        return 2;
    }
    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.') {
            replay(directory, entries[i]->d_name);
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%d passed, %d failed\n", count, count == 0);
    return count == 0;
}
