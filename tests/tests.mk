# Every kind of test adds its own fragment, and the fragments add to these lists:
#   UNIT_TESTS     cmocka programs, tests/unit/test_*
#   THREAD_TESTS   those of check_PROGRAMS that have threads: run under ThreadSanitizer too
#   SLOW_TESTS     those of UNIT_TESTS that are too long for valgrind, 30 times slower
#   FUZZ_TARGETS   tests/fuzz/fuzz_NAME, with tests/fuzz/corpus/NAME
#   TOOL_TESTS     scripts that test tools/ and tests/run
#   BENCHMARKS     programs of check_PROGRAMS that print figures
#   BENCH_LABS     the same of tests/bench, in Python
# Scripts named tests/lab/t-* and tests/cluster/t-* are found by their name.
# docs/TESTING.md says what each target below runs.
include tests/unit/unit.mk
include tests/fuzz/fuzz.mk
include tests/sim/sim.mk
include tests/bench/bench.mk
include tests/lab/lab.mk

TOOL_TESTS += tests/tools/t-check-floors.py tests/tools/t-check-state.sh tests/tools/t-check-rfc.py \
	tests/tools/t-run.py \
	tests/tools/t-examples.sh tests/tools/t-links.py tests/tools/t-demo.py \
	tests/tools/t-interop.py tests/tools/t-planes.py

# A day of calling, second by second.
SLOW_TESTS = tests/unit/test_node_dial

# Overridable on the command line: make sim SEEDS=10000 FROM=1; make soak DAYS=30; make fuzz SECONDS=60.
# REKEYS: how many of a hundred seeds of the simulator rekey; its own usual share if empty.
SEEDS = 10000
REKEYS =
FROM = 1
DAYS = 30
SECONDS = 20
CHECK_SEEDS = 2000
SAN_SEEDS = 200
TEST_JOBS = 2
# Laboratories wait more than they work, and share nothing.
LAB_JOBS = 3
CLUSTER_JOBS = 2
# In the virtual machine they work.
KERNEL_JOBS = 2
KERNEL_TIMEOUT = 2400

RUN = $(PYTHON3) $(srcdir)/tests/run
SUB_BUILD = $(SHELL) $(abs_top_srcdir)/tools/sub-build $(abs_top_srcdir)
SIM = $(filter tests/sim/vipsec-sim$(EXEEXT),$(check_PROGRAMS) $(noinst_PROGRAMS))
sim_args = --jobs $(TEST_JOBS) $(REKEYS:%=--rekeys %)
CORPUS_TESTS = $(FUZZ_TARGETS:%=corpus:%)

# Of the laboratory, what reaches most of the daemon: run with a sanitized one.
SAN_LAB = t-lab t-pair t-plane t-moves t-strongswan t-any t-nat t-refusals t-hundred
TSAN_LAB = t-pair t-hundred
san_lab_tests = $(SAN_LAB:%=tests/lab/%.py)
tsan_lab_tests = $(TSAN_LAB:%=tests/lab/%.py)

# Not every machine may do it, but where addresses are random beyond what clang 14 expects,
# only this keeps sanitized programs alive.
no_aslr = `if setarch -R true 2>/dev/null; then echo setarch -R; fi`

check-local:
	$(AM_V_at)$(RUN) check --timeout 300 \
		--as rules tools/check-floors tools/check-state tools/check-format tools/check-rfc \
		$(TOOL_TESTS) \
		--as unit --jobs $(TEST_JOBS) $(UNIT_TESTS) \
		--as corpus $(CORPUS_TESTS) \
		--as sim --jobs 1 --timeout 1200 $(SIM:%='% --seeds $(CHECK_SEEDS) --from 1 $(sim_args)')

