# SPDX-License-Identifier: MIT
# Tests, demo and benchmarks; included by the Makefile.

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/*_test.c)))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))

$(BUILD)/tests/unit/%: tests/unit/%.c $(OBJECTS) $(BUILD)/embedded.o
	@mkdir -p $(@D)
	$(say) TEST $@
	$(Q)$(COMPILE) -o $@ $< $(OBJECTS) $(BUILD)/embedded.o $(LINK_LIBS) -lcmocka

# Each fuzz target replays its corpus when it is built without libFuzzer.
REPLAY := tests/fuzz/replay.c
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(REPLAY) $(OBJECTS) $(BUILD)/embedded.o
	@mkdir -p $(@D)
	$(say) FUZZ $@
	$(Q)$(COMPILE) -o $@ $< $(REPLAY) $(OBJECTS) $(BUILD)/embedded.o $(LINK_LIBS)

unit-programs: $(UNIT) $(FUZZ)

# Installs missing packages on Debian 12; on other systems prints what is needed.
deps:
	@bash tests/setup.sh check

demo:
	@bash tests/setup.sh demo
	@$(MAKE) --no-print-directory all
	@bash tests/demo/demo.sh $(BUILD)/mvmbuild

check:
	@bash tests/setup.sh check
	@$(MAKE) --no-print-directory WERROR=-Werror all unit-programs
	@bash tests/check.sh

# The campaigns of tests/long, which are not part of `make check`. make check-long MVM_LONG=4 tries
# four times as often.
check-long:
	@bash tests/setup.sh check
	@$(MAKE) --no-print-directory WERROR=-Werror all unit-programs
	@MVM_LONG='$(MVM_LONG)' bash tests/check.sh long

# One kind of test: make check-unit, check-golden, check-fuzz, check-e2e, check-lint, check-asan,
# check-clang.
check-%: all unit-programs
	@bash tests/check.sh $*

# Documents that are generated from the program and the sources.
GENERATED := options.md host-options.md schema.json part-schema.json host-schema.json errors.md
GENERATED += hypervisors.md runner.md mvmbuild.1 microvm.1 vm.yaml.5
docs: all
	@bash docs/generate.sh $(BUILD)/mvmbuild $(BUILD)/docs
	@cp $(addprefix $(BUILD)/docs/,$(GENERATED)) docs/
	@cp $(BUILD)/docs/known.nix $(BUILD)/docs/options.nix templates/nix/

# Looks for inputs that fail; needs clang: make fuzz FUZZ_SECONDS=600
FUZZ_SECONDS ?= 60
fuzz:
	@bash tests/fuzz/run.sh $(BUILD)/fuzz $(FUZZ_SECONDS)

golden-update: all
	@bash tests/golden/run.sh --update

# All parts of tests/bench/run.sh, or some: make bench BENCH="squashfs erofs". Benchmarks with
# guests are separate programs.
bench:
	@bash tests/setup.sh bench
	@$(MAKE) --no-print-directory all
	@BENCH='$(BENCH)' bash tests/bench/run.sh $(BUILD)/mvmbuild
	@[ -n '$(BENCH)' ] || bash tests/bench/read.sh $(BUILD)/mvmbuild

.PHONY: unit-programs deps docs demo check check-long fuzz golden-update bench
