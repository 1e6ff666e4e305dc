# Curfew: `make help` lists the targets. Everything that is made goes below $(BUILD).
#
# pkg-config and the compiler are asked when something is compiled, not when this file is read: `make deps`, `make test`
# and `make demo` work on a machine that has neither yet.

BUILD ?= build
CC ?= cc
SANITIZE ?=
OPT ?= -O2 -g
PREFIX ?= /usr/local
# How many things at a time; test programs and compilers alike.
JOBS ?= $(shell nproc)
# `make V=1` shows commands.
Q := $(if $(V),,@)
SAY := $(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo)

PKGS := libmicrohttpd json-c libpq libcurl yaml-0.1 libarchive gnutls zlib
WARN := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wformat=2 -Wundef -Werror
HARDEN = -fPIE -fstack-protector-strong -fstack-clash-protection -fno-common $(CONTROL_FLOW) $(FORTIFY)
LINK_HARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifneq ($(SANITIZE),)
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif

# $(call once,NAME,command): a variable that runs its command when it is first used, and fails when the command does.
shell_ok = $(shell $(1))$(if $(filter-out 0,$(.SHELLSTATUS)),$(error `$(1)` failed: `make deps` installs what is needed))
once = $(1) = $$(eval $(1) := $$$$(call shell_ok,$(2)))$$($(1))
$(eval $(call once,PKG_CFLAGS,pkg-config --cflags $(PKGS)))
$(eval $(call once,PKG_LIBS,pkg-config --libs $(PKGS)))
$(eval $(call once,MACHINE,$(CC) -dumpmachine))
$(eval $(call once,FORTIFY_LEVEL,echo '#include <stdio.h>' | $(CC) -x c -O2 -Werror -D_FORTIFY_SOURCE=3 -E - >/dev/null 2>&1 && echo 3 || echo 2))
FORTIFY = $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY_LEVEL))
CONTROL_FLOW = $(if $(filter x86_64-%,$(MACHINE)),-fcf-protection)$(if $(filter aarch64-%,$(MACHINE)),-mbranch-protection=standard)

