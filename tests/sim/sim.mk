# The deterministic simulator. Floors do not bind it: it plays the world around the core.
check_PROGRAMS += tests/sim/vipsec-sim
tests_sim_vipsec_sim_CPPFLAGS = -D_POSIX_C_SOURCE=200809L $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_sim_vipsec_sim_SOURCES = tests/sim/main.c tests/sim/jobs.c tests/sim/run.c \
	tests/sim/world.c tests/sim/scenario.c tests/sim/machine.c tests/sim/deeds.c \
	tests/sim/path.c tests/sim/net.c tests/sim/bus.c tests/sim/pacemaker.c \
	tests/sim/stray.c tests/sim/traffic.c tests/sim/faults.c \
	tests/sim/flood.c tests/sim/narrow.c tests/sim/check.c tests/sim/hashes.c tests/sim/soak.c tests/sim/check_end.c tests/sim/rekeys.c tests/sim/drains.c
tests_sim_vipsec_sim_LDADD = $(core_ldadd)
TOOL_TESTS += tests/sim/t-sim.sh
