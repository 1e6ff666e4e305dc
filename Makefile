# Curfew: `make help` lists the targets. Everything that is made goes below $(BUILD).

BUILD ?= build
CC ?= cc
SANITIZE ?=
OPT ?= -O2 -g

PKGS := libmicrohttpd json-c libpq libcurl yaml-0.1 libarchive gnutls
WARN := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wformat=2 -Wundef -Werror
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection -fno-common
LINK_HARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack
ifeq ($(SANITIZE),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif

CPPFLAGS_ALL = -I. -I$(BUILD)/gen -D_GNU_SOURCE $(shell pkg-config --cflags $(PKGS)) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(OPT) $(WARN) $(HARDEN) -pthread $(CFLAGS)
LDFLAGS_ALL = $(LINK_HARDEN) $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -pthread $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS))

find_c = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

COMMON_SRC := $(call find_c,services/common)
SHIM_SRC := $(call find_c,services/worker/shim)
jobmanager_SRC := $(call find_c,services/jobmanager)
worker_SRC := $(filter-out $(SHIM_SRC),$(call find_c,services/worker))
reaper_SRC := $(call find_c,services/reaper)
cli_SRC := $(call find_c,services/cli)
SUPPORT_SRC := $(call find_c,tests/support)
BENCH_SRC := $(call find_c,tests/bench)

PROGRAMS := jobmanager worker reaper cli
bin_jobmanager := $(BUILD)/bin/curfew-jobmanager
bin_worker := $(BUILD)/bin/curfew-worker
bin_reaper := $(BUILD)/bin/curfew-reaper
bin_cli := $(BUILD)/bin/curfew
BINARIES := $(foreach p,$(PROGRAMS),$(if $(wildcard services/$(p)/main.c),$(bin_$(p)))) $(if $(SHIM_SRC),$(BUILD)/bin/curfew-shim)

.PHONY: all
all: $(BINARIES)

$(BUILD)/lib/libcommon.a: $(call obj,$(COMMON_SRC))
$(BUILD)/lib/libshim.a: $(call obj,$(filter-out %/main.c,$(SHIM_SRC)))
$(BUILD)/lib/libsupport.a: $(call obj,$(SUPPORT_SRC))
define program_rules
$(BUILD)/lib/lib$(1).a: $$(call obj,$$(filter-out %/main.c,$$($(1)_SRC)))
$$(bin_$(1)): $$(call obj,services/$(1)/main.c) $(BUILD)/lib/lib$(1).a $(BUILD)/lib/libcommon.a
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

$(BUILD)/bin/curfew-shim: $(call obj,$(filter %/main.c,$(SHIM_SRC))) $(BUILD)/lib/libshim.a $(BUILD)/lib/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^

$(BUILD)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

# Statements and migrations, embedded.
GEN_SQL := $(BUILD)/gen/statements.h
$(GEN_SQL): $(wildcard services/common/store/sql/*.sql services/common/store/migrations/*.sql) services/common/store/embed_sql.sh
	@mkdir -p $(@D)
	services/common/store/embed_sql.sh services/common/store > $@.tmp
	mv $@.tmp $@

$(BUILD)/obj/%.o: %.c | $(if $(wildcard services/common/store/embed_sql.sh),$(GEN_SQL))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Tests: each tests/{unit,integration}/**/test_*.c is a program of its own.
TEST_SRC := $(shell find tests/unit tests/integration -name 'test_*.c' 2>/dev/null)
TEST_BIN := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC))
lib_of = $(if $(findstring worker/shim,$(1)),$(BUILD)/lib/libshim.a,$(foreach p,$(PROGRAMS),$(if $(findstring /$(p)/,$(1)),$(BUILD)/lib/lib$(p).a)))
.SECONDEXPANSION:
$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $$(call lib_of,$$@) $(BUILD)/lib/libsupport.a $(BUILD)/lib/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LIBS)

.PHONY: tests clean
tests: $(TEST_BIN)
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
