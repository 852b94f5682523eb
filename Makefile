# greenlua: one graph for everything; all output under build/.
#
#   make KIND=asan      the same graph with other flags, in build/asan
#   make V=1            show the commands
#   make LUAJIT=prefix  a LuaJIT unpacked aside (prefix/usr/include/luajit-2.1)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

KIND ?= release
BUILD ?= build
LUAJIT ?=
PORT ?= 8080
SPEC ?=
SEED ?=
FUZZ_TIME ?= 60
DESTDIR ?=
PREFIX ?= /usr/local
VERSION := scm
SONAME := libgreenlua.so.0

ifeq ($(origin CC),default)
CC := gcc
endif
FUZZ_CC ?= clang-14
PKG_CONFIG ?= pkg-config
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-8s %s\n' $(1) $(2))

# -- Kinds --------------------------------------------------------------------

SAN := -O1 -g3 -fno-omit-frame-pointer -DGREEN_DEBUG
FLAGS_release := -O2 -g
FLAGS_debug := -Og -g3 -DGREEN_DEBUG
FLAGS_asan := $(SAN) -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_tsan := $(SAN) -fsanitize=thread
FLAGS_cov := -O0 -g3 --coverage
# See `make pgo`. Most of the code is not trained: that is optimized as ever.
FLAGS_pgo := -O2 -g $(if $(PGO_TRAINING),-fprofile-generate -fprofile-update=atomic,\
  -fprofile-use -fprofile-partial-training -fprofile-correction -Wno-missing-profile)
KFLAGS := $(or $(FLAGS_$(KIND)),$(error unknown KIND=$(KIND)))

B := $(BUILD)/$(KIND)
G := $(BUILD)/gen
# Where the products of this kind go: the release binary is build/greenlua.
P := $(if $(filter release,$(KIND)),$(BUILD),$(B))

# -- Flags --------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wpointer-arith -Wwrite-strings -Wundef -Wvla $(if $(WERROR),-Werror)

# An include says its layer: "hub/fd.h". -iquote, not -I: a host's <base/...> is not ours.
INCLUDE_greenc := -iquote greenc
INCLUDE_vm := -iquote vm $(INCLUDE_greenc)

BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARN) -fvisibility=hidden -fPIC \
  -fno-semantic-interposition -pthread $(KFLAGS)

# Asked when first used, not when the file is read: pkg-config may not be there
# before `make run` has installed it. Each answer is asked for once.
ifeq ($(LUAJIT),)
LUAJIT_CFLAGS = $(eval LUAJIT_CFLAGS := $$(shell $(PKG_CONFIG) --cflags luajit))$(LUAJIT_CFLAGS)
LUAJIT_LIBS = $(eval LUAJIT_LIBS := $$(shell $(PKG_CONFIG) --libs luajit))$(LUAJIT_LIBS)
LUAJIT_LIBDIR :=
LUAJIT_BIN := luajit
else
MULTIARCH = $(eval MULTIARCH := $$(shell $(CC) -print-multiarch))$(MULTIARCH)
LUAJIT_LIBDIR = $(abspath $(LUAJIT))/usr/lib/$(MULTIARCH)
LUAJIT_CFLAGS = -I$(LUAJIT)/usr/include/luajit-2.1
LUAJIT_LIBS = -L$(LUAJIT_LIBDIR) -Wl,-rpath,$(LUAJIT_LIBDIR) -lluajit-5.1
LUAJIT_BIN := $(LUAJIT)/usr/bin/luajit
endif

GREENC_LIBS := $(if $(filter pgo,$(KIND)),-l:libev.a,-lev) -pthread -lm
# All of LuaJIT: C modules for Lua find its API in the program.
VM_LIBS = $(if $(filter pgo,$(KIND)),$(LUAJIT_LIBS:-lluajit-5.1=-Wl,--whole-archive \
  -l:libluajit-5.1.a -Wl,--no-whole-archive),$(LUAJIT_LIBS)) $(GREENC_LIBS) -ldl

# -- Files --------------------------------------------------------------------

