#include "tests/support/engine_images.h"

#include "services/common/base/fd.h"
#include "tests/support/die.h"
#include "tests/support/engine.h"
#include "tests/support/process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Debian's busybox-static.
#define ROOT_MAX 64
#define BUSYBOX "/bin/busybox"
#define ENVIRONMENT "--change=ENV PATH=/bin EVERY_ADDRESS=yes"
static const char *const applets[] = {"sh",    "cat",  "sleep", "true",     "false", "echo", "env", "id",
                                      "ls",    "wget", "yes",   "head",     "grep",  "sed",  "awk", "date",
                                      "touch", "test", "mkdir", "nslookup", "kill",  "ps",   "wc",  "dd",
                                      "seq",   "nc",   "mount", "cp",       "tail",  "rm"};

static void run_or_die(const char *const argv[])
{
    struct process *process AUTO_PROCESS = process_start(argv, NULL);
    int status = process_wait(process, 60000);
    if (status != 0)
        die("%s ended with %d: %s", argv[0], status, process_stderr(process));
}

static void make_directory(const char *root, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    if (mkdir(path, mode) < 0 || chmod(path, mode) < 0)
        die("mkdir %s: %s", path, strerror(errno));
}

static void fill(const char root[static ROOT_MAX])
{
    char nasty[PATH_MAX + 32], bin[ROOT_MAX + 8], path[PATH_MAX];
    static const char *const directories[] = {"bin", "etc", "dev", "proc", "sys"};
    for (size_t i = 0; i < ARRAY_LEN(directories); i++)
        make_directory(root, directories[i], 0755);
    make_directory(root, "tmp", 01777);
    snprintf(bin, sizeof bin, "%s/bin/", root);
    snprintf(nasty, sizeof nasty, "%s/tests/fixtures/static/nasty", build_dir());
    if (access(BUSYBOX, X_OK) < 0)
        die("no engine: busybox-static is not installed");
    run_or_die((const char *const[]){"cp", BUSYBOX, nasty, bin, NULL});
    for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
        snprintf(path, sizeof path, "%s/bin/%s", root, applets[i]);
        if (symlink("busybox", path) < 0)
            die("symlink %s: %s", path, strerror(errno));
    }
}

void engine_images_make(struct engine *engine)
{
    char *directory = temp_dir_new();
    char root[ROOT_MAX], archive[PATH_MAX];
    snprintf(root, sizeof root, "%s/root", directory);
    snprintf(archive, sizeof archive, "%s/image.tar", directory);
    make_directory(directory, "root", 0755);
    fill(root);
    run_or_die((const char *const[]){"tar", "-C", root, "--owner=0", "--group=0", "-cf", archive, ".", NULL});
    free(engine_docker_ok(engine, "import", ENVIRONMENT, archive, ENGINE_IMAGE, NULL));
    free(engine_docker_ok(engine, "import", ENVIRONMENT,
                          "--change=HEALTHCHECK --interval=200ms --timeout=1s --retries=2 CMD false", archive,
                          ENGINE_IMAGE_UNHEALTHY, NULL));
    temp_dir_free(directory);
}