# The same programs where mistakes with memory, undefined behaviour and races are fatal.
# A finding of any of them ends the program, so a test cannot pass over it. (valgrind runs
# one thread at a time: programs that spin on another thread are not for it.)
check-san: check-programs
	+$(AM_V_at)$(SUB_BUILD) san-asan check-programs CC=clang CFLAGS='-O1 -g' \
		--enable-sanitizers=address,undefined
	+$(AM_V_at)$(SUB_BUILD) san-tsan 'all $(THREAD_TESTS)' CC=clang CFLAGS='-O1 -g' \
		--enable-sanitizers=thread
	$(AM_V_at)$(RUN) check-san --timeout 600 --jobs $(TEST_JOBS) \
		--as asan --in san-asan --wrap "$(no_aslr)" --require clang \
		$(UNIT_TESTS) $(CORPUS_TESTS) \
		--as asan-sim --jobs 1 --timeout 1200 --wrap "$(no_aslr)" --require clang \
		$(SIM:%='% --seeds $(SAN_SEEDS) --from 1 $(sim_args)') \
		--as tsan --timeout 600 --in san-tsan --wrap "$(no_aslr)" --require clang \
		--env TSAN_OPTIONS=halt_on_error=1 $(THREAD_TESTS) \
		--as asan-lab --in san-asan --jobs $(LAB_JOBS) --wrap "$(no_aslr)" --require 'clang root' \
		$(san_lab_tests) \
		--as tsan-lab --in san-tsan --wrap "$(no_aslr)" --require 'clang root' \
		$(tsan_lab_tests) \
		--as memcheck --in . --jobs $(TEST_JOBS) --env UNIT_FEW_ROUNDS=yes --require valgrind --wrap \
		"valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99" \
		$(filter-out $(THREAD_TESTS) $(SLOW_TESTS),$(UNIT_TESTS))

# Real daemons in network namespaces, without a cluster. The longest begin, so that none is
# left alone at the end.
found_tests = $(patsubst $(srcdir)/%,%,$(sort $(wildcard $(srcdir)/tests/$(1)/t-*.py)))
longest_first = $(2:%=tests/$(1)/%.py) $(filter-out $(2:%=tests/$(1)/%.py),$(call found_tests,$(1)))
LONG_LABS = t-certs-end t-names t-rekey-strongswan t-flood t-families
LONG_CLUSTERS = t-ten-moves t-ipv6 t-failover t-strongswan
check-lab: all check-programs
	+$(AM_V_at)$(SUB_BUILD) key-log all --enable-key-log
	$(AM_V_at)$(RUN) check-lab --timeout 300 --as lab --jobs $(LAB_JOBS) --require root \
		--env VIPSEC_KEYLOG_BUILDDIR=$(abs_top_builddir)/key-log \
		$(call longest_first,lab,$(LONG_LABS))

# The kernel plane, on Debian's own kernel: one boot of a virtual machine for all. It is
# emulated, and so slow.
KERNEL_LAB = t-plane k-cluster k-differential k-peers k-tables t-pair t-options k-strongswan-ah t-integrity-only \
	t-early
# Takes modules away, which all in the machine need: it has the machine to itself.
KERNEL_ALONE = t-lacking
check-kernel: all check-programs
	+$(AM_V_at)$(SUB_BUILD) key-log all --enable-key-log
	$(AM_V_at)$(PYTHON3) $(srcdir)/tests/lab/vm/suite --timeout $(KERNEL_TIMEOUT) \
		--before 'VIPSEC_BUILDDIR=$(abs_top_builddir) $(PYTHON3) $(srcdir)/tests/interop/matrix --prepare' \
		check-kernel --as kernel --slow 5 --env VLAB_PLANE=kernel \
		--env VIPSEC_KEYLOG_BUILDDIR=$(abs_top_builddir)/key-log --jobs $(KERNEL_JOBS) \
		$(KERNEL_LAB:%=tests/lab/%.py) \
		--as alone --jobs 1 --slow 5 --env VLAB_PLANE=kernel $(KERNEL_ALONE:%=tests/lab/%.py)