CPPFLAGS_ALL = -I. -I$(BUILD)/gen -D_GNU_SOURCE $(PKG_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(OPT) $(WARN) $(HARDEN) -pthread $(CFLAGS)
LDFLAGS_ALL = $(LINK_HARDEN) $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -pthread $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm
LINK = $(Q)$(SAY) "LINK  $@"; mkdir -p $(@D) && $(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^)

find_c = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

COMMON_SRC := $(call find_c,services/common)
SHIM_SRC := $(call find_c,services/worker/shim)
jobmanager_SRC := $(call find_c,services/jobmanager)
worker_SRC := $(filter-out $(SHIM_SRC),$(call find_c,services/worker))
reaper_SRC := $(call find_c,services/reaper)
cli_SRC := $(call find_c,services/cli)
SUPPORT_SRC := $(call find_c,tests/support)

PROGRAMS := jobmanager worker reaper cli
bin_jobmanager := $(BUILD)/bin/curfew-jobmanager
bin_worker := $(BUILD)/bin/curfew-worker
bin_reaper := $(BUILD)/bin/curfew-reaper
bin_cli := $(BUILD)/bin/curfew
BINARIES := $(foreach p,$(PROGRAMS),$(if $(wildcard services/$(p)/main.c),$(bin_$(p)))) $(if $(SHIM_SRC),$(BUILD)/bin/curfew-shim)

.PHONY: all
all: $(BINARIES) ## build the programs into build/bin (the default)

$(BUILD)/lib/libcommon.a: $(call obj,$(COMMON_SRC))
$(BUILD)/lib/libshim.a: $(call obj,$(filter-out %/main.c,$(SHIM_SRC)))
$(BUILD)/lib/libsupport.a: $(call obj,$(SUPPORT_SRC))
define program_rules
$(BUILD)/lib/lib$(1).a: $$(call obj,$$(filter-out %/main.c,$$($(1)_SRC)))
$$(bin_$(1)): $$(call obj,services/$(1)/main.c) $(BUILD)/lib/lib$(1).a $(BUILD)/lib/libcommon.a
	$$(LINK) $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

$(BUILD)/bin/curfew-shim: $(call obj,$(filter %/main.c,$(SHIM_SRC))) $(BUILD)/lib/libshim.a $(BUILD)/lib/libcommon.a
	$(LINK)

$(BUILD)/lib/%.a:
	$(Q)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $(filter %.o,$^)

# Statements and migrations, embedded.
GEN_SQL := $(BUILD)/gen/statements.h
$(GEN_SQL): $(wildcard services/common/store/sql/*.sql services/common/store/migrations/*.sql) services/common/store/embed_sql.sh
	$(Q)$(SAY) "EMBED $@"; mkdir -p $(@D) && services/common/store/embed_sql.sh services/common/store > $@.tmp && mv $@.tmp $@

# Changes when the compiler or its flags do, and has everything compiled again then.
FLAGS := $(BUILD)/obj/flags
$(FLAGS): FORCE
	$(Q)mkdir -p $(@D); text='$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)'; \
	test "$$(cat $@ 2>/dev/null)" = "$$text" || echo "$$text" > $@
.PHONY: FORCE
FORCE:

$(BUILD)/obj/%.o: %.c $(FLAGS) | $(if $(wildcard services/common/store/embed_sql.sh),$(GEN_SQL))
	$(Q)$(SAY) "CC    $<"; mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Tests: each tests/{unit,integration,e2e}/**/test_*.c is a program of its own; so is each .c file of the other directories,
# but for tests/faults and tests/bench/scenarios, which are one each.
TEST_SRC := $(shell find tests/unit tests/integration tests/e2e tests/containers tests/fuzz -name 'test_*.c' 2>/dev/null)
FAULTS_SRC := $(call find_c,tests/faults)
SCARCE_SRC := tests/fixtures/preload/scarce.c
SCENARIOS_SRC := $(call find_c,tests/bench/scenarios)
TOOL_SRC := $(filter-out $(SCENARIOS_SRC) $(SCARCE_SRC),$(call find_c,tests/bench tests/docs tests/fixtures))
SCARCE := $(BUILD)/lib/scarce.so
STATIC_NASTY := $(BUILD)/tests/fixtures/static/nasty
TEST_BIN := $(patsubst %.c,$(BUILD)/%,$(TEST_SRC) $(TOOL_SRC)) $(BUILD)/tests/faults/faults $(BUILD)/tests/bench/scenarios/scenarios $(STATIC_NASTY)
$(BUILD)/tests/e2e/test_scarce: | $(SCARCE)
lib_of = $(if $(findstring /e2e/test_scarce,$(1)),$(BUILD)/lib/libjobmanager.a)$(if $(findstring /fuzz/,$(1)),$(BUILD)/lib/libjobmanager.a $(BUILD)/lib/libworker.a)$(if $(findstring worker/shim,$(1)),$(BUILD)/lib/libshim.a,$(foreach p,$(PROGRAMS),$(if $(findstring /$(p)/,$(1)),$(BUILD)/lib/lib$(p).a)))
.SECONDEXPANSION:
$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $$(call lib_of,$$@) $(BUILD)/lib/libsupport.a $(BUILD)/lib/libcommon.a
	$(LINK) -lcmocka $(LIBS)
$(BUILD)/tests/faults/faults: $(call obj,$(FAULTS_SRC))
$(BUILD)/tests/bench/scenarios/scenarios: $(call obj,$(SCENARIOS_SRC))
# What calls a fuzz target: our replay of its corpus, or libFuzzer, which has a main of its own.
FUZZ_BIN := $(filter $(BUILD)/tests/fuzz/%,$(TEST_BIN))
$(FUZZ_BIN): $(if $(LIBFUZZER),,$(call obj,tests/fuzz/replay.c))
$(STATIC_NASTY): tests/fixtures/nasty.c $(FLAGS) # for images that hold nothing else
	$(Q)$(SAY) "LINK  $@"; mkdir -p $(@D) && $(CC) -D_GNU_SOURCE -std=gnu17 -O2 $(WARN) -static -o $@ $<

$(SCARCE): $(SCARCE_SRC) $(FLAGS)
	$(Q)$(SAY) "LINK  $@"; mkdir -p $(@D) && $(CC) -D_GNU_SOURCE -I. -std=gnu17 -O2 $(WARN) -fPIC -shared -o $@ $< -ldl

.PHONY: tests
tests: $(TEST_BIN) ## build all test programs, run none

# Recursive: what these targets build is described by packages that they install first.
SUBMAKE = +$(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
RUN_TESTS = JOBS=$(JOBS) tests/support/run_tests.sh

.PHONY: deps deps-ci demo test check monitoring contract fuzz fuzzers asan tsan valgrind coverage faults bench bench-peers
deps: ## install what building, testing and the demo need (Debian 12 and 13; nothing is done when nothing is missing)
	$(Q)tests/support/deps.sh
deps-ci:
	$(Q)tests/support/deps.sh --ci

demo: deps ## run the word count example on an embedded stack, and see its services go home
	$(SUBMAKE) all
	$(Q)BUILD=$(BUILD) docs/examples/word-count/demo.sh

test: deps ## build everything and run all tests
	$(SUBMAKE) all tests
	$(Q)$(RUN_TESTS) $(BUILD) unit integration fuzz e2e containers docs

check: deps-ci ## run all lints
	$(Q)BUILD=$(BUILD) JOBS=$(JOBS) tests/lint/all.sh

monitoring: deps-ci ## check alert rules and dashboard, and the metrics of a real manager, with promtool
	$(SUBMAKE) all
	$(Q)$(RUN_TESTS) $(BUILD) monitoring

contract: deps-ci ## lint the API's document with redocly; schemathesis asks a real manager what it allows: EXAMPLES cases for each call (200)
	$(SUBMAKE) all $(BUILD)/tests/bench/with_postgres
	$(Q)EXAMPLES=$(EXAMPLES) $(RUN_TESTS) $(BUILD) contract

SECONDS_EACH ?= 60
fuzz: deps-ci ## look for inputs that break a parser with clang's libFuzzer, SECONDS_EACH for each (60); TARGET=one of them
	$(SUBMAKE) BUILD=$(BUILD)/fuzz CC=clang LIBFUZZER=1 SANITIZE=fuzzer-no-link,address,undefined LDFLAGS=-fsanitize=fuzzer fuzzers
	$(Q)tests/fuzz/run.sh $(BUILD)/fuzz $(SECONDS_EACH) $(TARGET)
fuzzers: $(FUZZ_BIN)

asan: deps ## unit and integration tests and fuzz corpora under AddressSanitizer and UndefinedBehaviorSanitizer
	$(SUBMAKE) BUILD=$(BUILD)/asan SANITIZE=address,undefined all tests
	$(Q)TIMEOUT_FACTOR=3 $(RUN_TESTS) $(BUILD)/asan unit integration fuzz

tsan: deps ## unit and integration tests under ThreadSanitizer
	$(SUBMAKE) BUILD=$(BUILD)/tsan SANITIZE=thread all tests
	$(Q)TIMEOUT_FACTOR=5 $(RUN_TESTS) $(BUILD)/tsan unit integration

valgrind: deps-ci ## unit tests under valgrind
	$(SUBMAKE) all tests
	$(Q)TIMEOUT_FACTOR=20 WRAPPER=tests/support/valgrind.sh $(RUN_TESTS) $(BUILD) unit

coverage: deps-ci ## run all tests and print the line coverage; the report is build/coverage/index.html
	$(SUBMAKE) BUILD=$(BUILD)/coverage OPT='-O0 -g --coverage -fprofile-update=atomic' all tests
	$(Q)find $(BUILD)/coverage -name '*.gcda' -delete
	$(Q)$(RUN_TESTS) $(BUILD)/coverage unit integration e2e containers
	$(Q)gcovr --root . --object-directory $(BUILD)/coverage --filter services/ --print-summary --html-details $(BUILD)/coverage/index.html

ROUNDS ?= 100
faults: deps ## kill everything at random moments under load, ROUNDS times each (100), and look for damage; CONTAINERS=1: with an engine
	$(SUBMAKE) all tests
	$(Q)$(BUILD)/tests/faults/faults $(if $(CONTAINERS),--containers) --rounds=$(ROUNDS) $(if $(SEED),--seed=$(SEED))

bench: deps ## measure what a manager carries: RUNS runs (5), ONLY=name,name or all; ONLY=list lists
	$(SUBMAKE) all tests
	$(Q)BUILD=$(BUILD) RUNS=$(RUNS) ONLY=$(ONLY) tests/bench/run.sh

bench-peers: deps ## the same beside graphile-worker, pg-boss, River and pgqueuer, which it installs below build/: RUNS runs (3)
	$(SUBMAKE) all tests
	$(Q)BUILD=$(BUILD) RUNS=$(RUNS) tests/bench/peers/run.sh

.PHONY: slow
slow: deps-ci ## a thousand slow clients against a manager for SECONDS (60), by slowhttptest
	$(SUBMAKE) all
	$(Q)tests/bench/slow.sh $(BUILD) $(or $(SECONDS),60)

.PHONY: images
images: ## make all images of compose.yaml from Debian packages, where none can be pulled (REFRESH=1: from those of today)
	$(Q)REFRESH=$(REFRESH) docker/bases.sh $(BUILD)/images
	$(Q)docker/images.sh $(BUILD)/images

.PHONY: docs format install clean help print-flags
docs: all ## print the reference pages from the programs' own tables
	$(Q)BUILD=$(BUILD) docs/generate.sh

format: ## format all C sources
	$(Q)tests/lint/format.sh --fix

install: all ## install the programs below $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BINARIES) $(DESTDIR)$(PREFIX)/bin

clean: ## remove everything that was made
	rm -rf $(BUILD)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

print-flags: # for tools that parse the sources
	@echo '$(CPPFLAGS_ALL) -std=gnu17 -pthread'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
