#!/usr/bin/env bash
# valgrind.sh PROGRAM [ARGUMENTS]: runs a test program under valgrind; any error or leak makes it fail. A program that
# brings an allocator of its own keeps it (somalloc).
set -euo pipefail
exec valgrind --quiet --error-exitcode=99 --exit-on-first-error=no --leak-check=full --show-leak-kinds=definite,indirect \
    --errors-for-leak-kinds=definite,indirect --child-silent-after-fork=yes --fair-sched=yes \
    --soname-synonyms=somalloc=nouserintercepts "$@"