# All other labs in which a data plane carries traffic, or is looked at, with the kernel's: too long
# for the tests that are always run.
KERNEL_REST = t-ah t-any t-decrypt t-doctor t-families t-fragments t-key-exchanges t-knob t-lock t-mobike \
	t-moves t-names t-nat t-plane-paths t-refusals t-rekey-strongswan t-strongswan t-strongswan-cbc \
	t-strongswan-childless t-strongswan-ppk t-strongswan-redirect t-unrouted
# So many peers, or packets, that each has the machine to itself.
KERNEL_CROWDS = t-flood t-hundred
# About the TUN or its thread, or what the kernel cannot (docs/PLANES.md).
KERNEL_NEVER = t-hung-thread t-steering t-nat-shared
# About no data plane: control, certificates, documents, tools.
KERNEL_NO_MATTER = t-agents-states t-certs t-certs-end t-daemon-control t-daemon-schema t-daemon-start \
	t-documents t-lab t-memcheck t-unit t-vm t-watch
kernel-rest: all check-programs
	+$(AM_V_at)$(SUB_BUILD) key-log all --enable-key-log
	$(AM_V_at)$(PYTHON3) $(srcdir)/tests/lab/vm/suite --timeout 7200 \
		kernel-rest --as kernel --slow 8 --env VLAB_PLANE=kernel \
		--env VIPSEC_KEYLOG_BUILDDIR=$(abs_top_builddir)/key-log --jobs $(KERNEL_JOBS) \
		$(KERNEL_REST:%=tests/lab/%.py) \
		--as crowds --jobs 1 --slow 8 --env VLAB_PLANE=kernel \
		--env VIPSEC_KEYLOG_BUILDDIR=$(abs_top_builddir)/key-log $(KERNEL_CROWDS:%=tests/lab/%.py)

# Real Corosync and Pacemaker nodes, each in its own namespaces.
check-cluster: all check-programs
	$(AM_V_at)$(RUN) check-cluster --timeout 600 --as cluster --jobs $(CLUSTER_JOBS) \
		--require 'root corosync pacemakerd' \
		$(call longest_first,cluster,$(LONG_CLUSTERS))

soak: $(SIM)
	$(AM_V_at)./$(SIM) --soak $(DAYS) --from $(FROM)

sim: $(SIM)
	$(AM_V_at)./$(SIM) --seeds $(SEEDS) --from $(FROM) $(sim_args)

# Every target for SECONDS seconds. What is found stays in fuzz/found/; the corpus grows in
# fuzz/corpus/, never in the source tree.
fuzz:
	+$(AM_V_at)$(SUB_BUILD) fuzz '$(FUZZ_TARGETS)' CC=clang CFLAGS='-O1 -g' \
		--enable-fuzz --enable-sanitizers=address,undefined
	$(AM_V_at)$(SHELL) $(srcdir)/tools/fuzz-all $(abs_top_srcdir) fuzz $(SECONDS) $(TEST_JOBS) \
		$(FUZZ_TARGETS)

# Against other makes; writes docs/INTEROP.md.
interop: all check-programs
	+$(AM_V_at)$(SUB_BUILD) key-log all --enable-key-log
	$(AM_V_at)VIPSEC_BUILDDIR=$(abs_top_builddir) \
		VIPSEC_KEYLOG_BUILDDIR=$(abs_top_builddir)/key-log $(PYTHON3) $(srcdir)/tests/interop/matrix \
		--table $(abs_top_srcdir)/docs/INTEROP.md

bench: all check-programs
	$(AM_V_at)for b in $(BENCHMARKS); do echo "== $$b"; ./$$b || exit 1; done; \
	for b in $(BENCH_LABS); do echo "== $$b"; \
		VIPSEC_BUILDDIR=$(abs_top_builddir) $(PYTHON3) $(srcdir)/$$b || exit 1; done

.PHONY: check-san check-lab check-kernel kernel-rest check-cluster sim soak fuzz bench interop

clean-local:
	rm -rf san-asan san-tsan fuzz key-log test-logs interop vm
