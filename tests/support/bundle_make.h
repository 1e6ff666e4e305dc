// Bundles for tests: a tar archive, compressed with zstd, with whatever entries a test wants, bad ones too.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bundle_maker;

struct bundle_maker *bundle_maker_new(const char *path); // the archive's file
void bundle_add_file(struct bundle_maker *maker, const char *name, mode_t mode, const void *content, size_t length);
void bundle_add_text(struct bundle_maker *maker, const char *name, const char *text); // mode 0644
void bundle_add_zeros(struct bundle_maker *maker, const char *name, int64_t length);
void bundle_add_directory(struct bundle_maker *maker, const char *name);
void bundle_add_link(struct bundle_maker *maker, const char *name, const char *to);
void bundle_add_hard_link(struct bundle_maker *maker, const char *name, const char *to);
void bundle_add_device(struct bundle_maker *maker, const char *name);
void bundle_maker_close(struct bundle_maker *maker); // the archive is complete