GREENC_C := $(sort $(wildcard greenc/*/*.c))
VM_C := $(sort $(wildcard vm/*.c vm/*/*.c))
GREENC_H := $(sort $(wildcard greenc/*.h greenc/*/*.h))
VM_H := $(sort $(wildcard vm/*.h vm/*/*.h))
GREENC_O := $(GREENC_C:%.c=$(B)/%.o)
VM_O := $(VM_C:%.c=$(B)/%.o)
GEN_O := $(B)/gen/ffi.o $(B)/gen/bundle_data.o
LIB_O := $(GREENC_O) $(filter-out $(B)/vm/cmd/main.o $(B)/vm/cmd/cli.o,$(VM_O)) $(GEN_O)
BIN_O := $(GREENC_O) $(VM_O) $(GEN_O)

LUALIB := $(sort $(shell find lualib -name '*.lua' 2>/dev/null))
FFI_H := $(shell grep -l '^[[:space:]]*/\* ffi \*/' /dev/null \
  $(GREENC_H) $(VM_H) 2>/dev/null)
FFI_LUA := $(foreach h,$(FFI_H),$(G)/lualib/green/ffi/$(basename $(notdir $(h))).lua)

CTEST_C := $(sort $(wildcard spec/c/*/*_test.c))
CTESTS := $(CTEST_C:%.c=$(B)/%)
FUZZ_C := $(sort $(wildcard spec/fuzz/*_fuzz.c))
FUZZ_RUNS := $(FUZZ_C:spec/fuzz/%_fuzz.c=fuzz-%)

BIN := $(P)/greenlua
SHARED := $(P)/libgreenlua.so
STATIC := $(P)/libgreenlua.a
CORE := $(P)/lib/green/core.so
EMBED := $(if $(wildcard examples/embed/host.c),\
  $(P)/examples/embed $(P)/examples/embed_static) \
  $(if $(wildcard examples/embed/host_ev.c),$(P)/examples/embed_ev) \
  $(if $(wildcard examples/embed/core.c),$(P)/examples/embed_core) \
  $(patsubst spec/embed/%.c,$(P)/examples/spec_%,$(wildcard spec/embed/*.c))
# What a C program may include.
PUBLIC_H := $(filter-out %_priv.h %/mem.h %/library.h %/crew.h %/shared.h \
  %/futex.h %/zmq_lib.h %/line.h %/arena.h %/robust.h %/shm.h %/siphash.h,$(GREENC_H))
HEADERS := $(P)/include/greenlua.h $(PUBLIC_H:greenc/%=$(P)/include/greenc/%)
OOM := $(P)/spec/oom/host
RUNTIMES := $(P)/spec/storm/runtimes
# A ZeroMQ peer in C, where libzmq's header is.
ZMQ_PEER := $(if $(wildcard /usr/include/zmq.h /usr/local/include/zmq.h),\
  $(P)/spec/zmq/peer)
ALL := $(BIN) $(SHARED) $(STATIC) $(CORE) $(HEADERS) $(EMBED) $(FFI_LUA)

.PHONY: all
all: $(ALL) ## build everything of this KIND (the default)

# -- Rebuild when the flags change, not only when the files do ----------------

.PHONY: FORCE
FORCE:

# $(call remember,text): the target changes when the text does.
remember = $(Q)mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || \
  printf '%s\n' '$(1)' > $@

$(B)/.flags: FORCE
	$(call remember,$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS))

$(B)/.flags-vm: FORCE
	$(call remember,$(LUAJIT_CFLAGS))

$(B)/.flags-link: FORCE
	$(call remember,$(CC) $(LDFLAGS) $(VM_LIBS) $(BIN_O))

$(G)/.bundle: FORCE
	$(call remember,$(LUALIB) $(FFI_LUA))

# What a header that has gone was made into must not be installed, or checked.
$(G)/.ffi: FORCE
	$(call remember,$(FFI_H))
	$(Q)for f in $(wildcard $(G)/lualib/green/ffi/*.lua); do \
	  case ' $(FFI_LUA) ' in *" $$f "*) ;; *) rm -f "$$f" ;; esac; done

# -- What must be there -------------------------------------------------------

# Looked for once: a compiler that says "ev.h: No such file" names no package.
NEEDS := $(BUILD)/.needs
$(NEEDS):
	@CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' LUAJIT='$(LUAJIT)' \
	  tools/install-deps --check build
	@mkdir -p $(@D) && touch $@

$(B)/.flags $(B)/.flags-vm $(B)/.flags-link: | $(NEEDS)

# -- Objects ------------------------------------------------------------------

COMPILE = $(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@

$(B)/greenc/%.o: greenc/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(INCLUDE_greenc) $<

$(B)/vm/%.o: vm/%.c $(B)/.flags $(B)/.flags-vm
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(INCLUDE_vm) $(LUAJIT_CFLAGS) $<

# No Lua header here: the FFI sees no lua_State.
$(B)/gen/%.o: $(G)/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) $(INCLUDE_vm) $<

$(B)/spec/c/%.o: spec/c/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -iquote spec/c $(INCLUDE_greenc) $<

# -- Generated ----------------------------------------------------------------

$(G)/ffi.c: tools/ffi.awk $(FFI_H) $(G)/.ffi
	$(call say,FFI,$@)
	$(Q)awk -v mode=c -f tools/ffi.awk $(FFI_H) /dev/null > $@.tmp && mv $@.tmp $@

define ffi_lua
$$(G)/lualib/green/ffi/$(basename $(notdir $(1))).lua: $(1) tools/ffi.awk
	@mkdir -p $$(@D)
	$$(Q)awk -v mode=lua -f tools/ffi.awk $(1) > $$@.tmp && mv $$@.tmp $$@
endef
$(foreach h,$(FFI_H),$(eval $(call ffi_lua,$(h))))

# The Lua library travels inside the binary, as source.
$(G)/bundle_data.c: tools/embed.sh $(LUALIB) $(FFI_LUA) $(G)/.bundle
	$(call say,EMBED,$@)
	$(Q)tools/embed.sh $(LUALIB) $(FFI_LUA) > $@.tmp && mv $@.tmp $@

$(G)/core.map: Makefile
	@mkdir -p $(@D)
	@echo '{ global: luaopen_green_core; local: *; };' > $@

# -- Products -----------------------------------------------------------------

LINK = $(CC) $(KFLAGS) $(CFLAGS) $(LDFLAGS)
# Calls inside a library stay inside: two copies in one process do not mix.
LINK_SHARED = $(LINK) -shared -Wl,-Bsymbolic

# -Wl,-E: C modules for Lua find the Lua API in the program they are loaded by.
$(BIN): $(BIN_O) $(B)/.flags-link
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -Wl,-E -o $@ $(BIN_O) $(VM_LIBS)

# -z nodelete: a signal's handler, and native threads, may outlive the last state.
$(SHARED): $(LIB_O) $(B)/.flags-link
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_SHARED) $(if $(findstring sanitize,$(KFLAGS)),,-Wl,-z,defs) \
	  -Wl,-z,nodelete -Wl,-soname,$(SONAME) -o $@ $(LIB_O) $(VM_LIBS)
	$(Q)ln -sf $(@F) $(@D)/$(SONAME)

$(STATIC): $(LIB_O) $(B)/.flags-link
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_O)

# The rock's module. Not linked to LuaJIT: the program that loads it brings the Lua API.
$(CORE): $(LIB_O) $(G)/core.map $(B)/.flags-link
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_SHARED) -Wl,-z,nodelete -Wl,--version-script=$(G)/core.map \
	  -o $@ $(LIB_O) $(GREENC_LIBS) -ldl

$(P)/include/greenlua.h: vm/greenlua.h
	@mkdir -p $(@D)
	@cp $< $@

$(P)/include/greenc/%.h: greenc/%.h
	@mkdir -p $(@D)
	@cp $< $@

# A host, against the shared library, the static one, and with its own loop.
LINK_HOST = $(CC) -std=gnu11 $(WARN) $(KFLAGS) $(CFLAGS) $(LDFLAGS) \
  -I$(P)/include $(LUAJIT_CFLAGS) -o $@ $<
LINK_HOST_SHARED = $(LINK_HOST) -L$(P) -lgreenlua -Wl,-rpath,'$$ORIGIN/..'

$(P)/examples/embed: examples/embed/host.c $(SHARED) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_HOST_SHARED) $(LUAJIT_LIBS)

$(P)/examples/embed_static: examples/embed/host.c $(STATIC) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_HOST) $(STATIC) $(VM_LIBS)

$(P)/examples/embed_ev: examples/embed/host_ev.c $(SHARED) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_HOST_SHARED) $(LUAJIT_LIBS) -lev

$(P)/examples/embed_core: examples/embed/core.c $(SHARED) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_HOST_SHARED) -I$(P)/include/greenc

# A host whose allocator fails, for spec/oom_spec.lua. -Wl,-E: it names functions.
$(P)/spec/oom/host: spec/oom/host.c $(STATIC) $(HEADERS) | $(FFI_LUA)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_HOST) -Wl,-E $(STATIC) $(VM_LIBS)

# Hosts that specs run.
$(P)/examples/spec_%: spec/embed/%.c $(SHARED) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_HOST_SHARED) $(LUAJIT_LIBS) -lev

$(RUNTIMES): spec/storm/runtimes.c $(STATIC) $(HEADERS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK_HOST) $(STATIC) $(VM_LIBS)

$(P)/spec/zmq/peer: spec/zmq/peer.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=gnu11 $(WARN) $(CFLAGS) -pthread -o $@ $< -lzmq

# C tests link greenc's objects only: it stands without Lua. A test
# names the calls it replaces in a line `/* wrap: accept4 recv */`, and they
# reach it as __wrap_accept4; WRAP_<noun> adds other linker flags.
$(CTESTS): $(B)/spec/c/%_test: $(B)/spec/c/%_test.o $(GREENC_O) $(B)/.flags-link
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $< $(GREENC_O) $(WRAP_$*) $$(sed -n \
	  '/^\/\* wrap: .*\*\/$$/{s/^\/\* wrap: *//;s/ *\*\/$$//;s/[^ ][^ ]*/-Wl,--wrap=&/g;p;}' \
	  spec/c/$*_test.c) $(GREENC_LIBS)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# -- Run ----------------------------------------------------------------------

# The second make reads this file after what was missing has been installed.
SUBMAKE = +$(Q)$(MAKE) --no-print-directory

.PHONY: run run-now
run: ## build, then serve examples/hello.lua on PORT
	@tools/install-deps build
	$(SUBMAKE) run-now

run-now: $(BIN)
	@exec $(BIN) examples/hello.lua $(PORT)

# -- Test ---------------------------------------------------------------------

.PHONY: test test-now rock
test: ## C tests, then specs; SPEC=file for one, SEED=n for an order
	@tools/install-deps build test
	$(SUBMAKE) test-now

# What SPEC needs, or everything.
TESTED = $(if $(filter %_test.c,$(SPEC)),$(SPEC:%.c=$(B)/%),$(if \
  $(SPEC),$(BIN) $(OOM) $(RUNTIMES) $(ZMQ_PEER),$(ALL) $(OOM) $(RUNTIMES) \
  $(ZMQ_PEER) $(CTESTS)))

test-now: $(TESTED)
	@KIND=$(KIND) BUILD=$(BUILD) BIN=$(BIN) LUAJIT='$(LUAJIT)' \
	  LUAJIT_BIN='$(LUAJIT_BIN)' LUAJIT_LIBDIR='$(LUAJIT_LIBDIR)' \
	  CC='$(CC)' SPEC='$(SPEC)' SEED='$(SEED)' V='$(V)' \
	  tools/test $(if $(SPEC),,$(CTESTS))

# Twice in one folder: a profile lies beside the object that it is of.
.PHONY: pgo pgo-train
pgo: ## a faster build/pgo/greenlua: trained, with LuaJIT and libev inside
	@tools/install-deps build
	$(SUBMAKE) KIND=pgo PGO_TRAINING=1 pgo-train
	$(SUBMAKE) KIND=pgo $(BUILD)/pgo/greenlua

pgo-train: $(BIN) $(B)/bench/load
	$(Q)find $(B) -name '*.gcda' -delete
	$(call say,TRAIN,$(BIN))
	$(Q)BIN=$(BIN) LOAD=$(B)/bench/load tools/pgo

$(B)/bench/load: $(addprefix bench/,load.c client.c answer.c meter.c tls.c)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -o $@ $^ -lssl -lcrypto

# The library as LuaRocks installs it, in a tree of our own.
.PHONY: build-rock
build-rock: $(CORE) $(FFI_LUA)

rock: $(CORE) $(FFI_LUA) ## install the rock into build/rocktree
	@BUILD=$(BUILD) LUAJIT='$(LUAJIT)' tools/rock $(BUILD)/rocktree

.PHONY: asan tsan tsan-threads cov valgrind fuzz $(FUZZ_RUNS) check
asan tsan: ## the same tests with other flags
	$(SUBMAKE) KIND=$@ test

# What native threads and signal handlers touch: little enough for every push.
THREADED := base/library base/futex base/shm base/dict_threads io/channel io/tpool io/tpool_limit \
  io/tpool_pin io/tpool_lost io/tpool_storm io/crew io/slot io/lookup hub/post io/signal io/tls_lib io/tls_pool \
  io/tls_move io/watchdog io/roster io/cputimer io/dns_lib io/resolver_threads io/zmq io/zmq_loan proto/idna

tsan-threads: ## C tests of what other threads touch, under ThreadSanitizer
	$(SUBMAKE) KIND=tsan tsan-threads-now

.PHONY: tsan-threads-now
tsan-threads-now: $(THREADED:%=$(B)/spec/c/%_test)
	@KIND=$(KIND) BUILD=$(BUILD) V='$(V)' NO_LUA=1 tools/test $^

cov: ## the same tests, and which lines of C they reached (gcovr)
	$(SUBMAKE) KIND=$@ test
	$(Q)if command -v gcovr >/dev/null; then gcovr -r . --object-directory $(BUILD)/cov \
	  -f greenc -f vm --txt $(BUILD)/cov/report.txt && tail -n 3 $(BUILD)/cov/report.txt; fi

MEMCHECK := valgrind -q --error-exitcode=99 --leak-check=full \
  --errors-for-leak-kinds=definite --exit-on-first-error=yes

valgrind: $(CTESTS) ## C tests under memcheck
	@KIND=$(KIND) BUILD=$(BUILD) V='$(V)' RUNNER='$(MEMCHECK)' T_ALARM=600 \
	  T_MEMCHECK=1 \
	  NO_LUA=1 tools/test $(CTESTS)

$(BUILD)/fuzz/%: spec/fuzz/%.c $(GREENC_C) $(GREENC_H) \
    $(wildcard spec/c/*.h spec/c/*/*.h spec/fuzz/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -pthread \
	  -fno-sanitize-recover=all -fsanitize=fuzzer,address,undefined \
	  -iquote spec/c $(INCLUDE_greenc) -o $@ $< $(GREENC_C) $(GREENC_LIBS)

# libFuzzer keeps what it finds in build/fuzz; the seeds in the tree stay as
# they are. A crash becomes a seed and a spec by hand. With -j several at once.
fuzz: $(FUZZ_RUNS) ## every parser under libFuzzer, FUZZ_TIME seconds each

$(FUZZ_RUNS): fuzz-%: $(BUILD)/fuzz/%_fuzz
	$(Q)mkdir -p $(BUILD)/fuzz/found/$*
	$(Q)$< -max_total_time=$(FUZZ_TIME) -timeout=10 -print_final_stats=1 \
	  -artifact_prefix=$(BUILD)/fuzz/$*- $(BUILD)/fuzz/found/$* \
	  $(wildcard spec/fuzz/corpus/$*) >$(BUILD)/fuzz/$*.log 2>&1 || \
	  { tail -n 60 $(BUILD)/fuzz/$*.log; exit 1; }
	$(Q)sed -n 's/^Done \(.*\)/  ok    $*: \1/p' $(BUILD)/fuzz/$*.log

.PHONY: hollow hollow-now
hollow: ## specs that pass without what they test; SPEC=file for one
	@tools/install-deps build test
	$(SUBMAKE) hollow-now

hollow-now: $(ALL)
	@KIND=$(KIND) BUILD=$(BUILD) BIN=$(BIN) tools/hollow $(SPEC)

.PHONY: storm storm-now
storm: ## random acts against models, STORM seconds long; SEED=n
	@tools/install-deps build test
	$(SUBMAKE) storm-now

storm-now: $(BIN) $(RUNTIMES)
	@KIND=$(KIND) BUILD=$(BUILD) BIN=$(BIN) RUNTIMES=$(RUNTIMES) \
	  STORM='$(or $(STORM),60)' SEED='$(or $(SEED),1)' tools/storm

check: ## lint + test + asan: before every push
	$(SUBMAKE) lint
	$(SUBMAKE) test
	$(SUBMAKE) asan

# -- Lint ---------------------------------------------------------------------

OUR_C = $(GREENC_C) $(VM_C) $(wildcard spec/c/*/*.c spec/fuzz/*.c spec/storm/*.c bench/*.c \
  spec/oom/*.c spec/zmq/*.c spec/rock/*.c examples/embed/*.c spec/embed/*.c)
OUR_H = $(GREENC_H) $(VM_H) $(wildcard spec/c/*.h spec/c/*/*.h spec/fuzz/*.h bench/*.h)

.PHONY: lint fmt compatibility
lint: $(GREENC_O) $(VM_O) $(GEN_O) $(FFI_LUA) ## every checker there is
	@BUILD=$(BUILD) OBJECTS=$(B) LUAJIT_CFLAGS='$(LUAJIT_CFLAGS)' \
	  C_FILES='$(OUR_C)' H_FILES='$(OUR_H)' tools/lint

compatibility: ## write which specs prove which row of docs/compatibility.md
	$(Q)luajit tools/compatibility.lua

fmt: ## clang-format -i
	$(Q)clang-format -i $(OUR_C) $(OUR_H)

# -- Bench, docs --------------------------------------------------------------

.PHONY: bench bench-peers docs
bench: $(BIN) ## the figures of bench/README.md; ROWS="echo http" for some
	$(Q)GREENLUA=$(BIN) B=$(B)/bench LUAJIT_CMD=$(LUAJIT_BIN) \
	  LUAJIT_CFLAGS="$(LUAJIT_CFLAGS)" LUAJIT_LIBS="$(LUAJIT_LIBS)" \
	  bench/run $(ROWS)

bench-peers: ## install what bench compares with: nginx, Go, node, Eventlet
	$(Q)bench/install-peers

docs: ## the reference and the guides, to build/docs
	@tools/install-deps --check docs
	$(Q)tools/docs $(BUILD)/docs

# -- Install ------------------------------------------------------------------

BINDIR = $(DESTDIR)$(PREFIX)/bin
LIBDIR = $(DESTDIR)$(PREFIX)/lib
INCDIR = $(DESTDIR)$(PREFIX)/include
MANDIR = $(DESTDIR)$(PREFIX)/share/man/man1
SHAREDIR = $(DESTDIR)$(PREFIX)/share/greenlua

.PHONY: install uninstall dist
install: $(BIN) $(SHARED) $(STATIC) $(HEADERS) ## DESTDIR and PREFIX (/usr/local)
	$(Q)install -d $(BINDIR) $(LIBDIR)/pkgconfig $(INCDIR) $(MANDIR) $(SHAREDIR)
	$(Q)install -m 755 $(BIN) $(BINDIR)/greenlua
	$(Q)install -m 755 $(SHARED) $(LIBDIR)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(LIBDIR)/libgreenlua.so
	$(Q)install -m 644 $(STATIC) $(LIBDIR)/libgreenlua.a
	$(Q)install -m 644 vm/greenlua.h $(INCDIR)/greenlua.h
	$(Q)cp -R $(P)/include/greenc $(INCDIR)
	$(Q)install -m 644 docs/greenlua.1 $(MANDIR)/greenlua.1
	$(Q)install -m 644 tools/greenlua-gdb.py $(SHAREDIR)/greenlua-gdb.py
	$(Q)for name in greenlua greenc; do \
	  sed -e 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' $$name.pc.in \
	    > $(LIBDIR)/pkgconfig/$$name.pc; done

uninstall: ## take away what install put there
	$(Q)rm -f $(BINDIR)/greenlua $(LIBDIR)/$(SONAME) $(LIBDIR)/libgreenlua.so \
	  $(LIBDIR)/libgreenlua.a $(INCDIR)/greenlua.h $(MANDIR)/greenlua.1 \
	  $(LIBDIR)/pkgconfig/greenlua.pc $(LIBDIR)/pkgconfig/greenc.pc
	$(Q)rm -rf $(INCDIR)/greenc $(SHAREDIR)

# For LuaRocks, which says where: LUADIR and LUALIBDIR.
.PHONY: install-rock
install-rock: $(CORE) $(FFI_LUA)
	$(Q)install -d '$(LUADIR)' '$(LUALIBDIR)/green'
	$(Q)cp -R lualib/green $(G)/lualib/green '$(LUADIR)'
	$(Q)install -m 755 $(CORE) '$(LUALIBDIR)/green/core.so'

dist: ## a reproducible tarball of HEAD, and its sha256
	$(Q)tools/dist $(BUILD)

# -- Rest ---------------------------------------------------------------------

.PHONY: clean help
clean: ## remove build/
	$(Q)rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | \
	  awk -F '|' '{ printf "  make %-14s %s\n", $$1, $$2 }'
	@echo "  KIND=release|debug|asan|tsan|cov  LUAJIT=prefix  V=1  WERROR=1"
